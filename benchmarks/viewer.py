"""The viewer on a store of 10,000 videos: how long until something is seen, and until a click shows another frame.

The store is a template with a journal that says that every row is done. One row is written; its source is a video of
1280 by 720 pixels with a key frame every ten seconds, which is the hardest for seeking. `paint_s` is from the address
to the list of videos in headless Chromium, `answer_s` until the server has sent its first page, and `start_s` from the
call, with all imports, until the server answers. A click is the event of one on a time course, until its frame is
drawn, measured in the page; `step_median_s` the same for the next frame. Bars: `paint_s` 3, `click_median_s` 0.3.
Without Chromium there are only figures of the server. The last line is one JSON object.

- `start_s`, `answer_s`, `paint_s`: the page
- `open_s`: from the click on a video to its first frame
- `click_median_s`, `click_slowest_s`, `step_median_s`: another frame
- `frame_median_s`: the server's part of a click

    python -m benchmarks.viewer [--videos 10000] [--seconds 60] [--clicks 20]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import requests

from facearray.io.columns import record_table
from facearray.io.journal import ROWS_PER_PART, Journal
from facearray.io.store import Layout, Store, frame_capacity

QUICK = "--videos 200 --seconds 4 --clicks 3"
FIGURES = {"paint_s": "<= 3", "click_median_s": "<= 0.3", "open_s": ""}

RATE = 25
FEATURES = ("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore", "AU06", "AU12", "happiness")


def write_video(path: Path, seconds: int) -> None:
    source = f"testsrc2=size=1280x720:rate={RATE}:duration={seconds}"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", source, "-c:v", "libx264"]
    subprocess.run([*command, "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "250", str(path)], check=True)


def write_store(folder: Path, n_videos: int, seconds: int) -> Path:
    """Make the template, its journal, and one row that is really there."""
    store, video, n = folder / "study.zarr", folder / "video.mp4", seconds * RATE
    write_video(video, seconds)
    layout = Layout(
        detector="made up", detector_version="1", features=FEATURES, max_faces=1, n_landmarks=478, options={"every": 1}
    )
    labels = [f"site-{row // 1000:02}/participant-{row:05}.mp4" for row in range(n_videos)]
    made = Store.create(store, layout, [(label, str(video)) for label in labels], frame_capacity(n))
    rng = np.random.default_rng(0)
    with made.row(0) as row:
        row.write(
            frame_number=np.arange(n, dtype="i4"),
            timestamp=np.arange(n) / RATE,
            n_faces_found=np.ones(n, "i2"),
            features=rng.random((n, 1, len(FEATURES)), dtype="f4"),
            track_id=np.zeros((n, 1), "i4"),
            landmarks=(720 * rng.random((n, 1, 478, 3))).astype("f4"),
        )
    record = {"n_frames": n, "fps": RATE, "width": 1280, "height": 720, "duration": float(seconds)}
    journal = Journal.beside(store)
    for start in range(0, n_videos, ROWS_PER_PART):
        rows = range(start, min(start + ROWS_PER_PART, n_videos))
        table = record_table("done", dict.fromkeys(rows, record))
        journal.folder.write(f"table/{start // ROWS_PER_PART:08d}.arrow", table.to_bytes())
    return store


def of_server(viewer: Any, clicks: np.ndarray) -> dict[str, float]:
    """Seconds of the page and of frames, as a client in Python sees them."""
    session = requests.Session()
    session.trust_env = False
    root = viewer.url.partition("/?")[0]
    start = time.perf_counter()
    session.get(viewer.url)
    answered = time.perf_counter() - start
    session.get(f"{root}/frame/0/0")
    taken = []
    for position in clicks.tolist():
        start = time.perf_counter()
        answer = session.get(f"{root}/frame/0/{position}")
        assert answer.headers["Content-Type"] == "image/jpeg", answer.text
        taken.append(time.perf_counter() - start)
    return {"answer_s": round(answered, 3), "frame_median_s": round(statistics.median(taken), 3)}


#: Shows a frame as a click on a time course does, and gives the milliseconds until it is drawn.
CLICK = """
const [time, position, done] = arguments
const deep = (root) => [...root.querySelectorAll('*')].flatMap((e) => e.shadowRoot ? [e, ...deep(e.shadowRoot)] : [e])
const canvas = deep(document).find((e) => e.matches('canvas[data-row]'))
const start = performance.now()
const observer = new MutationObserver(() => {
  if (canvas.dataset.position !== String(position)) return
  observer.disconnect()
  done(performance.now() - start)
})
observer.observe(canvas, {attributeFilter: ['data-position']})
window.dispatchEvent(new CustomEvent('facearray-seek', {detail: time}))
"""


def of_browser(viewer: Any, clicks: np.ndarray) -> dict[str, float]:
    """Seconds as somebody in front of the browser sees them."""
    from selenium.webdriver import Chrome
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    options = Options()
    options.binary_location = shutil.which("chromium")
    for switch in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(switch)
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    find = CLICK.partition("const canvas")[0].partition("\n")[2].partition("\n")[2]

    def wait(selector: str) -> Any:
        while (
            found := driver.execute_script(f"{find} return deep(document).find((e) => e.matches({selector!r}))")
        ) is None:
            time.sleep(0.01)
        return found

    try:
        start = time.perf_counter()
        driver.get(viewer.url)
        button = wait("button.video")
        paint = time.perf_counter() - start
        start = time.perf_counter()
        button.click()
        wait('canvas[data-position="0"]')
        opened = time.perf_counter() - start
        wait(".bk-CartesianFrame")
        time.sleep(1)
        driver.set_script_timeout(60)
        jumps, steps = [], []
        for position in clicks.tolist():
            jumps.append(driver.execute_async_script(CLICK, position / RATE, position) / 1000)
            steps.append(driver.execute_async_script(CLICK, (position + 1) / RATE, position + 1) / 1000)
    finally:
        driver.quit()
    return {
        "paint_s": round(paint, 3),
        "open_s": round(opened, 3),
        "click_median_s": round(statistics.median(jumps), 3),
        "click_slowest_s": round(max(jumps), 3),
        "step_median_s": round(statistics.median(steps), 3),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--clicks", type=int, default=20)
    arguments = parser.parse_args()
    # far enough apart that decoding on is no way to any of them
    n = arguments.seconds * RATE
    clicks = np.random.default_rng(1).permutation(np.linspace(1, n - 3, arguments.clicks).astype(int))
    figures: dict[str, Any] = {"videos": arguments.videos}
    with tempfile.TemporaryDirectory() as folder:
        store = write_store(Path(folder), arguments.videos, arguments.seconds)
        start = time.perf_counter()
        from facearray.plot import view

        with view(store, browser=False) as viewer:
            figures["start_s"] = round(time.perf_counter() - start, 2)
            figures |= of_server(viewer, clicks)
        if shutil.which("chromium") and shutil.which("chromedriver"):
            with view(store, browser=False) as viewer:
                figures |= of_browser(viewer, clicks)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
