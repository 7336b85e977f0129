"""What each TFLite operator computes, on tensors in TFLite's layout with a batch of any size on the first axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import tflite
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from facearray.models.convolution import convolve

__all__ = ["OPERATORS", "Call", "Operator", "UnsupportedError"]


class UnsupportedError(Exception):
    """A use of an operator that is not implemented."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of a file.

    Attributes
    ----------
    options
        The operator's flatbuffer table of options, or None.
    shapes
        Shapes of its operands.
    constants
        Values of those operands that are constants, None for the others.
    result_shape
        Shape of its result.
    """

    options: Any
    shapes: Sequence[tuple[int, ...]]
    constants: Sequence[NDArray[Any] | None]
    result_shape: tuple[int, ...]

    def read_options(self, table: type[Any]) -> Any:
        """Read the options as the table of this kind of operator."""
        if self.options is None:
            raise UnsupportedError("found no options")
        options = table()
        options.Init(self.options.Bytes, self.options.Pos)
        return options

    def constant(self, position: int) -> NDArray[Any]:
        """Value of an operand that has to be a constant."""
        value = self.constants[position]
        if value is None:
            raise UnsupportedError(f"found a computed operand {position}; expected a constant")
        return value


class Call(nn.Module):
    """A function, some of whose operands are fixed tensors.

    Parameters
    ----------
    function
        What to call.
    *operands
        The fixed tensors in their places, None for those that are computed.
    """

    def __init__(self, function: Callable[..., Tensor], *operands: Tensor | None) -> None:
        super().__init__()
        self.function = function
        self._names = [None if operand is None else f"operand_{k}" for k, operand in enumerate(operands)]
        for name, operand in zip(self._names, operands, strict=True):
            if name is not None:
                self.register_buffer(name, operand, persistent=False)

    def forward(self, *computed: Tensor) -> Tensor:
        """Call the function with the computed operands in the free places."""
        remaining = iter(computed)
        return self.function(*[next(remaining) if name is None else self._buffers[name] for name in self._names])


_ACTIVATIONS: Mapping[int, Callable[[Tensor], Tensor] | None] = {
    tflite.ActivationFunctionType.NONE: None,
    tflite.ActivationFunctionType.RELU: torch.relu_,
    tflite.ActivationFunctionType.RELU6: partial(torch.clamp_, min=0, max=6),
}


def _activation(code: int) -> Callable[[Tensor], Tensor] | None:
    if code not in _ACTIVATIONS:
        raise UnsupportedError(f"found fused activation {code}; expected none, RELU or RELU6")
    return _ACTIVATIONS[code]


def _conv_2d(operator: Operator) -> Call:
    options = operator.read_options(tflite.Conv2DOptions)
    weight = operator.constant(1).transpose(0, 3, 1, 2)
    return _convolution(operator, options, weight, groups=1)


def _depthwise_conv_2d(operator: Operator) -> Call:
    options = operator.read_options(tflite.DepthwiseConv2DOptions)
    weight = operator.constant(1).transpose(3, 0, 1, 2)
    return _convolution(operator, options, weight, groups=operator.shapes[0][3])


def _convolution(operator: Operator, options: Any, weight: NDArray[Any], groups: int) -> Call:
    if weight.shape[1] * groups != operator.shapes[0][3]:
        raise UnsupportedError(f"found weights for {weight.shape[1] * groups} channels; got {operator.shapes[0][3]}")
    stride = [options.StrideH(), options.StrideW()]
    dilation = [options.DilationHFactor(), options.DilationWFactor()]
    before, after = _padding(options.Padding(), operator.shapes[0][1:3], weight.shape[2:], stride, dilation)
    symmetric = before == after
    activation = _activation(options.FusedActivationFunction())
    run = partial(convolve, stride=stride, padding=before if symmetric else [0, 0], dilation=dilation, groups=groups)

    def function(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        if not symmetric:
            x = functional.pad(x, (0, 0, before[1], after[1], before[0], after[0]))
        # A view with the channels second is what torch calls channels_last: nothing is copied.
        y = run(x.permute(0, 3, 1, 2), weight, bias).permute(0, 2, 3, 1)
        return y if activation is None else activation(y)

    return Call(
        function, None, _tensor(weight), *[_tensor(operator.constant(k)) for k in range(2, len(operator.shapes))]
    )


def _padding(
    kind: int, size: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Zeros to add before and after each spatial axis; with ``SAME`` the odd one goes after."""
    if kind == tflite.Padding.VALID:
        return [0, 0], [0, 0]
    total = [
        max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0)
        for n, k, s, d in zip(size, kernel, stride, dilation, strict=True)
    ]
    return [n // 2 for n in total], [n - n // 2 for n in total]


def _max_pool_2d(operator: Operator) -> Call:
    options = operator.read_options(tflite.Pool2DOptions)
    kernel = [options.FilterHeight(), options.FilterWidth()]
    stride = [options.StrideH(), options.StrideW()]
    if any(map(any, _padding(options.Padding(), operator.shapes[0][1:3], kernel, stride, [1, 1]))):
        raise UnsupportedError("found padding; expected windows that fit")
    if _activation(options.FusedActivationFunction()) is not None:
        raise UnsupportedError("found a fused activation; expected none")
    return Call(lambda x: functional.max_pool2d(x.permute(0, 3, 1, 2), kernel, stride).permute(0, 2, 3, 1), None)


def _pad(operator: Operator) -> Call:
    pairs = operator.constant(1).reshape(-1, 2).tolist()
    if any(pairs[0]):
        raise UnsupportedError("found padding of the first axis; expected a batch there")
    widths = [width for pair in reversed(pairs) for width in pair]
    return Call(lambda x: functional.pad(x, widths), None)


def _reshape(operator: Operator) -> Call:
    if operator.result_shape[0] != 1 or operator.shapes[0][0] != 1:
        raise UnsupportedError(f"found {operator.shapes[0]} to {operator.result_shape}; expected both to start with 1")
    shape = operator.result_shape[1:]
    return Call(lambda x: x.reshape(len(x), *shape), None)


def _concatenation(operator: Operator) -> Call:
    options = operator.read_options(tflite.ConcatenationOptions)
    axis = options.Axis() % len(operator.result_shape)
    if axis == 0 or _activation(options.FusedActivationFunction()) is not None:
        raise UnsupportedError("found the first axis or a fused activation; expected neither")

    def function(*parts: Tensor) -> Tensor:
        n = max(len(part) for part in parts)
        return torch.cat([part.expand(n, *part.shape[1:]) for part in parts], dim=axis)

    return Call(function, *map(_tensor_or_none, operator.constants))


def _strided_slice(operator: Operator) -> Call:
    options = operator.read_options(tflite.StridedSliceOptions)
    begin, end, step = (operator.constant(k).tolist() for k in (1, 2, 3))
    if options.EllipsisMask() or options.NewAxisMask() or any(n < 1 for n in step):
        raise UnsupportedError("found an ellipsis, a new axis or a backward step; expected plain slices")
    index: list[slice | int] = []
    for axis, (first, last, stride) in enumerate(zip(begin, end, step, strict=True)):
        if options.ShrinkAxisMask() >> axis & 1:
            index.append(first)
        else:
            start = None if options.BeginMask() >> axis & 1 else first
            stop = None if options.EndMask() >> axis & 1 else last
            index.append(slice(start, stop, stride))
    # The file's batch is 1, so that the first axis can only be kept whole or dropped; here it stays.
    index[0] = slice(None)
    return Call(lambda x: x[tuple(index)], None)


def _transpose(operator: Operator) -> Call:
    order = operator.constant(1).tolist()
    if order[0] != 0:
        raise UnsupportedError(f"found the order {order}; expected the first axis to stay first")
    return Call(lambda x: x.permute(order), None)


def _prelu(operator: Operator) -> Call:
    slope = operator.constant(1)
    if slope.size != operator.shapes[0][-1]:
        raise UnsupportedError(f"found slopes of shape {slope.shape}; expected one for each channel")
    # TFLite has the channels last, torch second.
    return Call(lambda x, slope: torch.prelu(x.movedim(-1, 1), slope).movedim(1, -1), None, _tensor(slope.ravel()))


def _reduction(reduce: Callable[..., Tensor]) -> Callable[[Operator], Call]:
    def build(operator: Operator) -> Call:
        keep = operator.read_options(tflite.ReducerOptions).KeepDims()
        axes = [axis % len(operator.shapes[0]) for axis in operator.constant(1).ravel().tolist()]
        if 0 in axes:
            raise UnsupportedError("found a reduction over the first axis; expected a batch there")
        return Call(lambda x: reduce(x, axes, keep), None)

    return build


def _unary(function: Callable[[Tensor], Tensor]) -> Callable[[Operator], Call]:
    return lambda operator: Call(function, *map(_tensor_or_none, operator.constants))


def _sigmoid(x: Tensor) -> Tensor:
    # In float32 the vector code and the code for what remains at the end of an array round differently: the value of
    # an element would depend on how many there are.
    return x.double().sigmoid().to(x.dtype) if x.device.type == "cpu" else x.sigmoid()


def _binary(function: Callable[[Tensor, Tensor], Tensor], table: type[Any] | None) -> Callable[[Operator], Call]:
    def build(operator: Operator) -> Call:
        activation = None
        if table is not None and operator.options is not None:
            activation = _activation(operator.read_options(table).FusedActivationFunction())
        run = function if activation is None else lambda x, y: activation(function(x, y))
        return Call(run, *map(_tensor_or_none, operator.constants))

    return build


def _tensor(value: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.array(value, order="C"))


def _tensor_or_none(value: NDArray[Any] | None) -> Tensor | None:
    return None if value is None else _tensor(value)


#: What makes a module of an operator, by the operator's name in TFLite.
OPERATORS: Mapping[str, Callable[[Operator], Call]] = MappingProxyType(
    {
        "ADD": _binary(torch.add, tflite.AddOptions),
        "CONCATENATION": _concatenation,
        "CONV_2D": _conv_2d,
        "DEPTHWISE_CONV_2D": _depthwise_conv_2d,
        "DIV": _binary(torch.div, tflite.DivOptions),
        "LOGISTIC": _unary(_sigmoid),
        "MAX_POOL_2D": _max_pool_2d,
        "MEAN": _reduction(torch.mean),
        "MUL": _binary(torch.mul, tflite.MulOptions),
        "NEG": _unary(torch.neg),
        "PAD": _pad,
        "PRELU": _prelu,
        "RELU": _unary(torch.relu),
        "RESHAPE": _reshape,
        "RSQRT": _unary(torch.rsqrt),
        "SQRT": _unary(torch.sqrt),
        "SQUARED_DIFFERENCE": _binary(lambda x, y: (x - y).square_(), None),
        "STRIDED_SLICE": _strided_slice,
        "SUB": _binary(torch.sub, tflite.SubOptions),
        "SUM": _reduction(torch.sum),
        "TRANSPOSE": _transpose,
    }
)
