"""Convolutions and matrix products whose rounding does not depend on the size of the batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

__all__ = ["Conv2d", "Linear", "convolve"]

_HAS_ONEDNN: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


def convolve(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """Convolve like :func:`torch.conv2d`, on the CPU always through oneDNN where torch has it.

    Left to itself torch takes another implementation for small batches, with other roundings: the values of a frame
    would depend on how many frames come with it.

    Parameters
    ----------
    x, weight, bias, stride, padding, dilation, groups
        As for :func:`torch.conv2d`.
    """
    # A compiled network has one size of batch, and torch's compiler fuses what it knows only.
    if x.device.type == "cpu" and _HAS_ONEDNN and not torch.compiler.is_compiling():
        result: Tensor = torch.ops.aten.mkldnn_convolution(x, weight, bias, padding, stride, dilation, groups)
        return result
    return torch.conv2d(x, weight, bias, stride, padding, dilation, groups)


class Conv2d(nn.Conv2d):
    """:class:`torch.nn.Conv2d` by :func:`convolve`, with a number of zeros for padding."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Convolve a (n, channel, height, width) tensor."""
        return convolve(
            input,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=cast(tuple[int, int], self.padding),
            dilation=self.dilation,
            groups=self.groups,
        )


class Linear(nn.Linear):
    """:class:`torch.nn.Linear` by :func:`convolve`, for (n, feature) tensors."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Apply the weights to a (n, feature) tensor."""
        kernel, picture = self.weight[:, :, None, None], input[:, :, None, None]
        once = (1, 1)
        return convolve(picture, kernel, self.bias, stride=once, padding=(0, 0), dilation=once, groups=1).flatten(1)
