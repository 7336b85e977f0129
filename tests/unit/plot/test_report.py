"""The report: a table and time courses in one file that asks for nothing else."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser
from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from facearray import schema, stats
from facearray.errors import InputError, SchemaError
from facearray.plot.report import courses, video_table, videos, write_report
from facearray.plot.report import isc as isc_part
from facearray.plot.report.isc import correlations
from facearray.plot.report.statistics import Study

NAMES = ("FaceScore", "AU01", "AU12", "happiness", "Pitch", "Z")
LENGTHS = {"a.mp4": 4, "picture.jpg": 1, "broken.mp4": 0, "c.mp4": 3}

#: What the condition with more AU12 is called.
HOSTILE = "good <script>alert(1)</script>"


def detections(n_frames: dict[str, int], n_face: int = 1) -> xr.Dataset:
    """Videos with a face in every frame but the second; those of no frames have failed."""
    capacity = max([4, *n_frames.values()])
    numbers = np.array([[i if i < n else -1 for i in range(capacity)] for n in n_frames.values()], "i4")
    values = np.random.default_rng(0).random((*numbers.shape, n_face, len(NAMES)), dtype="f4")
    values[numbers < 0] = np.nan
    values[:, 1] = np.nan
    found = np.where(numbers < 0, -1, n_face).astype("i2")
    found[:, 1] = np.minimum(found[:, 1], 0)
    text = np.dtypes.StringDType()
    frames = np.array(list(n_frames.values()))
    return xr.Dataset(
        {"features": (("video", "frame", "face", "feature"), values)},
        coords={
            "video": ("video", np.array(list(n_frames), text)),
            "feature": ("feature", np.array(NAMES, text)),
            "group": ("feature", np.array([schema.FEATURES[name].group for name in NAMES], text)),
            "unit": ("feature", np.array([schema.FEATURES[name].unit for name in NAMES], text)),
            "status": ("video", np.array(["done" if n else "failed" for n in frames], text)),
            "error": ("video", np.array(["" if n else "found <b>text</b>; expected a video" for n in frames], text)),
            "source": ("video", np.array([f"/home/someone/{label}" for label in n_frames], text)),
            "fps": ("video", np.where(frames > 1, 25.0, np.nan)),
            "duration": ("video", frames / 25),
            "frame_number": (("video", "frame"), numbers),
            "timestamp": (("video", "frame"), np.where(numbers < 0, np.nan, numbers / 25)),
            "n_faces_found": (("video", "frame"), found),
        },
        attrs={"detector": "mediapipe", "detector_version": "1"},
    )


class Page(HTMLParser):
    """The text, the scripts and the addresses of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.menus: dict[str, list[str]] = {"course": [], "correlation": []}
        self.scripts: dict[str, list[dict]] = {"course": [], "correlation": []}
        self._menu = ""
        self.cells: list[str] = []
        self.selected: list[int] = []
        self._in: list[str] = []
        self.headings: list[str] = []
        self.text = ""
        self.policy = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        fields = dict(attrs)
        addresses = [value or "" for name, value in attrs if name in ("src", "href", "action", "srcset")]
        self.addresses += [address for address in addresses if address != "data:,"]  # an icon of nothing
        if fields.get("http-equiv") == "Content-Security-Policy":
            self.policy = fields["content"] or ""
        self.tags.append(tag)
        self._menu = fields.get("data-choice") or self._menu
        if "selected" in fields and self._menu == "course":
            self.selected.append(int(fields["value"] or -1))
        name = (fields.get("id") or "").split("-")[0]
        self._in.append(name if fields.get("type") == "application/json" and name in self.scripts else tag)

    def handle_endtag(self, tag: str) -> None:
        self._in.append("")

    def handle_data(self, data: str) -> None:
        where = self._in[-1] if self._in else ""
        if where in self.scripts:
            self.scripts[where].append(json.loads(data))
        elif where == "option":
            self.menus[self._menu].append(data)
        elif where == "td":
            self.cells.append(data)
        elif where == "h2":
            self.headings.append(data)
        if where not in (*self.scripts, "script", "style"):
            self.text += data

    @property
    def options(self) -> list[str]:
        return self.menus["course"]

    @property
    def items(self) -> list[dict]:
        return self.scripts["course"]


@pytest.fixture(autouse=True)
def _one_matrix(monkeypatch) -> None:
    """Draw the correlations of one feature only, which takes a third of a second each."""
    monkeypatch.setattr(isc_part, "MAX_PICTURES", 1)


@pytest.fixture
def ds() -> xr.Dataset:
    return detections(LENGTHS)


@pytest.fixture(scope="module")
def html(tmp_path_factory) -> str:
    """Text of the page of these detections."""
    path = write_report(detections(LENGTHS), tmp_path_factory.mktemp("page") / "report.html")
    return path.read_text(encoding="utf-8")


def test_video_table__counts_real_frames_only(ds):
    expected = pd.DataFrame(
        {
            "status": ["done", "done", "failed", "done"],
            "frames": [4, 1, 0, 3],
            "faces found": [3, 1, 0, 2],
            "detection rate": [0.75, 1.0, np.nan, 2 / 3],
            "fps": [25.0, np.nan, np.nan, 25.0],
            "duration": [0.16, 0.04, 0.0, 0.12],
            "error": ["", "", "found <b>text</b>; expected a video", ""],
        },
        index=pd.Index(["a.mp4", "picture.jpg", "broken.mp4", "c.mp4"], name="video"),
    )
    pd.testing.assert_frame_equal(video_table(ds), expected, check_dtype=False)


def test_write_report__shows_every_video(html):
    page = Page(html)
    assert page.options == ["a.mp4", "picture.jpg", "c.mp4"]
    assert [item["text"] for item in page.items] == [
        "A face in 3 of 4 frames.",
        "A face in 1 of 1 frame.",
        "A face in 2 of 3 frames.",
    ]
    assert [len(item["plots"]) for item in page.items] == [1, 1, 1]
    assert page.cells[0] == "broken.mp4"
    assert "found <b>text</b>; expected a video" in page.cells
    assert "b" not in page.tags


def test_write_report__opens_with_the_longest_video(ds, tmp_path):
    page = Page(write_report(ds.isel(video=[1, 3, 0]), tmp_path / "report.html").read_text(encoding="utf-8"))
    assert [page.options[i] for i in page.selected] == ["a.mp4"]


def test_write_report__asks_for_nothing_and_shows_no_pictures(html, ds, tmp_path):
    # The second page is written when everything that Bokeh and Panel register is loaded.
    second = write_report(ds.isel(video=[0, 2]), tmp_path / "second.html").read_text(encoding="utf-8")
    for text in (html, second):
        page = Page(text)
        assert page.addresses == []
        assert "default-src 'none'" in page.policy
        assert "img" not in page.tags
        assert "/home/someone" not in text


def test_write_report__leaves_one_file(ds, tmp_path):
    write_report(ds.isel(video=[2]), tmp_path / "report.html")
    write_report(ds.isel(video=[0]), tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert Page((tmp_path / "report.html").read_text(encoding="utf-8")).options == ["a.mp4"]


def test_write_report__video_without_faces(ds, tmp_path):
    empty = ds.isel(video=[0]).assign(features=ds.features.isel(video=[0]) * np.nan)
    page = Page(write_report(empty, tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.items == [{"text": "A face in 0 of 4 frames.", "plots": []}]


def test_write_report__frames_without_times(ds, tmp_path):
    timeless = ds.assign_coords(timestamp=ds.timestamp * np.nan)
    path = write_report(timeless, tmp_path / "report.html")
    assert "Its frames have no times" in path.read_text()


def test_write_report__no_folder(ds, tmp_path):
    with pytest.raises(InputError, match=r"found no folder .*; expected one to write into; make it first"):
        write_report(ds, tmp_path / "missing" / "report.html")


def test_write_report__only_failed_videos(ds, tmp_path):
    html = write_report(ds.isel(video=[2]), tmp_path / "report.html").read_text(encoding="utf-8")
    assert Page(html).options == []
    assert "there is nothing to draw" in html
    assert "Quality" not in html


def test_write_report__one_picture_for_each_face(tmp_path):
    page = Page(write_report(detections({"a.mp4": 4}, n_face=2), tmp_path / "r.html").read_text(encoding="utf-8"))
    assert [plot["heading"] for plot in page.items[0]["plots"]] == ["Face slot 0", "Face slot 1"]


def test_write_report__text_of_labels_cannot_become_markup(tmp_path):
    label = "</script><script>alert(1)</script>.mp4"
    html = write_report(detections({label: 4}), tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in html
    assert Page(html).options == [label]


def test_write_report__is_bounded_and_says_what_it_leaves_out(ds, tmp_path, monkeypatch):
    monkeypatch.setattr(courses, "MAX_COURSES", 1)
    monkeypatch.setattr(videos, "MAX_ROWS", 2)
    html = write_report(ds, tmp_path / "r.html").read_text(encoding="utf-8")
    page = Page(html)
    assert page.options == ["a.mp4"]
    assert "those of the first 1 of 3 videos with frames" in html
    assert "The table shows 2 of 4 videos, failed ones first" in html
    assert len(re.findall(r"<tr>", html.split("</table>")[0])) == 3


def test_write_report__lazy_store_gives_the_same_page(html, ds, tmp_path):
    ds.to_zarr(tmp_path / "s.zarr", consolidated=False)
    lazy = xr.open_zarr(tmp_path / "s.zarr", chunks=None, consolidated=False)
    one, two = Page(html), Page(write_report(lazy, tmp_path / "lazy.html").read_text(encoding="utf-8"))
    assert one.cells == two.cells
    assert [item["text"] for item in one.items] == [item["text"] for item in two.items]


def test_write_report__not_detections(ds, tmp_path):
    with pytest.raises(SchemaError, match="found no 'n_faces_found'"):
        write_report(ds.drop_vars("n_faces_found"), tmp_path / "r.html")
    with pytest.raises(SchemaError, match="found no 'features'"):
        write_report(ds.drop_vars("features"), tmp_path / "r.html")
    assert list(tmp_path.iterdir()) == []


def test_video_table__not_detections(ds):
    with pytest.raises(SchemaError, match="found no 'fps'"):
        video_table(ds.drop_vars("fps"))


@pytest.fixture(scope="module")
def study(recordings) -> xr.Dataset:
    """Twelve videos in two conditions; in good ones AU12 is higher, and one video has too few faces."""
    labels = [f"{i:02}.mp4" for i in range(12)]
    ds = recordings(dict.fromkeys(labels, 20), features=("FaceScore", "Yaw", "AU06", "AU12", "happiness"))
    good = np.arange(12) % 2 == 0
    values = ds.features.values.copy()
    values[good, ..., 3] += 1
    values[5, 3:] = np.nan
    return ds.assign(features=ds.features.copy(data=values)).assign_coords(
        condition=("video", np.where(good, HOSTILE, "bad"))
    )


def test_write_report__by_condition_has_the_statistics_of_the_package(study, tmp_path):
    html = write_report(study, tmp_path / "r.html", by="condition").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in html
    page = Page(html)
    assert page.headings == [
        "Videos",
        "Quality and exclusions",
        "Summary by condition",
        "Regression on condition",
        "Decoding of condition",
        "Correlation of time courses by condition",
        "Time courses",
        "Methods",
    ]
    result = study.fex.regress("condition", correction="fdr_bh")
    for line in stats.describe(result).splitlines():
        assert line in page.text
    summary = study.fex.summarize(("mean", "sem"), by="condition")
    for name in ("mean", "sem"):
        assert f"{summary[name].sel(condition=HOSTILE, feature='AU12').item():.3f}" in page.cells
    assert "1 of 12 videos are excluded" in page.text
    assert "05.mp4: at most 2 of 20 frames have a value" in page.text
    assert f"p = {study.fex.missingness('condition').p.item():.3g}" in page.text
    assert f"facearray {version('facearray')}" in page.text
    assert "after Benjamini and Hochberg" in page.text
    decoding = study.fex.decode(
        "condition",
        X={"AUs": "aus", "Expressions": "emotions", "Pose": "poses"},
        model=make_pipeline(StandardScaler(), LinearDiscriminantAnalysis()),
        cv=5,
        permutations=500,
    )
    for line in stats.describe(decoding).splitlines():
        assert line in page.text
    assert "dealing the levels out to the videos anew" in page.text


def test_write_report__without_a_coordinate_there_are_no_effects(study, tmp_path):
    page = Page(write_report(study, tmp_path / "r.html").read_text(encoding="utf-8"))
    assert page.headings == [
        "Videos",
        "Quality and exclusions",
        "Summary",
        "Correlation of time courses",
        "Time courses",
        "Methods",
    ]
    assert "complete linkage of 1 - r" in page.text
    assert "dealing the levels out" not in page.text


def test_write_report__says_what_these_data_do_not_allow(study, tmp_path):
    page = Page(write_report(study.isel(video=[0, 1]), tmp_path / "r.html", by="condition").read_text(encoding="utf-8"))
    assert "Regression on condition" in page.headings
    assert "as many coefficients as observations, so no standard errors" in page.text
    empty = study.assign(features=study.features * np.nan)
    page = Page(write_report(empty, tmp_path / "r.html", by="condition").read_text(encoding="utf-8"))
    assert "A regression cannot be computed of these data: found no video with enough valid frames" in page.text


def test_write_report__methods_are_those_of_what_was_computed(recordings, tmp_path):
    one, two = recordings({"a.mp4": 20}), recordings({"b.mp4": 20}, fps=12.5)
    ds = xr.concat([one, two], "video", data_vars="minimal").assign_coords(condition=("video", ["x", "x"]))
    text = Page(write_report(ds, tmp_path / "r.html", by="condition").read_text(encoding="utf-8")).text
    assert "A correlation of time courses cannot be computed" in text
    assert "Means are given with the standard error" in text
    for said in ("were tested by", "were predicted by", "were correlated between", "were compared with pairs"):
        assert said not in text


def test_write_report__unknown_coordinate(study, tmp_path):
    with pytest.raises(InputError, match="did you mean 'condition'"):
        write_report(study, tmp_path / "r.html", by="conditions")
    assert list(tmp_path.iterdir()) == []


def test_write_report__pictures_of_faces_only_when_they_are_asked_for(recordings, tmp_path):
    Image.new("RGB", (64, 48), (200, 30, 30)).save(tmp_path / "face.png")
    ds = recordings({"face.png": 1, "gone.png": 1}, n_faces=2, features=("FaceRectX", "AU12"))
    ds = ds.assign_coords(
        source=("video", [str(tmp_path / "face.png"), "gone.png"]),
        n_faces_found=ds.n_faces_found.copy(data=[[1], [1]]),
    )
    without = write_report(ds, tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<img" not in without
    page = Page(write_report(ds, tmp_path / "r.html", images=True).read_text(encoding="utf-8"))
    (address,) = page.addresses
    shown = Image.open(io.BytesIO(base64.b64decode(address.removeprefix("data:image/jpeg;base64,"))))
    assert shown.size == (64, 48)
    np.testing.assert_allclose(np.asarray(shown).mean(axis=(0, 1)), (200, 30, 30), atol=4)
    assert "The files of 1 videos are not here" in page.text
    assert str(tmp_path) not in page.text


def rows_of(html: str) -> dict[str, dict[str, str]]:
    """The only table, by its first column."""
    (table,) = re.findall(r"<table>.*?</table>", html, re.DOTALL)
    head, *rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>.*?</tr>", table)]
    return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


def decimal(value: float) -> str:
    return f"{value:.3f}".replace("0.", ".", 1)


def test_correlations__of_all_pairs_and_within_against_between_conditions(study, monkeypatch):
    monkeypatch.setattr(isc_part, "MAX_PICTURES", 10)
    html = correlations(Study.of(study, "condition"))
    page = Page(html)
    x = study.features.sel(feature="AU12").isel(face=0).to_pandas().T
    r, n = x.corr(min_periods=3).to_numpy(), x.notna().astype(int)
    n = (n.T @ n).to_numpy()
    i, j = np.triu_indices(12, 1)
    there = ~np.isnan(r[i, j])
    z, good = np.arctanh(r[i, j]), np.arange(12) % 2 == 0
    within = good[i] == good[j]
    difference = np.nanmean(z[within]) - np.nanmean(z[~within])
    row = rows_of(html)["AU12"]
    assert row["mean r"] == decimal(np.tanh(np.nanmean(z)))
    assert row["within - between (z)"] == decimal(difference)
    assert row["pairs"] == str(there.sum())
    assert row["shared times"] == f"{n[i, j][there].min()} to {n[i, j][there].max()}"
    assert row["fewer than 30"] == str(there.sum())
    pairs = study.fex.isc(["AU06", "AU12", "happiness"])
    tested = pairs.fex.isc_difference("condition", correction="fdr_bh").isel(contrast=0)
    assert [row[name] for name in ("p", "adjusted p")] == [
        decimal(tested[name].sel(feature="AU12").item()) for name in ("p", "p_adjusted")
    ]
    for line in [*stats.describe(tested).splitlines(), *stats.describe(pairs.fex.isc_mean("condition")).splitlines()]:
        assert line in page.text
    assert sorted(page.menus["correlation"]) == ["AU06", "AU12", "happiness"]
    item = page.scripts["correlation"][page.menus["correlation"].index("AU12")]
    assert item["text"].startswith(f"AU12: mean r = {row['mean r']} ")
    assert item["text"].endswith(f"{there.sum()} of the pairs fewer than 30.")
    assert "good" in json.dumps(item["plots"])


def test_correlations__of_many_videos_some_are_compared_and_it_says_so(study, monkeypatch):
    monkeypatch.setattr(isc_part, "MAX_VIDEOS", 6)
    html = correlations(Study.of(study, "condition"))
    page = Page(html)
    assert "6 of 12 videos with frames are compared, chosen evenly from the groups" in page.text
    assert "bad (n = 3) and good <script>alert(1)</script> (n = 3)" in page.text
    assert "Pictures are those of the 1 of 3 features with the largest means." in page.text
    assert len(page.scripts["correlation"]) == len(page.menus["correlation"]) == 1
    table = rows_of(html)
    assert set(table) == {"AU06", "AU12", "happiness"}
    assert max(table, key=lambda name: float(table[name]["mean r"])) == page.menus["correlation"][0]
    monkeypatch.setattr(isc_part, "MAX_VALUES", 20 * 5)
    monkeypatch.setattr(isc_part, "MAX_VIDEOS", 200)
    assert "5 of 12 videos with frames are compared" in correlations(Study.of(study, None))


def test_correlations__two_faces_and_what_does_not_vary(recordings):
    ds = recordings({"a.mp4": 20, "b.mp4": 20}, n_faces=2, features=("AU06", "AU12"))
    page = Page(correlations(Study.of(ds, None)))
    assert "Of each video it is the face in the first slot." in page.text
    r = stats.isc_mean(ds.isel(face=0).fex.isc("aus")).r
    best = r.isel(feature=int(r.to_numpy().argmax()))
    (item,) = page.scripts["correlation"]
    assert item["text"].startswith(f"{best.feature.item()}: mean r = {decimal(best.item())} ")
    constant = correlations(Study.of(ds.assign(features=ds.features * 0 + 0.5), None))
    assert "No two videos share three times over which a feature varies in both." in constant
    assert correlations(Study.of(ds.isel(video=[0]), None)) == ""


def test_correlations__what_these_data_do_not_allow_is_named(recordings):
    one, two = recordings({"a.mp4": 20}), recordings({"b.mp4": 20}, fps=12.5)
    html = correlations(Study.of(xr.concat([one, two], "video", data_vars="minimal"), None))
    assert "A correlation of time courses cannot be computed of these data: found videos with different frame" in html
    ds = recordings({"a.mp4": 20, "b.mp4": 20, "c.mp4": 20}).assign_coords(condition=("video", list("xxy")))
    html = correlations(Study.of(ds, "condition"))
    assert "A comparison of pairs within and between groups of condition cannot be computed of these data" in html
    assert "adjusted p" not in rows_of(html)["AU12"]
