"""The report and saved pictures in a real browser: they load without a network, and zoom and hover work."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import facearray as fa
from facearray.testing import random_dataset

pytest.importorskip("selenium", reason="selenium is not installed")
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

pytestmark = pytest.mark.browser

WIDTHS = (400, 1600)
HOSTILE = "<img src=x onerror=alert(1)>.mp4"


@pytest.fixture(scope="module")
def ds() -> xr.Dataset:
    """Eight videos of two seconds in two conditions; one has a hostile name."""
    names = ("FaceScore", "Pitch", "Yaw", "AU06", "AU12", "happiness", "neutral")
    made = random_dataset(0, n_videos=9, n_frames=50, n_faces=1, features=names).isel(video=slice(8))
    number = np.broadcast_to(np.arange(50, dtype="i4"), (8, 50))
    values = np.random.default_rng(0).random(made.features.shape, dtype="f4")
    values[:, 10:12] = np.nan
    text = np.dtypes.StringDType()
    return made.assign(features=made.features.copy(data=values)).assign_coords(
        video=np.array([*(f"{i}.mp4" for i in range(7)), HOSTILE], dtype=text),
        frame_number=(("video", "frame"), number),
        timestamp=(("video", "frame"), number / 25),
        n_faces_found=(("video", "frame"), np.ones((8, 50), "i2")),
        n_frames=("video", np.full(8, 50, "i4")),
        status=("video", np.array(["done"] * 8, dtype=text)),
        error=("video", np.array([""] * 8, dtype=text)),
        condition=("video", ["good", "bad"] * 4),
    )


@pytest.fixture(scope="module")
def report(ds, tmp_path_factory) -> Path:
    return fa.plot.write_report(ds, tmp_path_factory.mktemp("report") / "report.html", by="condition")


@pytest.fixture(scope="module")
def picture(ds, tmp_path_factory) -> Path:
    drawn = ds.isel(video=[7]).fex.plot.timeseries("AU12,Yaw")
    return fa.plot.save(drawn, tmp_path_factory.mktemp("picture") / "courses.html")


@pytest.mark.parametrize("width", WIDTHS)
def test_report__loads_without_a_network_and_without_complaints(open_page, report, width):
    page = open_page(report, width)
    assert page.show_all() >= 4
    assert page.complaints() == []
    assert page.requests() == []
    # what is too wide is scrolled by itself and does not widen the page
    assert page.run("return document.documentElement.scrollWidth") <= width


def test_report__a_menu_shows_another_video(open_page, report):
    page = open_page(report, 1600)
    page.show_all()
    title = """return Object.values(Bokeh.index).flatMap((view) => view.model.select
        ? [...view.model.references()].filter((m) => m.type === 'Title').map((m) => m.text) : [])"""
    assert any("0.mp4" in text for text in page.run(title))
    page.run("""const menu = document.querySelector('[data-choice=course] select');
        menu.value = '3'; menu.dispatchEvent(new Event('change'));""")
    page.wait(title.replace("return ", "return (").rstrip() + ").some((text) => text.includes('3.mp4'))")
    assert page.complaints() == []


def test_report__a_menu_shows_the_correlations_of_another_feature(open_page, report):
    page = open_page(report, 1600)
    page.show_all()
    names = page.run("return [...document.querySelectorAll('[data-choice=correlation] option')].map((o) => o.text)")
    assert sorted(names) == ["AU06", "AU12", "happiness", "neutral"]
    said = "return document.querySelector('[data-choice=correlation] .said').textContent.split(':')[0]"
    assert page.run(said) == names[0]
    page.run("""const menu = document.querySelector('[data-choice=correlation] select');
        menu.value = '2'; menu.dispatchEvent(new Event('change'));""")
    assert page.run(said) == names[2]
    page.wait(f"""return Object.values(Bokeh.index).flatMap((view) => view.model.select
        ? [...view.model.references()].filter((m) => m.type === 'Title').map((m) => m.text) : [])
        .includes({names[2]!r})""")
    assert page.complaints() == []


@pytest.mark.parametrize("width", WIDTHS)
def test_picture__loads_without_a_network_and_without_complaints(open_page, picture, width):
    page = open_page(picture, width)
    assert page.show_all() == 1
    assert page.complaints() == []
    assert page.requests() == []
    assert page.run("return document.documentElement.scrollWidth") <= width


FIGURES = """const view = Object.values(Bokeh.index)[0];
const figures = [...view.model.references()].filter((m) => m.type === 'Figure');"""


#: Elements inside of Bokeh's shadow roots, too.
DEEP = """const deep = (root) => [...root.querySelectorAll('*')]
    .flatMap((e) => e.shadowRoot ? [e, ...deep(e.shadowRoot)] : [e]);
"""


def panel(page):
    """Find the ground of the first panel."""
    return page.wait(DEEP + "return deep(document).find((e) => e.classList.contains('bk-CartesianFrame'))")


@pytest.mark.parametrize("width", WIDTHS)
def test_picture__zooms_and_the_other_panel_follows(open_page, picture, width):
    page = open_page(picture, width)
    page.show_all()
    spans = FIGURES + "return figures.map((m) => m.x_range.end - m.x_range.start);"
    page.wait(FIGURES + "return figures.length === 2 && figures.every((m) => m.x_range.end > m.x_range.start)")
    before = page.run(spans)
    origin = ScrollOrigin.from_element(panel(page))
    ActionChains(page.driver).scroll_from_origin(origin, 0, -400).perform()
    page.wait(FIGURES + "return figures[0].x_range.end - figures[0].x_range.start < 0.95 * arguments[0]", before[0])
    after = page.run(spans)
    assert after[0] == pytest.approx(after[1])
    assert page.complaints() == []


@pytest.mark.parametrize("width", WIDTHS)
def test_picture__hovering_shows_names_as_texts(open_page, ds, tmp_path, width):
    means = ds.fex.summarize(by="video", features="AU12").isel(video=[7])
    path = fa.plot.save(means.fex.plot.bars(), tmp_path / "bars.html")
    page = open_page(path, width)
    page.show_all()
    # the first movement enters the panel, the second is one within it
    ActionChains(page.driver).move_to_element(panel(page)).move_by_offset(2, 2).perform()
    shown = page.wait(
        DEEP + "const tip = deep(document).find((e) => e.classList.contains('bk-tooltip-content'));"
        "return tip && tip.textContent;"
    )
    assert HOSTILE in shown
    assert "AU12" in shown
    assert f"{means['mean'].item():.3f}" in shown
    assert page.run(DEEP + "return deep(document).filter((e) => e.tagName === 'IMG').length") == 0
    assert page.complaints() == []
