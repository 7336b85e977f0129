"""Made by tools/accessor_stub.py; change the functions instead."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal

import holoviews as hv
import pandas as pd
import xarray as xr
from distributed import Client
from numpy.typing import ArrayLike

from facearray.models.au_map import AUMap
from facearray.plot.face import Muscles, View
from facearray.plot.face_model import FaceModel
from facearray.plot.render import Rendered
from facearray.signal.baseline import Reference
from facearray.signal.bin import Statistic
from facearray.signal.clean import Trend
from facearray.signal.decompose import Decomposition
from facearray.signal.distance import Likeness, Metric
from facearray.signal.dyads.members import Pairs
from facearray.signal.dyads.request import DyadNull
from facearray.signal.kernels.baselines import Scale
from facearray.signal.kernels.gaps import Interpolation
from facearray.signal.kernels.latent import DecompositionMethod
from facearray.signal.quality import Preset
from facearray.signal.rectify import Measure
from facearray.signal.smooth import Smoother
from facearray.signal.wavelet import Part
from facearray.stats.decoding.request import Missing, Scoring, Sets
from facearray.stats.decoding.result import Decoding
from facearray.stats.intersubject.grid import Align
from facearray.stats.intersubject.request import Alternative, Join, Null
from facearray.stats.isc_order import Linkage
from facearray.stats.kernels.correlation import Method
from facearray.stats.regression.design import Codes
from facearray.stats.regression.estimates import Covariance, Link
from facearray.stats.reliability import Split
from facearray.stats.time_resolved.rules import Neighbours
from facearray.stats.units import Weights

class PlotAccessor:
    def __init__(self, obj: xr.Dataset | xr.DataArray) -> None: ...
    def bars(
        self,
        *,
        features: str | Iterable[str] | None = None,
        video: str | None = None,
        group: str | None = None,
        error: str | Literal[False] | None = None,
        points: xr.Dataset | xr.DataArray | None = None,
        statistic: str | None = None,
        hline: float | None = None,
        title: str | None = None,
        ylabel: str | None = None,
    ) -> hv.Overlay | hv.Layout:
        """Draw a summary as bars."""
    def coefficients(
        self,
        *,
        features: str | Iterable[str] | None = None,
        term: str | Iterable[str] | None = None,
        alpha: float = 0.05,
        error: Literal["ci", "se"] = "ci",
        title: str | None = None,
        ylabel: str | None = None,
    ) -> hv.Overlay | hv.Layout:
        """Draw coefficients or differences as bars, dark where they are significant."""
    def cooccurrence(
        self,
        features: str | Iterable[str] = "aus",
        *,
        threshold: float = 0.5,
        measure: Literal["jaccard", "conditional"] = "jaccard",
        face: int | None = None,
        linkage: str | None = None,
        title: str | None = None,
    ) -> hv.Overlay:
        """Draw how often features are active in the same frames."""
    def distribution(
        self,
        features: str | Iterable[str] = "aus",
        *,
        by: str | None = None,
        unit: str = "video",
        statistic: str = "mean",
        min_valid: float = 0.5,
        face: int | None = None,
        title: str | None = None,
        ylabel: str | None = None,
    ) -> hv.Overlay | hv.Layout:
        """Draw how features are distributed over videos, or over all frames."""
    def embedding(
        self,
        features: str | Iterable[str] = "aus",
        *,
        source: Literal["features", "embedding"] = "features",
        method: Literal["pca", "mds"] = "pca",
        colour: str | None = None,
        min_valid: float = 0.5,
        title: str | None = None,
    ) -> hv.Overlay:
        """Draw a map on which videos, or faces, that are alike lie close together."""
    def face(
        self,
        *,
        muscles: Muscles = "heatmap",
        gaze: tuple[float, float] | Mapping[str, float] | None = None,
        view: View = "2d",
        vectorfield: Any = None,
        feature_range: tuple[float, float] | None = None,
        exaggerate: float | None = None,
        variable: str | None = None,
        term: str | None = None,
        what: Literal["pattern", "weights"] = "pattern",
        feature_set: str | None = None,
        model: FaceModel | None = None,
        clim: tuple[float, float] | None = None,
        title: str | None = None,
    ) -> hv.Overlay:
        """Draw a face from action units, blendshapes or landmarks."""
    def generalization(
        self,
        *,
        feature_set: str | None = None,
        alpha: float = 0.05,
        limits: tuple[float, float] | None = None,
        title: str | None = None,
    ) -> hv.Overlay:
        """Draw the train-by-test matrix of a decoding over time: rows are times of training, columns of testing."""
    def isc(
        self,
        *,
        feature: str | None = None,
        face: int | None = None,
        variable: Literal["r", "n", "p"] = "r",
        label: str | None = None,
        linkage: str | None = "complete",
        title: str | None = None,
    ) -> hv.Overlay:
        """Draw inter-video correlations as a clustered heat map with a dendrogram."""
    def landmarks(
        self, *, video: str | None = None, frame: int | None = None, image: bool = True, title: str | None = None
    ) -> hv.Overlay:
        """Draw the landmarks of every face in one frame, over the video's own frame where it is at hand."""
    def over_time(
        self,
        features: str | Iterable[str] | None = None,
        *,
        term: str | None = None,
        face: int | None = None,
        alpha: float = 0.05,
        title: str | None = None,
    ) -> hv.Overlay | hv.Layout:
        """Draw a result over time: a line, the band of its confidence interval, and bars where it is significant."""
    def quality(self, *, title: str | None = None) -> hv.Layout:
        """Draw how well faces were found in each video."""
    def raster(
        self,
        features: str | Iterable[str] = "aus",
        *,
        limits: tuple[float, float] | None = None,
        max_columns: int = 600,
        title: str | None = None,
    ) -> hv.Overlay | hv.DynamicMap:
        """Draw features over time as an image, one row a feature."""
    def render(
        self,
        source: str | os.PathLike[str],
        out: str | os.PathLike[str],
        *,
        video: str | None = None,
        face: int | Iterable[int] | None = None,
        draw: str | Iterable[str] | None = None,
        blur_faces: bool = False,
        hold: float | None = None,
        keep_unsure: bool = False,
        mesh_only: bool = False,
        audio: bool = True,
        other_file: bool = False,
        overwrite: bool = False,
        progress: bool = True,
        storage_options: Mapping[str, Any] | None = None,
        video_options: Mapping[str, Any] | None = None,
    ) -> Rendered:
        """Write a video again, with what was found drawn on it, and faces hidden on demand."""
    def timeseries(
        self,
        features: str | Iterable[str] = "aus",
        *,
        lines: Literal["feature", "video"] = "feature",
        by: str | None = None,
        intervals: str | None = None,
        confidence: float = 0.95,
        max_points: int = 2000,
    ) -> hv.Layout:
        """Draw the time courses of features, seconds from left to right."""
    def trajectory(self, x: str, y: str, *, title: str | None = None) -> hv.Overlay | hv.DynamicMap:
        """Draw the way of a face through the plane of two features, coloured by time."""

class DataArrayAccessor:
    def __init__(self, obj: xr.DataArray) -> None: ...
    def select(self, what: str | Iterable[str]) -> xr.Dataset | xr.DataArray:
        """Select features by their names and the names of their groups."""
    @property
    def aus(self) -> xr.Dataset | xr.DataArray:
        """Select the facial action units, ``AU01`` to ``AU43``: intensities from 0 to 1."""
    @property
    def emotions(self) -> xr.Dataset | xr.DataArray:
        """Select the probabilities of the seven expressions, ``anger`` to ``neutral``, which sum to 1."""
    @property
    def poses(self) -> xr.Dataset | xr.DataArray:
        """Select the head's rotation ``Pitch Roll Yaw`` in degrees and position ``X Y Z`` in cm."""
    @property
    def gaze(self) -> xr.Dataset | xr.DataArray:
        """Select the direction of gaze, ``gaze_pitch gaze_yaw``, in degrees: positive down and to the image's right."""
    @property
    def affect(self) -> xr.Dataset | xr.DataArray:
        """Select ``valence`` and ``arousal``, from -1 to 1."""
    @property
    def blendshapes(self) -> xr.Dataset | xr.DataArray:
        """Select the 52 ARKit blendshapes, from 0 to 1."""
    @property
    def facebox(self) -> xr.Dataset | xr.DataArray:
        """Select the face's box in pixels of the source frame and the detector's score."""
    @property
    def time(self) -> xr.DataArray:
        """Select the presentation times of the frames, in seconds."""
    def join(
        self,
        table: pd.DataFrame | pd.Series | Mapping[Any, Any],
        *,
        on: str | Sequence[str] = "video",
        key: str | Sequence[str] | None = None,
        name: str | None = None,
    ) -> xr.Dataset | xr.DataArray:
        """Add attributes of videos, or of the persons in them, as coordinates."""
    def annotate(self, table: pd.DataFrame, *, name: str | None = None) -> xr.Dataset | xr.DataArray:
        """Label the frames that lie in annotated intervals."""
    def rename_videos(self, names: Mapping[str, str] | Callable[[str], str]) -> xr.Dataset | xr.DataArray:
        """Give videos other labels."""
    def to_dataframe(
        self, *, layout: Literal["long", "wide"] | None = None, include: Iterable[str] = ()
    ) -> pd.DataFrame:
        """Make a table of detections, or of any result that has features."""
    def decompose(
        self,
        features: str | Iterable[str] | None = None,
        *,
        n_components: int,
        method: DecompositionMethod = "pca",
        dim: str | Sequence[str] = "feature",
        standardize: bool = False,
        max_bytes: int = 268435456,
        seed: int = 0,
    ) -> Decomposition:
        """Find few components that many features are made of."""
    @property
    def plot(self) -> PlotAccessor:
        """Pictures of the object, as HoloViews objects."""

class DatasetAccessor(DataArrayAccessor):
    def __init__(self, obj: xr.Dataset) -> None: ...
    @property
    def landmarks(self) -> xr.DataArray:
        """Select the points of the face mesh, in pixels of the source frame."""
    @property
    def embedding(self) -> xr.DataArray:
        """Select the identity embeddings, each of unit L2 norm."""
    def identities(self, *, threshold: float = 0.37) -> xr.Dataset:
        """Say which slots of which videos are the same person."""
    def quality(
        self,
        preset: Preset | None = "standard",
        *,
        min_detection: float | None = None,
        min_score: float | None = None,
        max_angle: float | None = None,
        min_size: float | None = None,
        max_blur: float | None = None,
        brightness: tuple[float, float] | None = None,
        max_duplicates: float | None = None,
        blur_from: str = "blur",
        brightness_from: str = "brightness",
        features: str | Iterable[str] | None = "aus",
    ) -> xr.Dataset:
        """Judge each video by how well faces were found in it, and count what is excluded for what reason."""
    def rectify(self, *, threshold: float = 5.0, measures: Iterable[Measure] | None = None) -> xr.Dataset:
        """Take out frames in which the face box or the head's movement is implausible."""
    def mask(
        self,
        condition: xr.DataArray | ArrayLike | None = None,
        *,
        min_score: float | None = None,
        max_angle: float | Mapping[str, float] | None = None,
        min_size: float | None = None,
    ) -> xr.Dataset:
        """Take out frames by the detector's score, where the head points, the size of the face, or any condition."""
    def interpolate(
        self, max_gap: float, *, method: Interpolation = "linear", features: str | Iterable[str] | None = None
    ) -> xr.Dataset:
        """Fill short gaps in the time courses of features."""
    def baseline(
        self,
        reference: Reference | xr.Dataset | xr.DataArray = "median",
        *,
        scale: Scale = "difference",
        features: str | Iterable[str] | None = None,
        seconds: float | None = None,
        period: Mapping[str, Any] | None = None,
        person: str | None = None,
    ) -> xr.Dataset:
        """Express features relative to a baseline."""
    def clean(
        self,
        *,
        features: str | Iterable[str] | None = None,
        detrend: bool | Trend = True,
        high_pass: float | None = None,
        low_pass: float | None = None,
        confounds: str | Iterable[str] | None = None,
        series: xr.DataArray | None = None,
        standardize: bool = True,
        order: int | None = None,
    ) -> xr.Dataset:
        """Clean the time courses of features of trend, frequencies, confounds and scale, in this order."""
    def smooth(
        self,
        method: Smoother = "savgol",
        *,
        seconds: float = 0.5,
        degree: int | None = None,
        features: str | Iterable[str] | None = None,
    ) -> xr.Dataset:
        """Smooth the time courses of features, without delaying them."""
    def resample(self, fps: float) -> xr.Dataset:
        """Give all videos frames at one even rate."""
    def bin(self, seconds: float, *, stat: Statistic = "mean", min_valid: float = 0.5) -> xr.Dataset:
        """Reduce the frames of each stretch of time to one."""
    def steps(self) -> list[dict[str, Any]]:
        """List what was done to a Dataset, in the order in which it was done."""
    def events(
        self,
        features: str | Iterable[str] | Mapping[str, Iterable[str]] = "aus",
        *,
        high: float = 0.5,
        low: float = 0.3,
        min_duration: float = 0.0,
        merge: float = 0.0,
        max_gap: float = 0.0,
    ) -> pd.DataFrame:
        """List the events of features: stretches of frames that stay above one threshold and reach another."""
    def blinks(
        self,
        *,
        feature: str = "AU43",
        high: float = 0.5,
        low: float = 0.3,
        max_duration: float = 0.5,
        max_gap: float = 0.0,
    ) -> xr.Dataset:
        """Count the blinks of every face: short events of closed eyes."""
    def smiles(
        self,
        *,
        high: float = 0.5,
        low: float = 0.3,
        min_duration: float = 0.5,
        merge: float = 0.2,
        max_gap: float = 0.0,
    ) -> pd.DataFrame:
        """List the episodes in which lip corners are pulled and cheeks raised at the same time, AU12 and AU06."""
    def cooccurrence(
        self,
        features: str | Iterable[str] = "aus",
        *,
        threshold: float = 0.5,
        measures: str | Iterable[str] = ("joint", "jaccard"),
    ) -> xr.Dataset:
        """Compute how often features are active in the same frames of every video."""
    def cooccurrence_network(self, measure: str = "jaccard", *, least: float = 0.1) -> pd.DataFrame:
        """List the pairs of features that are active together often enough, as the edges of a network."""
    def asymmetry(
        self,
        features: str | Iterable[str] | None = None,
        *,
        kind: Literal["difference", "index"] = "difference",
        mirrored: bool | str | None = None,
        min_sum: float | None = None,
    ) -> xr.Dataset:
        """Compare the left and the right side of every face, where features are measured on both."""
    def synchrony(
        self,
        feature: str | Iterable[str],
        *,
        window: float,
        max_lag: float | None = None,
        step: float | None = None,
        faces: Sequence[Any] | None = None,
        pairs: Pairs | None = None,
        method: Literal["correlation", "coherence"] = "correlation",
        band: tuple[float, float] | None = None,
        alternative: Literal["two-sided", "greater"] = "two-sided",
        null: DyadNull | None = None,
        n_draws: int | None = None,
        seed: int | None = None,
        rate: float | None = None,
        min_valid: float | None = None,
    ) -> xr.Dataset:
        """Measure the synchrony of two persons: the two faces of each video, or the faces of two videos."""
    def align(
        self,
        table: pd.DataFrame,
        *,
        before: float,
        after: float,
        rate: float | None = None,
        features: str | Iterable[str] | None = None,
        min_valid: float = 0.5,
    ) -> xr.Dataset:
        """Cut time courses to stretches around events, such as the onsets of stimuli, with the event at 0."""
    def to_grid(
        self,
        t0: float | str | Sequence[float | str],
        tr: float,
        n: int | Sequence[int],
        *,
        features: str | Iterable[str] | None = None,
        hrf: Literal["spm"] | None = None,
        at: float = 0.5,
        outside: float | None = None,
        sync: pd.DataFrame | None = None,
        min_valid: float = 0.5,
    ) -> xr.Dataset:
        """Bring time courses to the volumes of a scanner, or to any other common grid of equal steps."""
    def distance(
        self,
        features: str | Iterable[str] = "aus",
        *,
        between: str = "video",
        metric: Metric = "euclidean",
        standardize: bool = False,
    ) -> xr.Dataset:
        """Compute how far the features of videos, groups or frames are from each other."""
    def similarity(
        self,
        features: str | Iterable[str] = "aus",
        *,
        between: str = "video",
        metric: Likeness = "correlation",
        standardize: bool = False,
    ) -> xr.Dataset:
        """Compute how alike the patterns of features of videos, groups or frames are, whatever their strength."""
    def spectrum(
        self,
        features: str | Iterable[str] = "aus",
        *,
        window: float,
        overlap: float = 0.5,
        detrend: Literal["constant", "linear"] = "constant",
    ) -> xr.Dataset:
        """Compute the power spectrum of features in every video (Welch's method)."""
    def wavelet(
        self,
        frequency: float,
        features: str | Iterable[str] = "aus",
        *,
        n_cycles: float = 3.0,
        part: Part = "power",
        min_valid: float = 0.9,
    ) -> xr.Dataset:
        """Follow one frequency through time, with a complex Morlet wavelet."""
    def multi_wavelet(
        self,
        frequencies: Sequence[float],
        features: str | Iterable[str] = "aus",
        *,
        n_cycles: float = 3.0,
        part: Part = "power",
        min_valid: float = 0.9,
    ) -> xr.Dataset:
        """Follow several frequencies through time, as `wavelet` does one."""
    def boft(
        self,
        features: str | Iterable[str] = "aus",
        *,
        frequencies: Sequence[float] = (0.06, 0.085, 0.119, 0.168, 0.236, 0.333, 0.469, 0.66),
        edges: Sequence[float] = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8),
        n_cycles: float = 3.0,
        min_valid: float = 0.9,
    ) -> xr.Dataset:
        """Describe each video by how many movements of some size and speed are in it (bag of temporal features)."""
    def summarize(
        self,
        stats: str | Iterable[str] = ("mean",),
        *,
        by: str | None = None,
        unit: str = "video",
        features: str | Iterable[str] | None = None,
        min_valid: float = 0.5,
        weights: Weights = None,
        n_eff: bool = False,
        threshold: float | None = None,
    ) -> xr.Dataset:
        """Describe features by video, by condition, or by any other coordinate on ``video``."""
    def regress(
        self,
        X: str | Iterable[str] | pd.DataFrame,
        y: str | Iterable[str] = "aus",
        *,
        contrasts: Codes | None = None,
        intercept: bool = True,
        unit: str = "video",
        cluster: str | None = None,
        random: str | Sequence[str] | None = None,
        cov: Covariance = "nonrobust",
        link: Link = "identity",
        correction: str | None = None,
        residuals: bool = False,
        confidence: float = 0.95,
        permutations: int = 0,
        blocks: str | None = None,
        n_draws: int = 9999,
        wild_weights: Literal["rademacher", "webb"] = "rademacher",
        seed: int = 0,
        client: Client | None = None,
        statistic: str = "mean",
        min_valid: float = 0.5,
        threshold: float | None = None,
    ) -> xr.Dataset:
        """Regress each of many features on the same regressors by least squares."""
    def ttest(
        self,
        by: str | None = None,
        *,
        y: str | Iterable[str] = "aus",
        groups: Sequence[Any] | None = None,
        popmean: float = 0.0,
        paired: str | None = None,
        equal_var: bool = False,
        unit: str = "video",
        correction: str | None = None,
        confidence: float = 0.95,
        permutations: int = 0,
        blocks: str | None = None,
        seed: int = 0,
        client: Client | None = None,
        statistic: str = "mean",
        min_valid: float = 0.5,
        threshold: float | None = None,
    ) -> xr.Dataset:
        """Test means of features against a number, in pairs, or between two groups."""
    def decode(
        self,
        y: str,
        X: Sets = "aus",
        *,
        model: Any,
        cv: Any = 10,
        groups: str | None = None,
        unit: str = "video",
        scoring: Scoring = None,
        permutations: int = 0,
        repeats: int = 1,
        seed: int = 0,
        client: Client | None = None,
        missing: Missing = "exclude",
        statistic: str = "mean",
        min_valid: float = 0.5,
        threshold: float | None = None,
    ) -> Decoding:
        """Predict a condition, or a number, from features of units that the model has not seen."""
    def missingness(self, by: str, *, unit: str = "video", n_permutations: int = 10000, seed: int = 0) -> xr.Dataset:
        """Test whether the share of frames with a face differs between groups."""
    def pose_confound(
        self,
        features: str | Iterable[str] = "aus",
        *,
        pose: str | Iterable[str] = ("Pitch", "Yaw"),
        level: Literal["units", "within"] = "units",
        unit: str = "video",
        min_valid: float = 0.5,
        by: str | None = None,
    ) -> xr.Dataset:
        """Correlate features with head pose, and compare conditions with and without pose regressed out."""
    def action_units(
        self,
        baseline: Literal["canonical", "person"] | xr.Dataset | None = None,
        *,
        person: str = "person",
        sides: bool = False,
        asymmetry: bool = False,
        map: str | PathLike[str] | AUMap | None = None,
    ) -> xr.Dataset:
        """Compute action units from landmarks and blendshapes, whichever tool they are from."""
    def isc(
        self,
        feature: str | Iterable[str],
        *,
        method: Method = "pearson",
        align: Align = "time",
        join: Join = "pairwise",
        min_overlap: int = 3,
        rate: float | None = None,
        max_lag: float | None = None,
        window: float | None = None,
        step: float | None = None,
        null: Null | None = None,
        alternative: Alternative = "two-sided",
        n_draws: int | None = None,
        correction: str | None = None,
        seed: int | None = None,
        client: Client | None = None,
    ) -> xr.Dataset:
        """Correlate the time courses of features between videos (inter-subject correlation)."""
    def isfc(
        self,
        features: str | Iterable[str] = "aus",
        *,
        method: Method = "pearson",
        align: Align = "time",
        join: Join = "leave_one_out",
        min_overlap: int = 3,
        rate: float | None = None,
        symmetric: bool = True,
    ) -> xr.Dataset:
        """Correlate the time course of each feature with that of every other feature in other videos."""
    def isc_mean(self, by: str | None = None) -> xr.Dataset:
        """Average correlations of pairs of videos by Fisher's z, within and between groups of videos."""
    def isc_difference(
        self,
        by: str,
        *,
        blocks: str | None = None,
        n_permutations: int = 10000,
        correction: str | None = None,
        seed: int = 0,
        client: Client | None = None,
    ) -> xr.Dataset:
        """Test whether videos of one group have more in common with each other than with those of other groups."""
    def isc_bootstrap(self, *, n_draws: int = 10000, confidence: float = 0.95, seed: int = 0) -> xr.Dataset:
        """Estimate how far the mean correlation reaches beyond these videos, by resampling videos."""
    def isc_order(self, linkage: Linkage = "complete") -> xr.DataArray:
        """Put videos into an order in which neighbours are alike, for a picture of their correlations."""
    def mantel(
        self,
        other: xr.DataArray | pd.DataFrame,
        *,
        method: Literal["pearson", "spearman"] = "spearman",
        alternative: Literal["two-sided", "greater"] = "two-sided",
        n_permutations: int = 10000,
        seed: int = 0,
        client: Client | None = None,
    ) -> xr.Dataset:
        """Correlate a matrix of pairs of videos with another one (Mantel test)."""
    def reliability(
        self,
        over: str,
        *,
        unit: str = "subject",
        features: str | Iterable[str] = "aus",
        statistic: str = "mean",
        min_valid: float = 0.5,
        threshold: float | None = None,
        confidence: float = 0.95,
    ) -> xr.Dataset:
        """Compute intraclass correlations of features over repeated measurements."""
    def split_half(
        self,
        *,
        split: Split = "halves",
        unit: str = "video",
        features: str | Iterable[str] = "aus",
        statistic: str = "mean",
        min_valid: float = 0.5,
        threshold: float | None = None,
    ) -> xr.Dataset:
        """Correlate what one half of the frames says about units with what the other half says."""
    def agreement(
        self, table: pd.DataFrame, *, threshold: float = 0.5, rater: str | None = None, face: int | None = None
    ) -> xr.Dataset:
        """Compare features above a threshold with what human coders saw, frame by frame."""
    def decode_over_time(
        self,
        y: str,
        X: Sets = "aus",
        *,
        window: float,
        step: float | None = None,
        start: float | None = None,
        stop: float | None = None,
        model: Any,
        generalize: bool = False,
        cv: Any = 10,
        groups: str | None = None,
        unit: str = "video",
        scoring: Scoring = None,
        permutations: int = 0,
        correction: str | None = None,
        cluster_alpha: float = 0.05,
        cluster_threshold: float | None = None,
        repeats: int = 1,
        seed: int = 0,
        client: Client | None = None,
        min_valid: float = 0.5,
    ) -> xr.Dataset:
        """Predict a condition, or a number, from the features in every window of time."""
    def regress_over_time(
        self,
        X: str | Iterable[str] | pd.DataFrame,
        y: str | Iterable[str] = "aus",
        *,
        window: float,
        step: float | None = None,
        start: float | None = None,
        stop: float | None = None,
        contrasts: Codes | None = None,
        unit: str = "video",
        cluster: str | None = None,
        cov: Covariance = "nonrobust",
        correction: str | None = None,
        confidence: float = 0.95,
        permutations: int = 0,
        blocks: str | None = None,
        cluster_alpha: float = 0.05,
        cluster_threshold: float | None = None,
        neighbours: Neighbours | None = None,
        seed: int = 0,
        client: Client | None = None,
        min_valid: float = 0.5,
    ) -> xr.Dataset:
        """Regress features on the same regressors in every window of time."""
    def cluster_test(
        self,
        by: str | None = None,
        *,
        y: str | Iterable[str] = "aus",
        window: float,
        step: float | None = None,
        start: float | None = None,
        stop: float | None = None,
        groups: Sequence[Any] | None = None,
        popmean: float = 0.0,
        paired: str | None = None,
        equal_var: bool = False,
        unit: str = "video",
        blocks: str | None = None,
        confidence: float = 0.95,
        permutations: int = 9999,
        cluster_alpha: float = 0.05,
        cluster_threshold: float | None = None,
        neighbours: Neighbours | None = None,
        seed: int = 0,
        client: Client | None = None,
        min_valid: float = 0.5,
    ) -> xr.Dataset:
        """Test at which times means of features differ from a number, in pairs, or between two groups, by clusters."""
    def event_average(
        self,
        events: pd.DataFrame,
        *,
        before: float,
        after: float,
        step: float,
        y: str | Iterable[str] = "aus",
        by: str | None = None,
        baseline: tuple[float, float] | None = None,
        unit: str = "video",
        confidence: float = 0.95,
        min_valid: float = 0.5,
    ) -> xr.Dataset:
        """Average features around events: over the events of each unit first, and then over units."""
    def event_test(
        self,
        events: pd.DataFrame,
        by: str | None = None,
        *,
        before: float,
        after: float,
        step: float,
        y: str | Iterable[str] = "aus",
        groups: Sequence[Any] | None = None,
        popmean: float = 0.0,
        baseline: tuple[float, float] | None = None,
        equal_var: bool = False,
        unit: str = "video",
        blocks: str | None = None,
        confidence: float = 0.95,
        permutations: int = 9999,
        cluster_alpha: float = 0.05,
        cluster_threshold: float | None = None,
        neighbours: Neighbours | None = None,
        seed: int = 0,
        client: Client | None = None,
        min_valid: float = 0.5,
    ) -> xr.Dataset:
        """Test averages around events against a number, or between two kinds of events or of units, by clusters."""
    def clusters(self) -> pd.DataFrame:
        """Make a table of the clusters of a result."""
