"""Speed of rendering: a 720p video with everything drawn on it, against the rate at which it plays.

The sample video is enlarged to 1280 x 720 and detected first. Two kinds are rendered in turns: everything drawn, with
the sound copied; faces blurred. The last line is one JSON object: `frames_per_second` by the clock and `render_ratio`,
that divided by the video's own rate, of the fastest of the rounds, as other programs on the machine only slow it down;
`cpu_ms`, milliseconds of processor time a frame, of the decoder, of this process and of the encoder together;
`peak_mb` of this process while it renders, and `longer_mb`, how much more that is for a video four times as long.

    python -m benchmarks.render [--rounds 3] [--frames 150]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import subprocess
import tempfile
import time
from pathlib import Path

import imageio_ffmpeg

import facearray as fa
from facearray.detection.parallel import available_cpus
from facearray.detection.video import probe

QUICK = "--rounds 1 --frames 8"
FIGURES = {"render_ratio": ">= 0.5", "frames_per_second": ">= 12.5", "cpu_ms": "", "peak_mb": "<= 600", "longer_mb": ""}

KINDS = {"all": {}, "blur": {"blur_faces": True}}


def enlarged(folder: Path, n_frames: int) -> Path:
    """The first frames of the sample video at 720 lines, with a tone, and with the video four times in a row."""
    source, video = fa.datasets.sample_video("wolfgang"), folder / "video.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(source), "-f", "lavfi", "-i", "sine=440"]
    command += ["-map", "0:v", "-map", "1:a", "-vf", "scale=1280:720", "-frames:v", str(n_frames), "-shortest"]
    subprocess.run([*command, "-c:v", "libx264", "-preset", "fast", str(video)], check=True)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-stream_loop", "3", "-i", str(video), "-c", "copy"]
    subprocess.run([*command, str(folder / "longer.mp4")], check=True)
    return video


def processor_seconds() -> float:
    """Of this process and the decoders and encoders that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def peak_mb(store: Path, video: Path, out: Path) -> float:
    """Peak memory of a process that renders a video and does nothing else."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (store, video, out))


def _peak(store: Path, video: Path, out: Path) -> float:
    fa.plot.render(store, video, out, overwrite=True, progress=False)
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    # what getrusage says begins with the peak of the process that started this one
    return next(int(line.split()[1]) / 1024 for line in status.read_text().splitlines() if line.startswith("VmHWM"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=150)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video, store, out = enlarged(folder, arguments.frames), folder / "s.zarr", folder / "out.mp4"
        fa.detect([video, folder / "longer.mp4"], store, progress=False)
        fastest: dict[str, float] = dict.fromkeys(KINDS, 0.0)
        cheapest: dict[str, float] = dict.fromkeys(KINDS, float("inf"))
        for number in range(arguments.rounds):
            for kind, options in KINDS.items():
                wall, own = time.perf_counter(), processor_seconds()
                n_frames = fa.plot.render(store, video, out, overwrite=True, progress=False, **options).n_frames
                fastest[kind] = max(fastest[kind], n_frames / (time.perf_counter() - wall))
                cheapest[kind] = min(cheapest[kind], 1000 * (processor_seconds() - own) / n_frames)
            print(f"round {number + 1}, frames/s: {fastest}", flush=True)
        peak, longer = (peak_mb(store, path, out) for path in (video, folder / "longer.mp4"))
        result = {
            "render_ratio": round(fastest["all"] / probe(video).fps, 2),
            "frames_per_second": round(fastest["all"], 1),
            "cpu_ms": round(cheapest["all"], 1),
            "blur_frames_per_second": round(fastest["blur"], 1),
            "blur_cpu_ms": round(cheapest["blur"], 1),
            "peak_mb": round(peak),
            "longer_mb": round(longer - peak),
            "video_fps": probe(video).fps,
            "cpus": available_cpus(),
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
