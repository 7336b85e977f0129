"""Running ffmpeg: its arguments, what it says about a file's header, and what it says while it decodes."""

from __future__ import annotations

import re
import subprocess
import threading
from collections import deque
from fractions import Fraction
from queue import SimpleQueue
from typing import IO, NamedTuple

import imageio_ffmpeg

__all__ = ["DecodeLog", "Header", "ShownFrame", "input_arguments", "read_header", "start_decoding"]

_LINE = re.compile(r"(?:\[[^\]]* @ 0x[0-9a-f]+\] )*\[(\w+)\] ?(.*)")
_INPUT = re.compile(r"Input #0, ([\w,]+), from ")
_DURATION = re.compile(r"\s*Duration: (\d+):(\d+):(\d+(?:\.\d+)?)(?:, start: (-?\d+(?:\.\d+)?))?")
_STREAM = re.compile(r"\s*Stream #\d+:\d+.*?: (\w+): (\w+)")
_SIZE = re.compile(r", (\d+)x(\d+)\b")
_SAMPLE_ASPECT = re.compile(r"\[SAR (\d+):(\d+) DAR")
_RATE = re.compile(r", (\d+(?:\.\d+)?)(k?) (fps|tbr)\b")
_STREAM_START = re.compile(r", start (-?\d+(?:\.\d+)?)")
_ROTATION = re.compile(r"\s*display ?matrix: rotation of (-?\d+(?:\.\d+)?) degrees", re.IGNORECASE)
_SHOWN = re.compile(r"n: *(\d+) pts: *(-?\d+) pts_time:.*? s:(\d+)x(\d+) ")
_SHOWN_DURATION = re.compile(r" duration: *(\d+)")
_NEW_SIZE = re.compile(r"filter context - w: (\d+) h: (\d+) .* incoming frame - w: (\d+) h: (\d+)")
_OTHER_THAN_THE_REASON = re.compile(
    r"Error opening (?:input|output) files?\b|Error parsing|Failed to set value|Conversion failed|Task finished"
)

#: What demuxers say where a file ends in the middle of something.
_CUT = re.compile(r"partial file|File ended prematurely", re.IGNORECASE)

#: The demuxers that may open a file. Others read what the file names (concat, dash, hls, image2, imf, mlv) or make
#: pictures of what is no video (tty).
_DEMUXERS = ",".join(
    (
        # Containers.
        "asf,asf_o,avi,cine,dhav,dv,dxa,film_cpk,flic,flv,gif,gxf,ifv,ivf,kux,live_flv,lmlm4,lvf,lxf,matroska,mgsts",
        "mods,moflex,mov,mpeg,mpegts,mpjpeg,mtv,mv,mvi,mxf,mxg,nsv,nut,nuv,ogg,pmp,pva,r3d,rm,roq,ser,smjpeg,swf,ty",
        "vivo,wtv,xmv,yop",
        # One stream without a container.
        "apv,av1,avs2,avs3,cavsvideo,dirac,dnxhd,evc,h261,h263,h264,hevc,ingenient,ipu,m4v,mjpeg,mjpeg_2000,mpegvideo,obu",
        "rawvideo,vc1,vc1test,vvc,yuv4mpegpipe",
        # Pictures, moving and still.
        "apng,bmp_pipe,dpx_pipe,exr_pipe,hdr_pipe,ico,j2k_pipe,jpeg_pipe,jpegls_pipe,jpegxl_anim,jpegxl_pipe,jpegxs_pipe",
        "pam_pipe,pbm_pipe,pcx_pipe,pfm_pipe,pgm_pipe,png_pipe,ppm_pipe,psd_pipe,qoi_pipe,sgi_pipe,sunrast_pipe,tiff_pipe",
        "webp_anim,webp_pipe",
        # Sound, of which it is said that there is no video in it.
        "aac,ac3,aiff,amr,ape,au,caf,dts,eac3,flac,mp3,wav,w64,wv",
    )
)
_REFUSED = re.compile("Format not on whitelist|Not detecting m3u8")

#: Frames that a decoder may hold back: they appear after the errors of later ones.
_DELAY = 32

#: Bytes of one line of the log that are looked at together; user data in a stream can make a line of any length.
_LINE_BYTES = 2**16


class ShownFrame(NamedTuple):
    """A decoded frame: its presentation time in seconds and its size."""

    timestamp: float
    width: int
    height: int


class Header:
    """What ffmpeg prints about an input before it decodes. Unknown values are None."""

    def __init__(self) -> None:
        self.duration: float | None = None
        self.start = 0.0
        self.codec: str | None = None
        self.size: tuple[int, int] | None = None
        self.fps: float | None = None
        self.stream_start: float | None = None
        #: Whether the rate is always the same, as far as can be seen from the first frames.
        self.has_constant_rate = False
        #: Whether the container lists every frame.
        self.has_sample_table = False
        #: Whether a video may begin anywhere in a stream, with frames that cannot be decoded.
        self.has_any_beginning = False
        self.rotation = 0.0
        #: ffmpeg's names of the codecs of all audio streams.
        self.audio: list[str] = []
        self._sample_aspect = Fraction(1)
        self._in_stream = False

    def feed(self, line: str) -> None:
        """Take in one line without its prefix."""
        if found := _DURATION.match(line):
            hours, minutes, seconds, start = found.groups()
            self.duration = 3600 * int(hours) + 60 * int(minutes) + float(seconds)
            self.start = float(start or 0)
        elif found := _INPUT.match(line):
            self.has_sample_table = found[1].startswith("mov,")
            self.has_any_beginning = found[1] in ("mpegts", "mpeg")
        elif found := _STREAM.match(line):
            is_cover = "(attached pic)" in line or "(timed thumbnails)" in line
            self._in_stream = found[1] == "Video" and self.codec is None and not is_cover
            if found[1] == "Audio":
                self.audio.append(found[2])
            if self._in_stream:
                self._feed_stream(found[2], line)
        elif self._in_stream and (found := _ROTATION.match(line)):
            self.rotation = float(found[1])

    def _feed_stream(self, codec: str, line: str) -> None:
        self.codec = codec
        if size := _SIZE.search(line):
            self.size = (int(size[1]), int(size[2]))
        if (aspect := _SAMPLE_ASPECT.search(line)) and int(aspect[1]) and int(aspect[2]):
            self._sample_aspect = Fraction(int(aspect[1]), int(aspect[2]))
        rates = {kind: float(rate) * (1000 if kilo else 1) for rate, kilo, kind in _RATE.findall(line)}
        self.fps = rates.get("fps", rates.get("tbr"))
        self.has_constant_rate = self.fps is not None and self.fps == rates.get("tbr")
        if start := _STREAM_START.search(line):
            self.stream_start = float(start[1])

    @property
    def displayed_size(self) -> tuple[int, int] | None:
        """Width and height after rotation."""
        return self.size[::-1] if self.size and self.rotation % 180 == 90 else self.size

    @property
    def sample_aspect(self) -> Fraction:
        """Width of a pixel by its height, after rotation; 1 where it is unknown."""
        return 1 / self._sample_aspect if self.rotation % 180 == 90 else self._sample_aspect

    @property
    def end(self) -> float | None:
        """The time at which the longest stream ends, or None."""
        return None if self.duration is None else self.start + self.duration


class _Reasons:
    """The first errors that ffmpeg names, without what it says about the command line."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._found: dict[str, None] = {}
        self._refused = False

    def feed(self, level: str, text: str) -> None:
        if level not in ("error", "fatal"):
            return
        self._refused = self._refused or _REFUSED.match(text) is not None
        if "matches no streams" in text:
            text = "it has no video stream"
        text = re.sub(r"^Error opening input: ", "", text).replace(f"file:{self._path}", "the file").strip()
        if text and len(self._found) < 3 and not _OTHER_THAN_THE_REASON.match(text):
            self._found.setdefault(text[:200])

    def text(self, returncode: int) -> str:
        if self._refused:
            return "it is a playlist that refers to other files, or of a format that is not accepted"
        return "; ".join(self._found) or f"ffmpeg ends with code {returncode} and gives no reason"


def read_header(path: str) -> tuple[Header, str | None]:
    """Let ffmpeg open a file without decoding it; return what it says and, if it cannot, the reason."""
    result = subprocess.run(
        [*_command(path), "-map", "0:V:0", "-c", "copy", "-t", "0", "-f", "null", "-"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    header, reasons = Header(), _Reasons(path)
    for line in result.stderr.decode("utf-8", "replace").splitlines():
        level, text = _split(line)
        reasons.feed(level, text)
        if text.startswith(("Stream mapping:", "Output #")):
            break
        header.feed(text)
    return header, reasons.text(result.returncode) if result.returncode else None


def _count_packets(path: str) -> int:
    """Count the frames of a video as its container lists them, be they damaged or not."""
    result = subprocess.run(
        [*_command(path), "-map", "0:V:0", "-c", "copy", "-copyinkf", "-progress", "pipe:1", "-f", "null", "-"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return int(re.findall(rb"^frame=(\d+)", b"frame=0\n" + result.stdout, re.MULTILINE)[-1])


def start_decoding(
    path: str,
    *,
    every: int,
    threads: int,
    mark: str,
    seek: float | None = None,
    size: tuple[int, int] | None = None,
) -> subprocess.Popen[bytes]:
    """Start ffmpeg: RGB frames on standard output, all of the same size, and a log on standard error.

    The line of a frame is in the log before the frame is on standard output. The mark, of letters and digits, is in the
    prefix of these lines.

    Parameters
    ----------
    path
        The file.
    every
        Keep the frames 0, `every`, 2·`every`, … only.
    threads
        Threads of the decoder.
    mark
        See above.
    seek
        Seconds after the beginning of the file from where frames are wanted; where the file's index is not exact,
        those that come begin earlier or later.
    size
        Width and height to scale to; by default those of the first frame.
    """
    filters = [
        # Before `select`, so that it shows the presentation time of every frame that is decoded.
        f"showinfo@{mark}=checksum=0",
        rf"select=not(mod(n\,{every}))",
        # The rawvideo muxer refuses times that do not increase, which happens in joined recordings.
        "settb=1/1000,setpts=N",
        "scale,format=rgb24" if size is None else "scale={}:{}:flags=bilinear,format=rgb24".format(*size),
    ]
    return subprocess.Popen(
        [
            *_command(
                path,
                # Presentation times as they are in the file, not moved to start at 0.
                "-copyts",
                # A new filter graph after a change of size would count frames from 0 again.
                *("-reinit_filter", "0"),
                *("-threads", str(threads)),
                *(() if seek is None else ("-ss", f"{seek:.6f}")),
            ),
            *("-map", "0:V:0", "-map_metadata", "-1"),
            *("-filter_threads", str(threads), "-vf", ",".join(filters)),
            *("-fps_mode", "passthrough", "-enc_time_base", "1:1000"),
            *("-f", "rawvideo", "pipe:"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pipesize=2**20,
        # Ctrl-C in a terminal is for this process to handle; to ffmpeg it would look like the end of the video.
        process_group=0,
    )


def input_arguments(path: str) -> list[str]:
    """Arguments by which ffmpeg opens a file, and nothing that the file names."""
    # The protocol keeps names with a colon, a percent sign or a leading dash from being read as something else.
    return ["-protocol_whitelist", "file", "-format_whitelist", _DEMUXERS, "-i", f"file:{path}"]


def _command(path: str, *options: str) -> list[str]:
    return [
        imageio_ffmpeg.get_ffmpeg_exe(),
        *("-nostdin", "-hide_banner", "-loglevel", "repeat+level+info"),
        *options,
        *input_arguments(path),
    ]


def _split(line: str) -> tuple[str, str]:
    found = _LINE.match(line)
    return (found[1], found[2]) if found else ("", line)


class DecodeLog(threading.Thread):
    """Reads what ffmpeg says while it decodes, in memory that does not grow.

    The log repeats names and metadata, which may read like any line of it. Those of frames are therefore known by a
    mark that no file can know beforehand.

    Attributes
    ----------
    kept
        The frames that come over the pipe, in order, then None.
    n_decoded
        Frames decoded, be they kept or not.
    has_errors
        Whether ffmpeg reported errors.
    """

    def __init__(self, stderr: IO[bytes], path: str, *, every: int, mark: str) -> None:
        super().__init__(name="facearray-ffmpeg-log", daemon=True)
        self.kept: SimpleQueue[ShownFrame | None] = SimpleQueue()
        self.n_decoded = 0
        self.has_errors = False
        self._path = path
        self._first = 0
        self._rate = 0.0
        self._last: tuple[int, int] | None = None
        self._elapsed = 0
        self._stderr = stderr
        self._every = every
        self._config = re.compile(
            rf"\[showinfo@{mark} @ \w+\] \[info\] config in time_base: (\d+)/(\d+), frame_rate: (\d+)/(\d+)"
        )
        self._header = Header()
        self._header_ended = False
        self._time_base: tuple[int, int] | None = None
        self._reasons = _Reasons(path)
        self._last_error_at = 0
        self._late_errors: deque[str] = deque(maxlen=3)
        self._cut: str | None = None
        self._garbled: str | None = None

    def run(self) -> None:
        """Read to the end."""
        try:
            # Closed in any case: an ffmpeg that nobody listens to would wait forever.
            with self._stderr as stderr:
                for line in iter(lambda: stderr.readline(_LINE_BYTES), b""):
                    self._feed(line.decode("utf-8", "replace"))
        finally:
            self.kept.put(None)

    def _feed(self, line: str) -> None:
        if found := self._config.search(line):
            self._time_base = (int(found[1]), int(found[2]))
            self._rate = int(found[3]) / (int(found[4]) or 1)
            return
        # Other threads of ffmpeg write in between: a frame's line need not begin like one, and what is added to its
        # end comes without a level. What repeats names and metadata is above the filter's first line.
        if self._time_base is not None and (found := _SHOWN.search(line)):
            self._feed_shown(line, *map(int, found.groups()))
            line = line[found.end() :]
        level, text = _split(line)
        self._reasons.feed(level, text)
        if level in ("error", "fatal"):
            self._late_errors.append(text.strip())
            self._last_error_at = self.n_decoded
            self.has_errors = True
        if (self._header_ended or level in ("error", "warning")) and (found := _CUT.search(text)):
            self._cut = self._cut or found[0]
        if (
            (found := _NEW_SIZE.search(text))
            and self._header.rotation % 360
            and found.groups()[:2] != found.groups()[2:]
        ):
            self._garbled = "the size of its frames changes and it is rotated by its metadata"
        elif text.startswith(("Stream mapping:", "Output #")):
            self._header_ended = True
        elif not self._header_ended:
            self._header.feed(text)

    def _feed_shown(self, line: str, number: int, pts: int, width: int, height: int) -> None:
        if number != self.n_decoded:
            self._garbled = f"ffmpeg shows frame {number} after {self.n_decoded} frames"
        found = _SHOWN_DURATION.search(line)
        duration = int(found[1]) if found else 0
        if self._last is None:
            self._first = pts
        else:
            last_pts, last_duration = self._last
            self._elapsed += pts - last_pts if pts > last_pts else last_duration
        self._last = (pts, duration)
        if self.n_decoded % self._every == 0:
            self.kept.put(ShownFrame(self._seconds(pts), width, height))
        self.n_decoded += 1
        if self.n_decoded > self._last_error_at + _DELAY:
            self._late_errors.clear()

    @property
    def time_base(self) -> Fraction | None:
        """What presentation times are whole multiples of, in seconds; None before the first frame."""
        return None if self._time_base is None else Fraction(*self._time_base)

    def _seconds(self, ticks: int) -> float:
        numerator, denominator = self._time_base or (0, 1)
        return ticks * numerator / denominator

    @property
    def elapsed(self) -> float:
        """Seconds from the presentation of the first frame to that of the last.

        Where presentation times start anew, as in joined recordings, the frame before counts with its duration.
        """
        return self._seconds(self._elapsed)

    @property
    def last_duration(self) -> float:
        """Duration of the last frame in seconds; 0 if unknown."""
        return self._seconds(self._last[1]) if self._last else 0.0

    def n_missing(self) -> int:
        """Estimate how many frames are missing before the last that came, where there were errors; else 0.

        There should be as many as the rate makes between the beginning and the last one, and no more than the container
        lists. Where the rate varies and nothing is listed it cannot be known.
        """
        header = self._header
        if not self.has_errors or self._last is None:
            return 0
        begin = header.start if header.stream_start is None else header.stream_start
        lead = 0.0 if header.has_any_beginning else max(0.0, self._seconds(self._first) - begin)
        seconds = lead + self.elapsed + self.last_duration
        if header.has_sample_table and header.fps is not None:
            expected = min(round(seconds * header.fps), _count_packets(self._path))
        else:
            expected = round(seconds * self._rate) if header.has_constant_rate else 0
        return max(0, expected - self.n_decoded)

    def problem(self, returncode: int) -> str | None:
        """Say why what was decoded is not the complete video; None if it is, as far as can be known."""
        if self._last is None:
            return f"it cannot be decoded ({self._reasons.text(returncode)})"
        if self._garbled is not None:
            return f"it cannot be decoded ({self._garbled})"
        if self._cut is not None:
            return f"it is cut off after {self.n_decoded} frames ({self._cut})"
        if returncode:
            return f"decoding stops after {self.n_decoded} frames ({self._reasons.text(returncode)})"
        end, declared_end = self._seconds(sum(self._last)), self._header.end
        if self._late_errors and declared_end is not None and end < declared_end - 1:
            errors = "; ".join(dict.fromkeys(self._late_errors))
            return f"decoding ends at {end:.2f} s of {declared_end:.2f} s, after errors ({errors})"
        return None
