"""Pictures as files: pages that ask for nothing, and prints without a display."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import holoviews as hv
import numpy as np
import pytest
from PIL import Image

from facearray.errors import InputError
from facearray.plot import save, timeseries


@pytest.mark.parametrize("suffix", [".html", ".png", ".svg", ".pdf"])
def test_save__writes_one_file_of_each_kind(ds, tmp_path, suffix):
    path = save(ds.isel(video=[0]).fex.plot.timeseries("AU12"), tmp_path / f"courses{suffix}")
    assert [p.name for p in tmp_path.iterdir()] == [f"courses{suffix}"]
    begin = {".html": b"<!DOCTYPE html>", ".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix]
    assert path.read_bytes().startswith(begin)


def test_save__a_print_has_its_size_and_something_on_it(ds, tmp_path):
    picture = ds.isel(video=[0]).fex.plot.raster("aus")
    with Image.open(save(picture, tmp_path / "a.png", dpi=100)) as image:
        assert 500 < image.width < 900
        assert np.asarray(image.convert("L")).std() > 10


def test_save__texts_of_a_vector_file_stay_texts(ds, tmp_path):
    summary = ds.fex.summarize(by="condition", features="aus")
    svg = save(summary.fex.plot.bars(title="what $\\alpha$ and $5 mean"), tmp_path / "a.svg").read_text()
    for text in ("AU06", "AU12", "good", "what $\\alpha$ and $5 mean"):
        assert text in svg


def test_save__a_page_asks_for_nothing(ds, tmp_path):
    page = save(ds.isel(video=[0]).fex.plot.timeseries("AU12"), tmp_path / "a.html", title="<b>").read_text()
    assert "default-src 'none'" in page
    assert "<title>&lt;b&gt;</title>" in page
    outside = re.sub(r"<script.*?</script>", "", page, flags=re.S)
    assert re.findall(r'(?:src|href)="(?!data:)[^"]*"', outside) == []


def test_save__a_page_has_every_video_of_a_menu(ds, tmp_path):
    page = save(ds.fex.plot.timeseries("AU12"), tmp_path / "a.html").read_text()
    assert re.findall(r"<option[^>]*>([^<]*)", page) == ["a.mp4", "b.mp4", "c.mp4", "d.mp4"]
    items = dict(re.findall(r'<script type="application/json" id="([^"]*)">(.*?)</script>', page, flags=re.S))
    assert list(items) == [f"picture-{i}" for i in range(4)]
    assert all(len(json.loads(item)["plots"]) == 1 for item in items.values())


def test_save__mistakes(ds, tmp_path, monkeypatch):
    picture = ds.fex.plot.timeseries("AU12")
    with pytest.raises(InputError, match=r"found the suffix '\.bmp'; expected one of \.html"):
        save(picture, tmp_path / "a.bmp")
    with pytest.raises(InputError, match="a menu of video; expected one of each to print"):
        save(picture, tmp_path / "a.pdf")
    monkeypatch.setattr("facearray.plot._page.MAX_CHOICES", 3)
    with pytest.raises(InputError, match="found 4 pictures in menus of video; expected at most 3"):
        save(picture, tmp_path / "a.html")
    assert list(tmp_path.iterdir()) == []


def test_save__needs_no_display_and_leaves_the_backend_alone(tmp_path):
    code = f"""
import os
os.environ.pop("DISPLAY", None); os.environ.pop("WAYLAND_DISPLAY", None)
import holoviews as hv
hv.extension("matplotlib")
import facearray as fa
from facearray.testing import random_dataset
picture = random_dataset(0, n_videos=1, n_faces=1).fex.plot.timeseries("AU12")
assert hv.Store.current_backend == "matplotlib"
fa.plot.save(picture, {str(tmp_path / "a.png")!r})
fa.plot.save(picture, {str(tmp_path / "a.html")!r})
assert hv.Store.current_backend == "matplotlib"
from matplotlib import pyplot, rcParams
assert pyplot.get_fignums() == [] and rcParams["text.parse_math"]
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_pictures__are_drawn_by_bokeh_unless_another_backend_was_chosen():
    code = (
        "import holoviews as hv; from facearray.testing import random_dataset;"
        "random_dataset(0, n_videos=1, n_faces=1).fex.plot.timeseries('AU12');"
        "assert hv.Store.current_backend == 'bokeh'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_pictures__zooming_thins_what_is_in_view_anew(recordings):
    ds = recordings({"long": 3000}, features=("AU12",))
    (panel,) = timeseries(ds, max_points=300)
    (stream,) = panel.streams
    assert len(panel[()].Curve.AU12) <= 300
    stream.event(x_range=(1.0, 3.0))
    curve = panel[()].Curve.AU12
    real = ds.features.values[0, 24:77, 0, 0]
    np.testing.assert_allclose(curve.dimension_values("time"), np.arange(24, 77) / 25)
    np.testing.assert_array_equal(curve.dimension_values("aus"), real)
    assert isinstance(panel, hv.DynamicMap)


def test_save__no_folder(tmp_path):
    with pytest.raises(InputError, match=r"found no folder .*; expected one to write into; make it first"):
        save(hv.Curve([1, 2]), tmp_path / "missing" / "curve.png")


def test_save__no_picture(tmp_path):
    with pytest.raises(InputError, match="found an object of type int; expected a picture: what a function of"):
        save(3, tmp_path / "curve.png")
