"""Files that are written for a runtime: read back by our own reader and by LiteRT, against torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from facearray.models.litert import LiteRTGraph
from facearray.models.tflite import load_tflite
from facearray.models.tflite_writer import GraphWriter

RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


WEIGHT, BIAS, DEPTHWISE = normal(6, 4, 3, 3), normal(6), normal(4, 1, 3, 3)


def same_padded(x: Tensor, stride: int) -> Tensor:
    """Zeros as TensorFlow puts them for a kernel of 3, the odd one after."""
    total = [max((-(-n // stride) - 1) * stride + 3 - n, 0) for n in x.shape[2:]]
    (top, bottom), (left, right) = ((n // 2, n - n // 2) for n in total)
    return functional.pad(x, (left, right, top, bottom))


#: Writes an operator, the same in torch for (n, channel, height, width), and whether our own reader knows it.
CASES: dict[str, tuple[Callable[[GraphWriter, int], int], Callable[[Tensor], Tensor], bool]] = {
    "conv": (
        lambda g, x: g.convolve(x, WEIGHT, BIAS),
        lambda x: torch.conv2d(same_padded(x, 1), torch.tensor(WEIGHT), torch.tensor(BIAS)),
        True,
    ),
    "conv_stride_relu": (
        lambda g, x: g.convolve(x, WEIGHT, BIAS, stride=2, relu=True),
        lambda x: torch.conv2d(same_padded(x, 2), torch.tensor(WEIGHT), torch.tensor(BIAS), 2).relu(),
        True,
    ),
    "conv_without_bias": (
        lambda g, x: g.convolve(x, WEIGHT, stride=2),
        lambda x: torch.conv2d(same_padded(x, 2), torch.tensor(WEIGHT), None, 2),
        True,
    ),
    "depthwise": (
        lambda g, x: g.convolve(x, DEPTHWISE, stride=2, depthwise=True),
        lambda x: torch.conv2d(same_padded(x, 2), torch.tensor(DEPTHWISE), None, 2, groups=4),
        True,
    ),
    "relu": (lambda g, x: g.relu(x), torch.relu, True),
    "add_relu": (lambda g, x: g.add(x, g.relu(x), relu=True), lambda x: (x + x.relu()).relu(), True),
    "mean": (lambda g, x: g.mean(x), lambda x: x.mean((2, 3), keepdim=True), True),
}


@pytest.mark.parametrize("case", CASES)
def test_writer__as_torch(case: str) -> None:
    write, expected, is_readable = CASES[case]
    graph = GraphWriter()
    x = graph.input(7, 8, 4)
    y = write(graph, x)
    data = graph.finish(y)
    pictures = torch.from_numpy(normal(3, 7, 8, 4))
    wanted = expected(pictures.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    assert graph.size(y) == wanted.shape[1:]
    for load in (LiteRTGraph, load_tflite)[: 1 + is_readable]:
        (found,) = load(data, case)(pictures)
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
