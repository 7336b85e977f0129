"""Pictures that move, as files: GIF, MP4, or a page to move through."""

from __future__ import annotations

import base64
import html
import io
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray.errors import InputError, VideoError
from facearray.io.location import check_folder

__all__ = ["SUFFIXES", "save_moving"]

SUFFIXES = (".gif", ".mp4", ".html")

#: Dots an inch of the frames.
_DPI = 120

#: Inches around what is drawn.
_MARGIN = 0.1

#: What ffmpeg writes an MP4 with.
_ENCODER = "libx264"

_Picture = NDArray[np.uint8]


def save_moving(pictures: Sequence[Any], order: Sequence[int], fps: float, path: Path) -> None:
    """Write a picture that moves.

    Parameters
    ----------
    pictures
        HoloViews objects of one form.
    order
        Which of them each frame shows.
    fps
        Frames a second.
    path
        The file; its suffix is one of ``SUFFIXES``.

    Raises
    ------
    InputError
        If there is no such folder or suffix.
    VideoError
        If ffmpeg cannot write it.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(f"found the suffix {path.suffix!r}; expected one of {', '.join(SUFFIXES)}")
    check_folder(path)
    if suffix == ".mp4":
        check_encoder()
    frames = _frames(pictures)
    partial = path.with_name(f".{path.name}.partial")
    try:
        {".gif": _write_gif, ".mp4": _write_mp4, ".html": _write_page}[suffix](frames, order, fps, partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def check_encoder(name: str = _ENCODER) -> None:
    """Check that ffmpeg can encode.

    Raises
    ------
    VideoError
        If it cannot.
    """
    import imageio_ffmpeg

    listed = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-encoders"], capture_output=True, text=True, check=False
    )
    if not any(line.split()[1:2] == [name] for line in listed.stdout.splitlines()):
        raise VideoError(
            f"found no encoder {name} in this ffmpeg; expected one to write MP4: write .gif or .html, or name an "
            "ffmpeg that has it in the variable IMAGEIO_FFMPEG_EXE"
        )


def _frames(pictures: Sequence[Any]) -> list[_Picture]:
    """Draw pictures as (height, width, 3), all of one size, in which the headings and scales of each have room."""
    import holoviews as hv
    from matplotlib import pyplot as plt
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.transforms import Bbox
    from PIL import Image

    renderer = hv.Store.renderers["matplotlib"].instance(dpi=_DPI)
    plot = renderer.get_plot(hv.HoloMap(dict(enumerate(pictures)), kdims="frame"))
    plot.state.set_dpi(_DPI)
    canvas: Any = FigureCanvasAgg(plot.state)
    needed = []
    for i in range(len(pictures)):
        plot.update(i)
        needed.append(plot.state.get_tightbbox(canvas.get_renderer()))
    room = Bbox.union(needed).padded(_MARGIN)
    frames = []
    for i in range(len(pictures)):
        plot.update(i)
        content = io.BytesIO()
        canvas.print_figure(content, dpi=_DPI, format="png", bbox_inches=room)
        pixels = np.asarray(Image.open(content).convert("RGB"))
        # encoders want even sizes
        frames.append(pixels[: len(pixels) // 2 * 2, : pixels.shape[1] // 2 * 2])
    plt.close(plot.state)
    return frames


def _write_gif(frames: Sequence[_Picture], order: Sequence[int], fps: float, path: Path) -> None:
    from PIL import Image

    # one palette for all, so that nothing flickers
    sample = Image.fromarray(np.concatenate([frames[0], frames[len(frames) // 2], frames[-1]]))
    palette = sample.quantize(256)
    shown = [Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    first, *others = (shown[i] for i in order)
    # a GIF counts hundredths of a second
    ends = np.round(100 * np.arange(1, len(order) + 1) / fps)
    lasting = (10 * np.diff(ends, prepend=0.0)).tolist()
    first.save(path, format="GIF", save_all=True, append_images=others, duration=lasting, loop=0, disposal=1)


def _write_mp4(frames: Sequence[_Picture], order: Sequence[int], fps: float, path: Path) -> None:
    import imageio_ffmpeg

    height, width = frames[0].shape[:2]
    command = [
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y"),
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps:g}", "-i", "-"),
        *("-an", "-c:v", _ENCODER, "-pix_fmt", "yuv420p", "-movflags", "+faststart", "-f", "mp4", str(path)),
    ]
    content = b"".join(frames[i].tobytes() for i in order)
    done = subprocess.run(command, input=content, capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise VideoError(f"cannot write {path.name}: {said[-1] if said else 'ffmpeg failed'}")


def _write_page(frames: Sequence[_Picture], order: Sequence[int], fps: float, path: Path) -> None:
    from PIL import Image

    pictures = []
    for frame in frames:
        content = io.BytesIO()
        Image.fromarray(frame).save(content, format="PNG")
        pictures.append("data:image/png;base64," + base64.b64encode(content.getvalue()).decode())
    template = Path(__file__).with_name("moving_template.html").read_text(encoding="utf-8")
    said = {
        "title": html.escape(path.name.removeprefix(".").removesuffix(".partial").removesuffix(".html")),
        "pictures": json.dumps(pictures),
        "order": json.dumps(list(order)),
        "fps": json.dumps(float(fps)),
        "last": str(len(order) - 1),
    }
    path.write_text(Template(template).substitute(said), encoding="utf-8")
