"""Frames as a video file: ffmpeg fed through a pipe, with the sound of another file."""

from __future__ import annotations

import functools
import math
import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import IO, Self, cast

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from facearray.detection.ffmpeg import input_arguments
from facearray.errors import InputError, VideoError
from facearray.plot.overlay.matroska import TICKS, block_head, stream_head

__all__ = ["FORMATS", "Encoder", "Format", "Sound", "format_of"]

_ENCODER = re.compile(r"^ [VA][\w.]{5} (\S+)", re.MULTILINE)
_WITH_NAME = re.compile(r"\[[^\]]* @ 0x[0-9a-f]+\] ")

#: Sound that is not worth a stream of its own: ffmpeg knows no name for it.
_NO_CODEC = ("none", "unknown")

#: Largest number that a container takes for the parts of a second.
_MAX_TICKS = 2**31 - 1

_H264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "18")
_VP9 = ("-c:v", "libvpx-vp9", "-crf", "30", "-b:v", "0", "-deadline", "realtime", "-cpu-used", "7", "-row-mt", "1")
_IN_MP4 = frozenset("aac ac3 alac eac3 flac mp3 opus".split())
_IN_MOV = frozenset("aac ac3 alac eac3 mp3 pcm_alaw pcm_mulaw pcm_s16be pcm_s16le pcm_s24be pcm_s24le".split())


@dataclass(frozen=True, slots=True)
class Format:
    """How a video of a suffix is written.

    Attributes
    ----------
    muxer
        ffmpeg's name of the container.
    encoder, options
        What makes the pictures, and ffmpeg's arguments for it.
    sound
        Codecs of sound that the container holds, which are copied; None for all.
    sound_encoder
        What other sound is encoded by.
    exact
        Whether times are kept as they are; else they are rounded to milliseconds.
    """

    muxer: str
    encoder: str
    options: tuple[str, ...]
    sound: frozenset[str] | None
    sound_encoder: str
    exact: bool


#: Formats by suffix.
FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        ".mp4": Format("mp4", "libx264", _H264, _IN_MP4, "aac", exact=True),
        ".m4v": Format("mp4", "libx264", _H264, _IN_MP4, "aac", exact=True),
        ".mov": Format("mov", "libx264", _H264, _IN_MOV, "aac", exact=True),
        ".mkv": Format("matroska", "libx264", _H264, None, "aac", exact=False),
        ".webm": Format("webm", "libvpx-vp9", _VP9, frozenset(("opus", "vorbis")), "libopus", exact=False),
    }
)


@dataclass(frozen=True, slots=True)
class Sound:
    """The audio streams of a file.

    Attributes
    ----------
    path
        The file.
    codecs
        ffmpeg's names of their codecs.
    """

    path: str
    codecs: Sequence[str] = field(default_factory=tuple)

    def arguments(self, form: Format) -> list[str]:
        """Arguments by which ffmpeg takes them from its second input, copied where the container holds them."""
        found: list[str] = []
        kept = [i for i, codec in enumerate(self.codecs) if codec not in _NO_CODEC]
        for place, i in enumerate(kept):
            copied = form.sound is None or self.codecs[i] in form.sound
            found += ["-map", f"1:a:{i}", f"-c:a:{place}", "copy" if copied else form.sound_encoder]
        return found

    def encoders(self, form: Format) -> list[str]:
        """Name what has to be there to encode what cannot be copied."""
        arguments = self.arguments(form)
        return [form.sound_encoder] if form.sound_encoder in arguments else []


def format_of(path: Path) -> Format:
    """Return the format of a file by its suffix.

    Raises
    ------
    InputError
        If there is none.
    """
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise InputError(f"found the suffix {path.suffix!r} of {path.name}; expected one of {', '.join(FORMATS)}")
    return form


class Encoder:
    """Writes frames with their times into a file; a context manager, which ends ffmpeg whatever happens.

    Pictures have 4:2:0 chroma, whose sizes are even: where a size is odd, the last row or column is there twice.
    Names, places and dates that the source has in its metadata are left out.

    Parameters
    ----------
    path
        The file, which is replaced if it exists.
    form
        Its format.
    size
        Width and height of the frames in pixels.
    time_base
        What times are whole multiples of, in seconds.
    sample_aspect
        Width of a pixel by its height.
    sound
        What is heard; None for nothing.

    Raises
    ------
    VideoError
        If ffmpeg has no such encoder.
    """

    def __init__(
        self,
        path: Path,
        form: Format,
        *,
        size: tuple[int, int],
        time_base: Fraction,
        sample_aspect: Fraction = Fraction(1),
        sound: Sound | None = None,
    ) -> None:
        _require_encoders([form.encoder, *(sound.encoders(form) if sound else [])], form.muxer)
        self._path, self._form = path, form
        self._size = size
        self._time_base, self._sample_aspect = time_base, sample_aspect
        self._sound = sound
        self._process: subprocess.Popen[bytes] | None = None
        # What ffmpeg says is little, and a file never makes it wait.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the encoder
        self._begin = 0
        self.finished = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()
        if process is not None:
            with suppress(OSError):
                cast(IO[bytes], process.stdin).close()
            process.wait()
        self._log.close()

    def write(self, frame: NDArray[np.uint8], seconds: float) -> None:
        """Add a frame.

        Parameters
        ----------
        frame
            (height, width, 3) RGB.
        seconds
            When it is presented, after the frame before.

        Raises
        ------
        VideoError
            If ffmpeg ends, because the disk is full, for instance.
        """
        if self._process is None:
            self._start(seconds)
        pixels = _even(frame)
        head = block_head(round((seconds - self._begin) * TICKS), pixels.nbytes)
        try:
            self._pipe.write(head)
            self._pipe.write(pixels.data)
        except BrokenPipeError:
            raise self._failed() from None

    def finish(self) -> None:
        """Write what is left; the file is complete then.

        Raises
        ------
        VideoError
            If ffmpeg ends with an error.
        """
        if self._process is None:
            raise self._failed()
        try:
            self._pipe.close()
        except BrokenPipeError:
            raise self._failed() from None
        if self._process.wait():
            raise self._failed()
        self.finished = True

    @property
    def _pipe(self) -> IO[bytes]:
        return cast(IO[bytes], cast("subprocess.Popen[bytes]", self._process).stdin)

    def _start(self, seconds: float) -> None:
        # The stream in the pipe has no times below zero.
        self._begin = min(0, math.floor(seconds))
        width, height = (n + n % 2 for n in self._size)
        self._process = subprocess.Popen(
            self._command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            pipesize=2**20,
            # Ctrl-C in a terminal is for this process to handle.
            process_group=0,
        )
        try:
            self._pipe.write(stream_head(width, height))
        except BrokenPipeError:
            raise self._failed() from None

    def _command(self) -> list[str]:
        form, aspect = self._form, self._sample_aspect
        ticks = self._time_base if max(self._time_base.as_integer_ratio()) <= _MAX_TICKS else Fraction(1, 90_000)
        filters = [
            "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int",
            "format=yuv420p",
            "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv",
            f"setsar={aspect.numerator}/{aspect.denominator}",
        ]
        return [
            imageio_ffmpeg.get_ffmpeg_exe(),
            *("-hide_banner", "-loglevel", "error", "-nostats", "-y", "-copyts"),
            *("-itsoffset", str(self._begin), "-f", "matroska", "-i", "pipe:0"),
            *(input_arguments(self._sound.path) if self._sound else ()),
            *("-map", "0:v", *(self._sound.arguments(form) if self._sound else ())),
            *("-map_metadata", "-1", "-map_chapters", "-1"),
            *("-vf", ",".join(filters), "-fps_mode", "passthrough"),
            *("-enc_time_base", f"{ticks.numerator}:{ticks.denominator}", *form.options),
            *(("-video_track_timescale", str(ticks.denominator), "-movflags", "+faststart") if form.exact else ()),
            *("-muxdelay", "0", "-muxpreload", "0", "-f", form.muxer, f"file:{self._path}"),
        ]

    def _failed(self) -> VideoError:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._log.seek(0)
        lines = [_WITH_NAME.sub("", line).strip() for line in self._log.read().decode("utf-8", "replace").splitlines()]
        reason = "; ".join(dict.fromkeys(line for line in lines[:3] if line)) or "ffmpeg gives no reason"
        return VideoError(
            f"the video cannot be encoded ({reason}); expected that ffmpeg takes all frames; nothing is written"
        )


def _even(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = frame.shape[:2]
    if height % 2 or width % 2:
        frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(frame)


def _require_encoders(names: Sequence[str], muxer: str) -> None:
    there = _encoders(imageio_ffmpeg.get_ffmpeg_exe())
    missing = [name for name in names if name not in there]
    if missing:
        others = [suffix for suffix, form in FORMATS.items() if form.encoder in there and form.muxer != muxer]
        remedy = f"choose another suffix ({', '.join(others)}), or " if others else ""
        raise VideoError(
            f"{muxer}: found no encoder {' and no '.join(missing)} in {imageio_ffmpeg.get_ffmpeg_exe()}; "
            f"expected one; {remedy}name an ffmpeg that has it in the environment variable IMAGEIO_FFMPEG_EXE"
        )


@functools.cache
def _encoders(executable: str) -> frozenset[str]:
    """Names of the encoders that an ffmpeg has."""
    result = subprocess.run([executable, "-hide_banner", "-encoders"], capture_output=True, text=True, check=False)
    return frozenset(_ENCODER.findall(result.stdout))
