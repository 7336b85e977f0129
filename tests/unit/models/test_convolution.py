from __future__ import annotations

import pytest
import torch
from torch import nn

from facearray.models.convolution import Conv2d, Linear, convolve


@pytest.mark.parametrize("groups", [1, 4])
def test_convolve__as_torch(groups: int) -> None:
    torch.manual_seed(0)
    x, weight, bias = torch.randn(3, 4, 9, 8), torch.randn(8, 4 // groups, 3, 3), torch.randn(8)
    found = convolve(x, weight, bias, stride=[2, 1], padding=[1, 2], dilation=[1, 2], groups=groups)
    expected = torch.conv2d(x.double(), weight.double(), bias.double(), (2, 1), (1, 2), (1, 2), groups)
    torch.testing.assert_close(found.double(), expected, atol=1e-5, rtol=0)


def test_conv2d__as_torch() -> None:
    torch.manual_seed(0)
    ours, theirs, x = Conv2d(4, 8, 3, 2), nn.Conv2d(4, 8, 3, 2), torch.randn(2, 4, 9, 9)
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=0)


def test_linear__as_torch() -> None:
    torch.manual_seed(0)
    ours, theirs, x = Linear(40, 7), nn.Linear(40, 7), torch.randn(5, 40)
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=0)


@pytest.mark.parametrize("layer", [Conv2d(16, 32, 1), Conv2d(16, 8, 3), Linear(256, 7)])
def test_layer__same_values_in_any_batch(layer: nn.Module) -> None:
    torch.manual_seed(0)
    x = torch.randn(33, 256) if isinstance(layer, Linear) else torch.randn(33, 16, 12, 12)
    with torch.inference_mode():
        together = layer(x)
        for n in (1, 2, 7, 15, 16):
            assert torch.equal(layer(x[-n:]), together[-n:])
