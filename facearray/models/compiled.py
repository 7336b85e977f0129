"""Networks with kernels that torch compiles for them, and the cache that keeps these for the next process."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import FileLock
from torch import Tensor

from facearray import assets
from facearray.errors import InputError

__all__ = ["CompiledGraph", "cache_folder"]

logger = logging.getLogger(__name__)

#: Samples that go through a network together. Kernels are made for one size of batch: another would be compiled anew.
BATCH = 8

_MANIFEST = "facearray-manifest.json"
_CACHE_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"
_NAME = "facearray-compiled"


class CompiledGraph:
    """A network, compiled, for batches of any size: they go through it in parts of ``BATCH``, the last one filled up.

    Parameters
    ----------
    network
        From tensors with a batch axis to a tuple of them; what a sample gives may not depend on the others.
    input_shapes
        Of what goes in, without the batch axis.
    device
        Where it computes.

    Raises
    ------
    InputError
        If torch cannot compile it on this machine.

    Notes
    -----
    What torch makes (C++ libraries, Triton kernels) goes to a folder of our own, below the one that
    ``TORCHINDUCTOR_CACHE_DIR`` names or facearray's cache folder. There a manifest holds the hashes of all files. Where
    one does not agree, or compiling with what is there fails, it is emptied and all is made anew, with a warning.
    """

    def __init__(
        self,
        network: Callable[..., tuple[Tensor, ...]],
        input_shapes: Sequence[tuple[int, ...]],
        device: torch.device | str = "cpu",
    ) -> None:
        self.input_shapes = tuple(input_shapes)
        self._network = network
        example = [torch.zeros(BATCH, *shape, device=device) for shape in self.input_shapes]
        with _checked_cache() as cache:
            try:
                self._compile(example)
            except Exception as error:  # whatever the compiler, the linker or the loader of what is cached raise
                if not cache.was_used:
                    raise _no_compiler(error) from error
                cache.empty(f"compiling with it failed ({_first_line(error)})")
                torch._dynamo.reset()
                try:
                    self._compile(example)
                except Exception as again:
                    raise _no_compiler(again) from again

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Compute the outputs.

        Raises
        ------
        ValueError
            If the inputs have other shapes.
        """
        found = tuple(tuple(x.shape[1:]) for x in inputs)
        if found != self.input_shapes:
            raise ValueError(f"found inputs of shape {found}; expected {self.input_shapes} after the batch axis")
        n, parts = len(inputs[0]), []
        with torch.inference_mode(), _one_thread():
            for start in range(0, max(n, 1), BATCH):
                some = [_filled(x[start : start + BATCH]) for x in inputs]
                # What it returns may be overwritten by the next call.
                parts.append([output[: n - start].clone() for output in self._compiled(*some)])
        return tuple(torch.cat(outputs) for outputs in zip(*parts, strict=True))

    def _compile(self, example: list[Tensor]) -> None:
        self._compiled = torch.compile(self._network, dynamic=False, fullgraph=True)
        with torch.inference_mode(), _one_thread():
            self._compiled(*example)


def cache_folder() -> Path:
    """Where compiled networks are kept."""
    chosen = os.environ.get(_CACHE_VARIABLE)
    own = Path(_NAME, torch.__version__)
    if chosen and Path(chosen).parts[-2:] == own.parts:  # set here before
        return Path(chosen)
    return (Path(chosen) if chosen else assets.cache_root()) / own


class _checked_cache:  # noqa: N801 - used like a function
    """The cache, locked against other processes, with its files compared with the manifest before and listed after."""

    def __init__(self) -> None:
        self.folder = cache_folder()
        self.was_used = False
        self._before = os.environ.get(_CACHE_VARIABLE)

    def __enter__(self) -> _checked_cache:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self.folder.parent / f"{self.folder.name}.lock")
            self._lock.acquire()
        except OSError as error:
            raise InputError(
                f"found no way to write into {self.folder} ({error.strerror or error}); expected a folder for compiled "
                f"networks; name another one ({_CACHE_VARIABLE}), or leave compile out"
            ) from error
        os.environ[_CACHE_VARIABLE] = str(self.folder)
        if wrong := self._wrong():
            self.empty(f"{wrong} is not as it was written")
        self.was_used = (self.folder / _MANIFEST).exists()
        return self

    def __exit__(self, *error: object) -> None:
        try:
            if error[0] is None:
                (self.folder / _MANIFEST).write_text(json.dumps(self._hashes()))
        finally:
            # Without a folder of the user's it stays ours: torch would set it to a temporary one.
            if self._before is not None:
                os.environ[_CACHE_VARIABLE] = self._before
            self._lock.release()

    def empty(self, reason: str) -> None:
        """Delete everything in it, and say why."""
        logger.warning(
            "the cache of compiled networks in %s is emptied: %s; they are compiled anew", self.folder, reason
        )
        shutil.rmtree(self.folder)
        self.folder.mkdir()

    def _wrong(self) -> str:
        """Name a file that the manifest knows otherwise; empty if there is none."""
        manifest = self.folder / _MANIFEST
        if not manifest.exists():
            return ""
        try:
            known = json.loads(manifest.read_text())
            found = self._hashes()
        except (OSError, ValueError):
            return _MANIFEST
        return next((name for name, digest in sorted(known.items()) if found.get(name) != digest), "")

    def _hashes(self) -> dict[str, str]:
        files = (path for path in self.folder.rglob("*") if path.is_file() and path.name != _MANIFEST)
        return {
            path.relative_to(self.folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
        }


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread: batches run side by side, and torch compiles anew for another number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _filled(x: Tensor) -> Tensor:
    """Fill a batch up with zeros, and lay it out as the kernels expect it."""
    x = x.contiguous()
    return x if len(x) == BATCH else torch.cat([x, x.new_zeros(BATCH - len(x), *x.shape[1:])])


def _no_compiler(error: Exception) -> InputError:
    return InputError(
        f"found compile=True, and torch cannot compile here ({_first_line(error)}); expected a C++ compiler (g++ or "
        "clang++; on CUDA also Triton); install one, or leave compile out"
    )


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".strip().splitlines()[0]
