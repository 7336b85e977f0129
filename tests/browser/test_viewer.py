"""The viewer in a real browser: clicks, keys, two widths, and texts of a store that mean harm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from viewer_study import HEIGHT, HOSTILE, N_FRAMES, RATE, VIDEOS, WIDTH, level, make_study

import facearray as fa
from facearray.plot._style import short
from facearray.plot.viewer.drawing import matrix_order

pytest.importorskip("selenium", reason="selenium is not installed")
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.browser

WIDTHS = (400, 1600)

#: Elements inside of shadow roots, too; and what is found by them.
DEEP = """const deep = (root) => [...root.querySelectorAll('*')]
    .flatMap((e) => e.shadowRoot ? [e, ...deep(e.shadowRoot)] : [e]);
const all = (selector) => deep(document).filter((e) => e.matches(selector));
const one = (selector) => all(selector)[0];
const named = (selector, text) => all(selector).find((e) => e.textContent.trim() === text && e.offsetParent);
let focused = document.activeElement; while (focused && focused.shadowRoot) focused = focused.shadowRoot.activeElement;
"""


class Window:
    """A window of the viewer."""

    def __init__(self, page):
        self.page = page

    def run(self, script, *arguments):
        return self.page.run(DEEP + script, *arguments)

    def wait(self, script, *arguments):
        return self.page.wait(DEEP + script, *arguments)

    def keys(self, *keys):
        ActionChains(self.page.driver).send_keys(*keys).perform()

    def open_video(self, row):
        self.wait(f"return one('button.video[data-row=\"{row}\"]')").click()
        self.frame(0)
        assert self.run("return one('canvas').dataset.row") == str(row)

    def frame(self, position):
        """Wait until a frame is shown."""
        self.wait(f"const c = one('canvas'); return c && c.dataset.position === '{position}'")

    def courses(self):
        """Wait for the ground of the first panel of time courses, and bring it into view."""
        ground = self.wait("return all('.bk-CartesianFrame').find((e) => e.offsetWidth && e.checkVisibility())")
        self.run("arguments[0].scrollIntoView({block: 'center'})", ground)
        return ground

    def view(self, name):
        self.wait(f"return named('.bk-btn', '{name}')").click()

    def pixel(self, x, y):
        """Colour of the canvas at a point of the source's frame."""
        return self.run(
            f"""const c = one('canvas');
            return [...c.getContext('2d').getImageData(c.width * {x / WIDTH}, c.height * {y / HEIGHT}, 1, 1).data]"""
        )


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    return make_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def viewer(study):
    with fa.plot.view(study, browser=False) as running:
        yield running


@pytest.fixture
def window(open_page, viewer):
    def opened(width=1600):
        window = Window(open_page(viewer.url, width))
        window.wait("return one('button.video')")
        return window

    return opened


def assert_quiet(window, *, missing=0):
    """No error in the console but those of pictures that are not there, and no request to anybody else."""
    complaints = window.page.complaints()
    assert [text for text in complaints if "404" not in text] == []
    assert bool([text for text in complaints if "404" in text]) == bool(missing)
    assert [
        address for address in window.page.requests() if "//127.0.0.1:" not in address and "blob:" not in address
    ] == []


@pytest.mark.parametrize("width", WIDTHS)
def test_viewer__shows_a_video_without_complaints(window, width):
    page = window(width)
    assert page.run("return document.URL").endswith("/")
    page.open_video(1)
    page.courses()
    page.wait("return one('table caption').textContent.startsWith('Frame 1,')")
    assert page.run("return document.documentElement.scrollWidth") <= width
    page.run("window.scrollTo(0, 0)")
    page.page.screenshot(f"viewer-video-{width}")
    # thumbnails of two videos are not there
    assert_quiet(page, missing=2)


def test_list__says_what_the_store_says(window, study):
    page = window()
    labels = page.run("return all('.video .label').map((e) => e.textContent)")
    assert labels == list(VIDEOS)
    page.wait("return one('[data-quality=\"0\"]').textContent.includes('98 %')")
    assert page.run("return one('.video .facts').textContent") == "done · 40 frames · 0:02 · a face in 98 %"
    assert page.wait("return all('.no-picture').length === 4")
    assert page.run("return one('[role=status]').textContent") == f"{study} · 8 videos: 6 done, 1 failed, 1 pending"


def test_courses__a_click_changes_the_frame(window, study):
    page = window()
    page.open_video(1)
    ground = page.courses()
    ActionChains(page.page.driver).move_to_element_with_offset(ground, 60, 0).click().perform()
    page.wait("return one('canvas').dataset.position !== '0'")
    position = int(page.run("return one('canvas').dataset.position"))
    assert N_FRAMES // 2 < position < N_FRAMES
    # the picture, the readout, the cursor and the numbers are those of this frame
    assert page.pixel(2, 2)[:3] == pytest.approx([level(position)] * 3, abs=2)
    assert f"frame {position + 1} of {N_FRAMES} · {position / RATE:.3f} s" == page.run(
        "return one('.readout').textContent"
    )
    cursors = """return [...Bokeh.documents[0]._all_models.values()].filter((m) => m.type === 'Span')
        .map((m) => m.location)"""
    assert page.run(cursors) == [pytest.approx(position / RATE)]
    page.wait(f"return one('table caption').textContent.startsWith('Frame {position + 1},')")
    shown = dict(page.run("return all('tbody tr').map((r) => [r.cells[0].textContent, r.cells[1].textContent])"))
    one = fa.open_store(study).features.isel(video=1, frame=position, face=0)
    expected = {name: f"{one.sel(feature=name).item():.3f}" for name in ("AU06", "AU12")}
    assert {name: shown[name] for name in expected} == expected
    assert_quiet(page, missing=2)


def test_player__points_are_where_the_store_has_them(window, study):
    page = window()
    page.open_video(0)
    page.keys(Keys.END)
    page.frame(N_FRAMES - 1)
    points = fa.open_store(study).landmarks.isel(video=0, frame=N_FRAMES - 1, face=0).values[:, :2]
    for x, y in points.tolist():
        red, _, blue, _ = page.pixel(x, y)
        assert blue > red + 80
    assert page.pixel(float(points[0, 0]) + 4, float(points[0, 1]))[0] == pytest.approx(level(N_FRAMES - 1), abs=2)
    # a frame without a face has none; without points the picture alone is there
    page.run("one('input[type=range]').value = 7; one('input[type=range]').dispatchEvent(new Event('input'))")
    page.frame(7)
    assert page.pixel(53.5, 45)[:3] == pytest.approx([level(7)] * 3, abs=2)


def test_player__plays_every_frame_in_its_time(window):
    page = window()
    page.open_video(0)
    page.run(
        """window.seen = []; const c = one('canvas');
        new MutationObserver(() => window.seen.push(Number(c.dataset.position)))
            .observe(c, {attributeFilter: ['data-position']});
        named('button', 'Play').click()"""
    )
    page.frame(N_FRAMES - 1)
    page.wait("return named('button', 'Play')")
    seen = page.run("return window.seen")
    assert seen == sorted(seen)
    assert seen[-1] == N_FRAMES - 1
    assert len(seen) > N_FRAMES / 4
    assert_quiet(page, missing=2)


def test_keyboard__is_enough(window):
    page = window()
    page.keys("/")
    page.wait("return focused.type === 'search'")
    page.keys("b.mkv")
    page.wait("return all('button.video').length === 1")
    # search, status, order, the video
    page.keys(Keys.TAB, Keys.TAB, Keys.TAB)
    assert (
        page.run("return focused.textContent").startswith("b.mkv") or page.run("return focused.className") == "videos"
    )
    if page.run("return focused.className") == "videos":
        page.keys(Keys.TAB)
    outline = "return [getComputedStyle(focused).outlineStyle, parseFloat(getComputedStyle(focused).outlineWidth)]"
    style, thickness = page.run(outline)
    assert style == "solid"
    assert thickness >= 2
    page.page.screenshot("viewer-focus")
    page.keys(Keys.ENTER)
    page.frame(0)
    page.keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    page.frame(2)
    page.keys(Keys.ARROW_LEFT)
    page.frame(1)
    page.keys(Keys.END)
    page.frame(N_FRAMES - 1)
    page.keys(Keys.HOME)
    page.frame(0)
    page.courses()
    # every control can be reached, and shows that it is
    reached = set()
    for _ in range(30):
        page.keys(Keys.TAB)
        name = page.run("return focused.ariaLabel || focused.textContent.trim() || focused.type || ''")
        reached.add(name[:20])
        style, thickness = page.run(outline)
        if page.run("return focused !== document.body"):
            assert (style, thickness) != ("none", 0), name
        if page.run("return focused.tagName === 'SELECT' && focused.textContent.includes('AU12')"):
            break
    assert {"Groups", "Correlations", "◀ Frame", "Play", "Frame ▶", "Frame"} <= reached
    page.keys("AU12")
    page.wait("return all('tbody tr th').map((e) => e.textContent).join() === 'AU12'")
    assert_quiet(page, missing=2)


def test_keyboard__arrows_go_through_the_list(window):
    page = window()
    page.run("one('button.video').focus()")
    page.keys(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_UP)
    assert page.run("return focused.dataset.row") == "1"


@pytest.mark.parametrize("width", WIDTHS)
def test_correlations__a_cell_opens_its_pair(window, study, width):
    page = window(width)
    page.view("Correlations")
    page.wait("return named('button', 'Correlate the search')").click()
    page.wait("return all('p').some((e) => / shared times/.test(e.textContent))")
    ground = page.courses()
    # the upper left corner of the cells, below the dendrogram, is the last row and the first column
    cells = page.run(
        """const f = [...Bokeh.documents[0]._all_models.values()].find((m) => m.tags.includes('matrix'));
        return [f.x_range.start, f.x_range.end, f.y_range.start, f.y_range.end]"""
    )
    size = ground.size
    left, right, bottom, top = cells
    column, row = 1, 4
    x = (column - left) / (right - left) - 0.5
    y = (top - row) / (top - bottom) - 0.5
    ActionChains(page.page.driver).move_to_element_with_offset(
        ground, int(x * size["width"]), int(y * size["height"])
    ).click().perform()
    result = fa.open_store(study).isel(video=slice(0, 6)).fex.isc("AU12")
    order = matrix_order(result)
    one, other = (str(result.video.values[order[i]]) for i in (row, column))
    r = float(result.r[order[row], order[column]])
    said = f"AU12 of {one} and {other}: r = {r:.3f} of {N_FRAMES - 1} shared times"
    page.wait("return all('p').some((e) => e.textContent === arguments[0])", said)
    page.wait(
        """return [...Bokeh.documents[0]._all_models.values()].filter((m) => m.type === 'Legend')
        .some((m) => m.items.map((i) => i.label.value).join() === arguments[0])""",
        ",".join(map(short, (one, other))),
    )
    assert page.run("return document.documentElement.scrollWidth") <= width
    page.run("window.scrollTo(0, 0)")
    page.page.screenshot(f"viewer-pair-{width}")
    page.wait("return named('button', 'Open the second')").click()
    page.frame(0)
    assert page.run("return one('h1').textContent") == other
    assert_quiet(page, missing=2)


@pytest.mark.parametrize("width", WIDTHS)
def test_groups__are_summarized(window, width):
    page = window(width)
    page.view("Groups")
    page.wait("return named('button', 'Summarize the search')").click()
    page.courses()
    page.wait("return all('p').some((e) => e.textContent.includes('6 videos of the search'))")
    assert page.run("return document.documentElement.scrollWidth") <= width
    page.run("window.scrollTo(0, 0)")
    page.page.screenshot(f"viewer-groups-{width}")
    assert_quiet(page, missing=2)


def test_viewer__texts_of_a_store_are_texts(window):
    page = window()
    page.open_video(list(VIDEOS).index(HOSTILE))
    page.courses()
    page.keys(Keys.ARROW_RIGHT)
    page.run("one('input[type=range]').value = 12; one('input[type=range]').dispatchEvent(new Event('input'))")
    page.wait("return all('tbody td').some((e) => e.textContent === '<b>ann</b>')")
    assert page.run("return one('h1').textContent") == HOSTILE
    assert page.run("return all('img').filter((e) => e.getAttribute('src') === 'x').length") == 0
    assert page.run("return all('script').filter((e) => /alert/.test(e.textContent)).length") == 0
    page.run("window.scrollTo(0, 0)")
    page.page.screenshot("viewer-hostile")
    assert_quiet(page, missing=2)


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("missing.mkv", "found no file"),
        ("broken.mkv", "found no video that can be decoded"),
        ("failed.mkv", "This video failed: it cannot be opened"),
        ("pending.mkv", "This video has not been computed yet."),
    ],
)
def test_viewer__says_why_a_video_is_not_there(window, label, said):
    page = window()
    row = list(VIDEOS).index(label)
    page.wait(f"return one('button.video[data-row=\"{row}\"]')").click()
    page.wait("const p = one('p.message'); return p && p.textContent.includes(arguments[0])", said)
    if label == "missing.mkv":
        # the points and the time courses are there without it
        page.frame(0)
        assert page.pixel(50, 45)[2] > page.pixel(50, 45)[0] + 80
        page.courses()
        page.run("window.scrollTo(0, 0)")
        page.page.screenshot("viewer-missing")


def test_viewer__an_empty_store(open_page, study):
    with fa.plot.view(fa.open_store(study).isel(video=slice(0, 0)), browser=False) as viewer:
        page = Window(open_page(viewer.url, 1600))
        page.wait("return one('.said') && one('.said').textContent === 'No video in the store.'")
        page.view("Correlations")
        page.wait("return named('button', 'Correlate the search')").click()
        page.wait("return all('p').some((e) => e.textContent.includes('found 0 videos with frames'))")
        assert_quiet(page)


def test_viewer__shows_what_a_run_writes(open_page, tmp_path):
    from facearray.io.journal import Journal
    from facearray.io.store import Layout, Store

    store = str(tmp_path / "s.zarr")
    layout = Layout(detector="fake", detector_version="1", features=("AU12",), max_faces=1)
    written = Store.create(store, layout, [("a", "a.mp4"), ("b", "b.mp4")], 1024)
    with fa.plot.view(store, browser=False) as viewer:
        page = Window(open_page(viewer.url, 1600))
        page.wait("return all('.state').map((e) => e.textContent).join() === 'pending,pending'")
        page.run("all('button.video')[1].click()")
        page.wait("return one('p.message').textContent.includes('not been computed yet')")
        numbers = {"fps": 25.0, "width": 64, "height": 48, "duration": 0.2}
        n = 5
        with written.row(1) as row:
            row.write(
                frame_number=np.arange(n, dtype="i4"),
                timestamp=np.arange(n) / 25,
                n_faces_found=np.ones(n, "i2"),
                features=np.full((n, 1, 1), 0.25, "f4"),
                track_id=np.zeros((n, 1), "i4"),
            )
        Journal.beside(store).mark_done(1, {"n_frames": n, **numbers})
        page.wait("return named('button', 'Refresh')").click()
        page.wait("return all('.state').map((e) => e.textContent).join() === 'pending,done'")
        page.wait("return all('tbody td').map((e) => e.textContent).join() === '0.250'")
