"""Follow the README in an empty folder: all its Python, and its commands of `facearray`, in the order of the page.

Run it by the interpreter of the environment that is to be tried, without the repository on the path:

    python tools/follow_readme.py README.md FOLDER

What the README takes for granted is put into the folder first: two recordings in `interviews/`, detections of twenty
clips in `detections/`, and their table `clips.csv`, all from the sample files. A statement or command that fails ends
it. The viewer is asked for its page, then interrupted. Commands of a clone (`make`, `pip`, `conda`) are not followed.
Each is printed with what it says.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RECORDINGS = {"anna.mp4": "single_face", "ben.mp4": "wolfgang"}


def prepare(folder: Path) -> None:
    """Put the recordings, detections and the table there."""
    import facearray as fa
    from facearray import assets

    for name in ("interviews", "detections"):
        (folder / name).mkdir(parents=True)
    for name, sample in RECORDINGS.items():
        video = fa.datasets.sample_video(sample)
        shutil.copy(video, folder / "interviews" / Path(name).with_suffix(video.suffix))
    study = fa.datasets.good_bad_news()
    for video in study.video.values.tolist():
        name = f"{video.removesuffix('.mp4')}.csv"
        shutil.copy(assets.path(f"good_bad_news/{name}"), folder / "detections" / name)
    table = study.condition.to_series().rename("condition").rename_axis("input").reset_index()
    table.to_csv(folder / "clips.csv", index=False)


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """Language and text of each block of code."""
    yield from re.findall(r"^```(\w+)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[str]:
    """Commands of a console block that are of `facearray`."""
    lines = (line.removeprefix("$ ") for line in text.splitlines())
    return [line for line in lines if line.startswith("facearray ")]


def run_python(text: str, names: dict[str, Any]) -> None:
    """Run statement by statement, and show the value of an expression as an interpreter does."""
    for statement in ast.parse(text).body:
        source = ast.get_source_segment(text, statement)
        print(f">>> {source}", flush=True)
        if isinstance(statement, ast.Expr):
            value = eval(compile(ast.Expression(statement.value), "README", "eval"), names)  # noqa: S307 (our page)
            shown = repr(value).splitlines()
            print("\n".join([*shown[:6], *(["..."] if len(shown) > 6 else [])]), flush=True)
        else:
            exec(compile(ast.Module([statement], []), "README", "exec"), names)  # noqa: S102 (our page)


def run_command(line: str) -> None:
    """Run a command by a shell, with the programs of this environment first."""
    print(f"$ {line}", flush=True)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path}
    if line.startswith("facearray view "):
        visit(line, environment)
    else:
        subprocess.run(line, shell=True, check=True, env=environment)  # noqa: S602 (our page)


def visit(line: str, environment: dict[str, str]) -> None:
    """Start a server, ask for the page that it names, and end it as its user does."""
    command = shlex.split(line, comments=True)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = re.search(r"http://\S+", server.stdout.readline())
            if address is None:
                raise SystemExit(f"found no address in what {line!r} says first; expected http://…")
            browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            with browser.open(address[0], timeout=60) as answer:
                print(f"{answer.status} {len(answer.read())} bytes", flush=True)
        finally:
            server.send_signal(signal.SIGINT)
            print(server.communicate()[0], end="", flush=True)
    if server.returncode:
        raise SystemExit(f"found exit code {server.returncode} of {line!r} after an interrupt; expected 0")


def main() -> None:
    """Prepare, then follow."""
    page, folder = Path(sys.argv[1]).read_text(encoding="utf-8"), Path(sys.argv[2])
    prepare(folder)
    os.chdir(folder)
    sys.path[0] = ""
    names: dict[str, Any] = {}
    warnings.simplefilter("default")
    n_statements = n_commands = 0
    for language, text in blocks(page):
        if language == "python":
            run_python(text, names)
            n_statements += len(ast.parse(text).body)
        else:
            for line in commands(text):
                run_command(line)
                n_commands += 1
    if not n_statements or not n_commands:
        raise SystemExit(f"found {n_statements} statements and {n_commands} commands; expected some of both")
    print(f"followed {n_statements} statements and {n_commands} commands")


if __name__ == "__main__":
    main()
