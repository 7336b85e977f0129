"""How the numbers of a report came about, for the methods section of a paper."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import xarray as xr

from facearray.plot.report.decoding import DECODING, MODEL, PERMUTATIONS
from facearray.plot.report.isc import COMPARISON, CORRELATION, DRAWS, LINKAGE
from facearray.plot.report.section import details, is_computed, listing, paragraph, section
from facearray.plot.report.statistics import CORRECTION, REGRESSION, Study
from facearray.stats.kernels.resampling import MAX_ARRANGEMENTS

__all__ = ["methods"]

PACKAGES = ("facearray", "numpy", "scipy", "scikit-learn", "xarray", "zarr", "dask", "torch", "bokeh", "holoviews")


def methods(study: Study, tested: str, predicted: str, correlated: str) -> str:
    """Write the methods and the versions; of effects, decoding and correlations those that the page has."""
    versions = [f"{name} {found}" for name in PACKAGES if (found := _version(name))]
    sentences = [*_of_all(study)]
    if is_computed(tested, REGRESSION):
        sentences.append(
            f"Differences between levels of {study.by} were tested by ordinary least squares on the videos' means, "
            f"p values adjusted over features after Benjamini and Hochberg ({CORRECTION})."
        )
    if is_computed(predicted, DECODING):
        sentences.append(
            f"Groups were predicted by {MODEL}, in stratified folds of videos that the model had not seen; p values "
            f"are from {PERMUTATIONS} permutations of the groups."
        )
    if is_computed(correlated, CORRELATION):
        sentences += _of_pairs(study, correlated)
    return section(
        "Methods", paragraph(" ".join(sentences)), details("Versions", listing(versions)), _options(study.ds)
    )


def _of_all(study: Study) -> Iterator[str]:
    attrs = study.ds.attrs
    detector = " ".join(str(attrs[key]) for key in ("detector", "detector_version") if attrs.get(key))
    yield f"Faces were found by {detector or 'an unknown detector'}"
    yield f"and analysed with facearray {_version('facearray')}."
    yield (
        "The unit of analysis is the video: all valid frames of a video were averaged first, for a face that has a "
        "value in at least half of the video's frames, and every video counts the same. Padding never enters."
    )
    yield "Means are given with the standard error over videos (standard deviation over the root of their number)."


def _of_pairs(study: Study, correlated: str) -> Iterator[str]:
    yield (
        "Time courses of the same feature were correlated between all pairs of videos (Pearson's r over the seconds "
        "that both share; at least 3) and averaged by Fisher's z, with percentile intervals from "
        f"{DRAWS:,} samples of the videos. The order of the videos in a picture is that of a hierarchical clustering "
        f"({LINKAGE} linkage of 1 - r)."
    )
    if study.by is not None and is_computed(correlated, f"{COMPARISON} of {study.by}"):
        yield (
            f"Pairs within levels of {study.by} were compared with pairs between levels by dealing the levels out to "
            f"the videos anew (all arrangements where they are at most {MAX_ARRANGEMENTS:,}, else {DRAWS:,} random "
            "ones; two-sided; p values adjusted over features after Benjamini and Hochberg)."
        )


def _options(ds: xr.Dataset) -> str:
    names = [key for key in ("options", "facearray_schema", "options_hash") if ds.attrs.get(key)]
    return details("Options of the detector", listing(f"{name}: {ds.attrs[name]}" for name in names)) if names else ""


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
