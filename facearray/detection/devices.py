"""Where inference runs, and what is done when it has too little memory there."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Literal, cast, get_args

from facearray.errors import InputError, unknown_names

__all__ = ["RUNTIMES", "Kind", "free_memory", "is_elsewhere", "is_out_of_memory", "resolve_device", "resolve_runtime"]

#: What can compute networks.
Kind = Literal["torch", "litert"]
RUNTIMES: tuple[Kind, ...] = get_args(Kind)

#: Devices that a machine may have.
_DEVICES = re.compile(r"cpu|mps|cuda(:\d+)?")

#: What torch says on CPU, CUDA and MPS; all of them raise a RuntimeError, on some devices of a class of its own.
_OUT_OF_MEMORY = re.compile(r"out of memory|can't allocate memory|not enough memory", re.IGNORECASE)


def resolve_device(device: str) -> str:
    """Turn what the user asked for into a device that this machine has.

    Parameters
    ----------
    device
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``, or ``"auto"``: CUDA where there is any, else MPS, else the CPU.

    Raises
    ------
    InputError
        If there is no such device.

    Examples
    --------
    >>> resolve_device("cpu")
    'cpu'
    """
    available = _available()
    if device == "auto":
        return available[-1].partition(":")[0]
    if device not in available and f"{device}:0" not in available:
        shown = ", ".join(available)
        raise InputError(f"found device={device!r}; expected 'auto' or what torch finds on this machine: {shown}")
    return device


def is_elsewhere(device: str) -> bool:
    """Whether a device is one that other machines may have, and this one has not.

    Examples
    --------
    >>> is_elsewhere("cpu"), is_elsewhere("auto"), is_elsewhere("gpu")
    (False, False, False)
    """
    available = _available()
    return _DEVICES.fullmatch(device) is not None and not {device, f"{device}:0"} & set(available)


def resolve_runtime(runtime: str, device: str, *, compile: bool = False) -> Kind:  # noqa: A002 - torch's name
    """Turn what the user asked for into what computes networks on a device.

    Parameters
    ----------
    runtime
        ``"torch"``, on any device; ``"litert"``, on the CPU, if the package ``ai-edge-litert`` is installed; or
        ``"auto"``: LiteRT where it can be used, else torch.
    device
        The device, as torch names it.
    compile
        Whether networks are compiled, which is torch's.

    Raises
    ------
    InputError
        If there is no such runtime, it is not installed, it does not run on the device, or it does not compile.

    Examples
    --------
    >>> resolve_runtime("auto", "cuda:0"), resolve_runtime("torch", "cpu")
    ('torch', 'torch')
    """
    if runtime not in ("auto", *RUNTIMES):
        raise unknown_names("runtime", [runtime], ["auto", *RUNTIMES])
    is_installed = find_spec("ai_edge_litert") is not None
    if runtime == "litert" and device != "cpu":
        raise InputError(
            f"found runtime='litert' on {device}; expected it on the CPU only; use device='cpu' or 'torch'"
        )
    if runtime == "litert" and compile:
        raise InputError(
            "found runtime='litert' and compile=True; expected one of them: torch compiles, LiteRT does not"
        )
    if runtime == "litert" and not is_installed:
        raise InputError("found runtime='litert' and no package ai-edge-litert; install it: facearray[litert]")
    if runtime == "auto":
        return "litert" if device == "cpu" and is_installed and not compile else "torch"
    return cast(Kind, runtime)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there was too little memory, on the machine or on the device.

    Examples
    --------
    >>> is_out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    True
    >>> is_out_of_memory(RuntimeError("shapes cannot be multiplied"))
    False
    """
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and _OUT_OF_MEMORY.search(str(error)) is not None


def free_memory(device: str) -> None:
    """Give back what torch keeps of a device's memory for later, so that other sizes fit."""
    kind = device.partition(":")[0]
    if kind == "cpu":
        return
    import torch

    if kind == "cuda":
        torch.cuda.empty_cache()
    elif kind == "mps":
        torch.mps.empty_cache()


def _available() -> list[str]:
    """Names of the devices, the CPU first and the preferred kind last."""
    import torch

    mps = ["mps"] if torch.backends.mps.is_available() else []
    return ["cpu", *mps, *(f"cuda:{k}" for k in range(torch.cuda.device_count()))]
