"""The example of a whole study: every number that it prints, from the files by pandas, statsmodels and scikit-learn."""

from __future__ import annotations

import functools
import itertools
import math
import re
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from statsmodels.stats.multitest import multipletests

import facearray as fa
from facearray.testing import FakeDetector

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
SCRIPT = ROOT / "examples" / "good_bad_news.py"
AUS = list(fa.schema.feature_names("aus"))
POSES = ["Pitch", "Roll", "Yaw"]
EMOTIONS = ["Anger", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral"]
SETS = {
    "Emotions": EMOTIONS,
    "Pose": POSES,
    "AUs": AUS,
    "Emotions + Pose": EMOTIONS + POSES,
    "AUs + Pose": AUS + POSES,
}
BLOCKS = "size conditions rows missing videos means effects counts scores signs similar difference original".split()
NUMBER = re.compile(r"-?\d*\.?\d+(?:e-?\d+)?")

pytestmark = pytest.mark.skipif(
    not (SHARED / "good_bad_news").is_dir() or not SCRIPT.exists(), reason="the detections or the example are not here"
)


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """What the example has in the end; with ``printed`` by block, and ``drawn``, its pictures by name."""
    printed, drawn = [], {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FACEARRAY_ASSETS", str(SHARED))
        patch.setenv("EXAMPLES_FOLDER", str(tmp_path_factory.mktemp("examples")))
        patch.setattr("sys.argv", [str(SCRIPT)])
        animate = fa.plot.animate_face
        # a few frames are drawn like many
        patch.setattr(fa.plot, "animate_face", lambda *faces, **options: animate(*faces, **(options | {"fps": 2})))
        save = fa.plot.save
        patch.setattr(fa.plot, "save", lambda picture, path: save(drawn.setdefault(path.name, picture), path))
        found = runpy.run_path(str(SCRIPT), init_globals={"print": lambda text: printed.append(str(text))})
    return found | {"printed": dict(zip(BLOCKS, printed, strict=True)), "drawn": drawn}


@pytest.fixture(scope="module")
def frames() -> pd.DataFrame:
    """A row a frame, as py-feat wrote it."""
    folder = SHARED / "good_bad_news"
    columns = [*AUS, *POSES, *EMOTIONS]
    clips = {f"{p.stem}.mp4": pd.read_csv(p, usecols=columns) for p in sorted(folder.glob("0*.csv"))}
    frames = pd.concat(clips, names=["video"]).reset_index("video")
    attributes = pd.read_csv(folder / "clip_attrs.csv", dtype={"clipN": str})
    condition = dict(zip(attributes["clipN"] + ".mp4", attributes["class"], strict=True))
    return frames.assign(condition=frames["video"].map(condition).map({"gn": "goodNews", "ists": "badNews"}))


@pytest.fixture(scope="module")
def means(frames) -> pd.DataFrame:
    """A row a video."""
    return frames.groupby(["condition", "video"])[[*AUS, *POSES, *EMOTIONS]].mean()


@pytest.fixture(scope="module")
def fits(means) -> pd.DataFrame:
    """Each action unit on the condition as 1 and -1."""
    sign = np.where(means.index.get_level_values("condition") == "goodNews", 1.0, -1.0)
    rows = [sm.OLS(means[au].to_numpy(), sm.add_constant(sign)).fit() for au in AUS]
    table = pd.DataFrame(
        [(fit.params[1], fit.bse[1], fit.tvalues[1], fit.pvalues[1]) for fit in rows],
        columns=["beta", "se", "t", "p"],
        index=pd.Index(AUS, name="feature"),
    )
    return table.assign(**{name: multipletests(table.p, method=name)[1] for name in ("bonferroni", "holm", "fdr_bh")})


@pytest.fixture(scope="module")
def courses(frames) -> pd.DataFrame:
    """Happiness: a row a step of two frames, a column a video."""
    step = frames.groupby("video").cumcount()
    return frames.assign(step=step).pivot(index="step", columns="video", values="Happy").astype("f4").astype("f8")


def assert_same(text: str, wanted: str) -> None:
    """Compare texts: words and integers are equal, other numbers as close as their last digit."""
    found, expected = (NUMBER.split(t) for t in (text, wanted))
    assert [t.split() for t in found] == [t.split() for t in expected]
    for one, other in zip(NUMBER.findall(text), NUMBER.findall(wanted), strict=True):
        if re.fullmatch(r"-?\d+", one):
            assert one == other
        else:
            mantissa, _, exponent = one.partition("e")
            last = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
            assert float(one) == pytest.approx(float(other), abs=1.01 * last)


def test_size(example, frames):
    n = frames.groupby("video").size()
    assert_same(example["printed"]["size"], f"{len(n)} videos, {n.sum()} frames, {n.mean():.2f} a video on average")


def test_conditions(example, means):
    wanted = means.groupby("condition").size().rename("videos")
    assert_same(example["printed"]["conditions"], "condition\n" + wanted.to_string(header=False))


def test_rows(example, frames):
    one = frames[frames.video == "001.mp4"].head(2).reset_index(drop=True)
    # the files have a row for every second frame, and yaw in radians that is positive to the other side
    one = one.assign(timestamp=np.arange(2) * 2 / 25, happiness=one.Happy, Yaw=-np.rad2deg(one.Yaw))
    long = one.melt("timestamp", ["happiness", "AU12", "Yaw"], "feature").sort_values("timestamp", kind="stable")
    assert_same(example["printed"]["rows"], long.reset_index(drop=True).to_string())


def test_missing(example, frames, means):
    assert frames[AUS].notna().all().all()
    text = example["printed"]["missing"]
    n = math.comb(20, 10)
    assert f"n = 20 videos; p from all {n} permutations, smallest possible p {1 / n:.1e}" in text
    assert "badNews = 1.000 (10 videos), goodNews = 1.000 (10 videos); p = 1.000" in text


def test_videos(example, frames):
    table = frames.groupby(["video", "condition"]).AU12.agg(["mean", "std", "min", "max"]).head()
    assert_same(
        example["printed"]["videos"],
        table.add_suffix("_AU12").reset_index("condition").round(3).to_string(),
    )


def test_means(example, means):
    table = means.groupby("condition")[["AU06", "AU12", "AU25"]].agg(["mean", "sem"])
    table.columns = [f"{statistic}_{au}" for au, statistic in table.columns]
    assert_same(example["printed"]["means"], table.round(3).to_string())


def test_effects(example, fits):
    lines = example["printed"]["effects"].splitlines()
    assert lines[0].split() == list(fits.columns)
    for line, (au, wanted) in zip(lines[2:], fits.iterrows(), strict=True):
        name, *numbers = line.split()
        assert name == au
        # two digits, which differ by one in the last where a value of float32 lies on the other side of a half
        for number, value in zip(numbers, wanted, strict=True):
            assert_same(number, f"{value:.2g}")


def test_counts(example, fits):
    wanted = (fits[["p", "bonferroni", "holm", "fdr_bh"]] < 0.01).sum()
    assert_same(example["printed"]["counts"], wanted.to_string())


def model():
    return make_pipeline(StandardScaler(), LinearDiscriminantAnalysis())


def test_scores(example, means):
    """Scores are scikit-learn's; p counts permutations, and 60 of our own give about the same."""
    by_video = means.reset_index("condition").sort_index()
    folds, null = StratifiedKFold(10), example["decoded"].null.to_pandas()
    if null.columns.name != "feature_set":
        null = null.T
    largest, rows = null.max(axis=1), {}
    for name, features in SETS.items():
        score = cross_val_score(model(), by_video[features].to_numpy(), by_video.condition, cv=folds).mean()
        p = (1 + (null[name] >= score - 1e-9).sum()) / (1 + len(null))
        adjusted = (1 + (largest >= score - 1e-9).sum()) / (1 + len(null))
        rows[name] = {"accuracy": score, "chance": 0.5, "p": p, "p_adjusted": adjusted}
    table = pd.DataFrame(rows).T.rename_axis("feature_set")
    assert_same(example["printed"]["scores"], table.round(3).to_string())
    assert len(null) == 1000
    rng = np.random.default_rng(1)
    dealt = [rng.permutation(by_video.condition) for _ in range(60)]
    own = pd.DataFrame(
        {
            name: [cross_val_score(model(), by_video[features].to_numpy(), y, cv=folds).mean() for y in dealt]
            for name, features in SETS.items()
        }
    )
    for name, row in rows.items():
        for p, reached in (("p", own[name]), ("p_adjusted", own.max(axis=1))):
            n = int((reached >= row["accuracy"] - 1e-9).sum())
            assert stats.binomtest(n, len(dealt), row[p]).pvalue > 0.005, (name, p)


def test_signs(example, means):
    by_condition = means[AUS].groupby("condition").mean()
    difference = np.sign(by_condition.loc["goodNews"] - by_condition.loc["badNews"])
    X = means[AUS].to_numpy()
    fitted = model().fit(X, means.index.get_level_values("condition"))
    weights = fitted[-1].coef_[0] / fitted[0].scale_
    pattern = np.cov(X.T) @ weights / np.var(X @ weights, ddof=1)
    agreeing = [int((np.sign(values) == difference).sum()) for values in (weights, pattern)]
    assert_same(example["printed"]["signs"], "weights {}\npattern {}".format(*agreeing))


@pytest.fixture(scope="module")
def correlations(courses):
    """r (video, video) and n of pairs of happiness."""
    there = courses.notna().to_numpy().astype(int)
    return courses.corr().to_numpy(), there.T @ there


@pytest.fixture(scope="module")
def shifted(courses) -> np.ndarray:
    """Correlations (draw, video, video) of happiness that is shifted within each clip by any number of steps."""
    rng, drawn = np.random.default_rng(2), []
    series = [courses[video].dropna().to_numpy() for video in courses]
    for _ in range(200):
        rolled = [pd.Series(np.roll(x, rng.integers(1, len(x)))) for x in series]
        drawn.append(pd.concat(rolled, axis=1).corr().to_numpy())
    return np.stack(drawn)


UPPER = np.triu_indices(20, 1)


def independence_time(x: np.ndarray) -> int:
    """Steps after which a series is worth a new observation: Geyer's sum of positive pairs of autocorrelations."""
    x = x - x.mean()
    r = np.array([(x[k:] * x[: len(x) - k]).sum() for k in range(len(x))] + [0.0]) / (x**2).sum()
    pairs = r[: len(x) // 2 * 2 : 2] + r[1 : len(x) // 2 * 2 : 2] if len(x) % 2 == 0 else r[0:-1:2] + r[1::2]
    positive = np.cumprod(pairs > 0).astype(bool)
    return max(1, math.ceil(2 * pairs[positive].sum() - 1))


def test_similar__every_p_is_that_of_all_shifts_of_the_pair(example, courses, correlations):
    """No draws here: every shift of one clip with every shift of the other, by no less than the independence time."""
    rolled = []
    for video in courses:
        x = courses[video].dropna().to_numpy()
        least = independence_time(x)
        assert len(x) >= 2 * least
        rolled.append(np.stack([np.roll(x, k) for k in range(least, len(x) - least + 1)]))
    found, r = example["pairs"].p.to_numpy(), correlations[0]
    exact, n_draws = [], 1000
    for i, j in zip(*UPPER, strict=True):
        n = min(rolled[i].shape[1], rolled[j].shape[1])
        a, b = (stats.zscore(rolled[k][:, :n], axis=1) for k in (i, j))
        exact.append((np.abs(a @ b.T / n) >= abs(r[i, j]) - 1e-9).mean())
    counts = found[UPPER] * (n_draws + 1) - 1
    np.testing.assert_allclose(counts, counts.round(), atol=1e-6)
    too_rare, too_often = (
        stats.binom.cdf(counts.round(), n_draws, exact),
        stats.binom.sf(counts.round() - 1, n_draws, exact),
    )
    assert np.minimum(too_rare, too_often).min() > 1e-5
    # and all of them together are neither too small nor too large
    expected, spread = (
        n_draws * np.sum(exact),
        np.sqrt(n_draws) * np.sum(np.sqrt(np.multiply(exact, np.subtract(1, exact)))),
    )
    assert abs(counts.sum() - expected) < 4 * spread


def test_similar(example, correlations, shifted):
    r, n = correlations
    np.testing.assert_allclose(example["pairs"].r, r, atol=1e-9)
    np.testing.assert_array_equal(example["pairs"].n, n)
    mean = np.tanh(np.arctanh(r[UPPER]).mean())
    null = np.tanh(np.arctanh(shifted[:, *UPPER]).mean(axis=1))
    p_mean = (np.abs(null) >= abs(mean)).mean()
    p = (np.abs(shifted) >= np.abs(r)).mean(axis=0)[UPPER]
    found = example["pairs"].p.to_numpy()[UPPER]
    # of 200 and 1000 draws, with and without a smallest shift
    assert np.corrcoef(found, p)[0, 1] > 0.98
    assert np.abs(found - p).mean() < 0.05
    assert (found <= 0.05).sum() == pytest.approx((p <= 0.05).sum(), abs=6)
    text = example["printed"]["similar"]
    assert float(re.search(r"p of the mean = (\.\d+)", text)[1]) == pytest.approx(p_mean, abs=0.02)
    assert f"mean r = {mean:.3f}".replace("0.", ".") in text
    n = n[UPPER]
    assert f"{n.min()} to {n.max()} shared times, {(found <= 0.05).sum()} of {len(n)} pairs at p <= .05" in text
    assert f"{(n < 30).sum()} of {len(n)} pairs share fewer than 30 times" in text


def test_difference(example, correlations, means):
    """All 184,756 ways to deal the conditions out."""
    z = np.arctanh(correlations[0] - np.eye(20))
    chosen = np.array(list(itertools.combinations(range(20), 10)))
    bad = np.zeros((len(chosen), 20))
    np.put_along_axis(bad, chosen, 1.0, axis=1)
    within_bad, within_good = (((x @ z) * x).sum(axis=1) / 2 for x in (bad, 1 - bad))
    between = z[UPPER].sum() - within_bad - within_good
    contrasts = {
        "within - between": (within_bad + within_good) / 90 - between / 100,
        "badNews - goodNews": (within_bad - within_good) / 45,
    }
    condition = means.reset_index("condition").sort_index().condition
    (actual,) = np.flatnonzero((chosen == np.flatnonzero(condition == "badNews")).all(axis=1))
    rows = {
        name: {"difference": values[actual], "p": (np.abs(values) >= abs(values[actual]) - 1e-12).mean()}
        for name, values in contrasts.items()
    }
    assert_same(example["printed"]["difference"], pd.DataFrame(rows).T.rename_axis("contrast").round(3).to_string())


def test_original(example, frames, means, fits, correlations, courses):
    """Both numbers of every row, the original's by the formulas that it used."""
    pooled = frames.groupby("condition")
    p = [stats.pearsonr(*courses.iloc[:, [i, j]].dropna().T.to_numpy()).pvalue for i, j in zip(*UPPER, strict=True)]
    n = correlations[1][UPPER]
    signs = dict(re.findall(r"(\w+)\s+(\d+)", example["printed"]["signs"]))
    # what test_similar compares with shifts of its own
    shifts = example["pairs"].p.to_numpy()[UPPER]
    rows = {
        "SEM of AU06, good news": [
            f"{pooled.AU06.sem()['goodNews']:.3f}",
            f"{means.AU06['goodNews'].sem():.3f}",
        ],
        "mean of AU12, bad news": [f"{pooled.AU12.mean()['badNews']:.3f}", f"{means.AU12['badNews'].mean():.3f}"],
        "AUs with corrected p < .01": [(fits.p / 20 < 0.01).sum(), (fits.p * 20 < 0.01).sum()],
        "signs of 20 in the face": [signs["weights"], signs["pattern"]],
        "pairs of 190 with p < .05": [(np.array(p) < 0.05).sum(), (shifts < 0.05).sum()],
        "... corrected for 190 pairs": ["none", 0],
        "frames behind a correlation": ["not said", f"{n.min()} to {n.max()}"],
    }
    wanted = pd.DataFrame(rows, index=["original", "here"]).T
    assert_same(example["printed"]["original"], wanted.to_string())


def test_original__no_pair_is_beyond_the_largest_of_all_pairs(correlations, shifted):
    r, _ = correlations
    assert (np.abs(shifted[:, *UPPER]).max(axis=1) >= np.abs(r[UPPER]).max()).mean() > 0.05


def bars(example, name, kind="Rectangles") -> list[pd.DataFrame]:
    """What the elements of a kind in a picture draw."""
    return [element.dframe() for element in example["drawn"][name] if type(element).__name__ == kind]


def test_drawn__means_of_a_video(example, frames):
    (drawn,) = bars(example, "video_001.png")
    assert drawn.feature.tolist() == AUS
    np.testing.assert_allclose(drawn["mean"], frames[frames.video == "001.mp4"][AUS].mean(), rtol=1e-6)
    np.testing.assert_allclose(drawn.mean_height, drawn["mean"])


def test_drawn__conditions_with_the_standard_error_of_videos(example, means):
    for condition, drawn, error in zip(
        ("badNews", "goodNews"), bars(example, "au_diffs.pdf"), bars(example, "au_diffs.pdf", "ErrorBars"), strict=True
    ):
        of_videos = means.loc[condition, ["AU06", "AU12", "AU25"]]
        assert drawn.feature.tolist() == of_videos.columns.tolist()
        assert set(drawn.condition) == {condition}
        np.testing.assert_allclose(drawn.mean_height, of_videos.mean(), rtol=1e-6)
        np.testing.assert_allclose(error["mean"], of_videos.mean(), rtol=1e-6)
        for side in ("below", "above"):
            np.testing.assert_allclose(error[side], of_videos.sem(), rtol=1e-5)


def test_drawn__effects_and_which_are_significant(example, fits):
    below, above = bars(example, "regression.pdf")
    (error,) = bars(example, "regression.pdf", "ErrorBars")
    assert set(below.feature) == set(fits.index[fits.bonferroni < 0.01])
    drawn = pd.concat([below, above]).set_index("feature").loc[AUS]
    np.testing.assert_allclose(drawn.b_height, fits.beta, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(drawn["p adjusted"], fits.bonferroni, rtol=1e-4)
    np.testing.assert_allclose(error.b, fits.beta, rtol=1e-5, atol=1e-8)
    for side in ("below", "above"):
        np.testing.assert_allclose(error[side], fits.se, rtol=1e-5)


def test_drawn__scores_of_the_folds(example, means):
    by_video = means.reset_index("condition").sort_index()
    (drawn,), (folds,) = bars(example, "decoding.pdf"), bars(example, "decoding.pdf", "Scatter")
    assert drawn["feature set"].tolist() == list(SETS)
    for name, features in SETS.items():
        X = by_video[features].to_numpy()
        scores = cross_val_score(model(), X, by_video.condition, cv=StratifiedKFold(10))
        np.testing.assert_allclose(folds.score[folds["feature set"] == name], scores)
        row = drawn[drawn["feature set"] == name]
        assert (row.score_height.item(), row.chance.item()) == (pytest.approx(scores.mean()), 0.5)
        # test_scores compares it with permutations of its own
        assert row.p.item() == example["decoded"].p_value.sel(feature_set=name).item()


def weights_and_pattern(means) -> pd.DataFrame:
    X = means[AUS].to_numpy()
    fitted = model().fit(X, means.index.get_level_values("condition"))
    weights = fitted[-1].coef_[0] / fitted[0].scale_
    by_condition = means[AUS].groupby("condition").mean()
    return pd.DataFrame(
        {
            "weights": weights,
            "pattern": np.cov(X.T) @ weights / np.var(X @ weights, ddof=1),
            "difference of means": by_condition.loc["goodNews"] - by_condition.loc["badNews"],
        }
    )


def test_drawn__weights_pattern_and_difference(example, means):
    wanted = weights_and_pattern(means)
    for (kind, values), drawn in zip(wanted.items(), bars(example, "weights_and_pattern.png"), strict=True):
        assert (drawn.feature.tolist(), set(drawn.kind)) == (AUS, {kind})
        np.testing.assert_allclose(drawn.share_of_the_largest, values / values.abs().max(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("kind", "name"), [("pattern", "face_pattern.png"), ("weights", "face_weights.png")])
def test_drawn__faces_have_these_values(example, means, kind, name):
    wanted = weights_and_pattern(means)[kind]
    (muscles,) = (element for element in example["drawn"][name] if type(element).__name__ == "Polygons")
    drawn = {(row["unit"], float(row["value"])) for row in muscles.data}
    assert {unit for unit, _ in drawn} <= set(AUS)
    assert len(drawn) >= 12
    for unit, value in drawn:
        assert value == pytest.approx(wanted[unit], rel=1e-3)
    title = " ".join(example["drawn"][name].opts.get().kwargs["title"].split())
    below = re.search(r"below 0, coloured only: ([^;]+)", title)[1].split(", ")
    assert below == wanted.index[wanted < 0].tolist()
    # only what is above 0 moves
    factor = re.search(r"movement times ([\d.,]*\d)", title)[1].replace(",", "")
    assert float(factor) == pytest.approx(1 / wanted.max(), rel=5e-3)


def test_drawn__matrices_in_their_order(example, correlations, courses, means):
    r, n = (pd.DataFrame(a, courses.columns, courses.columns) for a in correlations)
    condition = means.reset_index("condition").sort_index().condition
    leaves = leaves_list(linkage(squareform(1 - r.to_numpy(), checks=False), "complete"))
    orders = {
        "isc.pdf": courses.columns[leaves].tolist(),
        "isc_by_condition.png": condition.sort_values(kind="stable").index.tolist(),
    }
    for name, order in orders.items():
        drawn = bars(example, name)[0].sort_values(["column", "row"])
        for variable, wanted in (("r", r), ("n", n)):
            values = drawn[variable].to_numpy().reshape(20, 20)
            np.testing.assert_allclose(values, wanted.loc[order, order], atol=1e-9)
        assert drawn.groupby("row").video.first().tolist() == order
        assert drawn.groupby("column").video_other.first().tolist() == order


def test_pictures(example):
    names = sorted(path.name for path in example["FOLDER"].iterdir())
    assert names == sorted(re.findall(r'"(\w+\.(?:gif|pdf|png))"', SCRIPT.read_text(encoding="utf-8")))


def test_videos__are_detected_once_joined_and_counted(make_video, tmp_path, monkeypatch, capsys):
    """With ``--videos`` the example begins with the clips, here two of 20 frames and a detector that needs no files."""
    seen = []

    class Detector(FakeDetector):
        def __call__(self, frames):
            seen.append(len(frames))
            return super().__call__(frames)

    paths = [make_video("001.mp4", 20), make_video("011.mp4", 20)]
    monkeypatch.setattr(fa.datasets, "good_bad_news", {"videos": (paths, None)}.get)
    monkeypatch.setattr(fa, "detect", functools.partial(fa.detect, detector=Detector()))
    monkeypatch.setattr("sys.argv", [str(SCRIPT), "--videos"])
    monkeypatch.setenv("FACEARRAY_ASSETS", str(SHARED))
    monkeypatch.setenv("EXAMPLES_FOLDER", str(tmp_path))
    beginning, _, _ = SCRIPT.read_text(encoding="utf-8").partition("# %%\n# A row a frame")
    for _ in range(2):
        exec(compile(beginning, str(SCRIPT), "exec"), {})
        text = capsys.readouterr().out
        assert "2 videos, 20 frames, 10.00 a video on average" in text
        assert re.search(r"badNews +1\ngoodNews +1", text)
        assert sum(seen) == 20
