"""Where inference runs."""

from __future__ import annotations

from facearray.errors import InputError

__all__ = ["resolve_device"]


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


def _available() -> list[str]:
    """Names of the devices, the CPU first and the preferred kind last."""
    import torch

    mps = ["mps"] if torch.backends.mps.is_available() else []
    return ["cpu", *mps, *(f"cuda:{k}" for k in range(torch.cuda.device_count()))]
