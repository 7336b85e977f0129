"""TFLite files of torch's weights: a runtime for such files then computes networks that come as something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
import tflite
from numpy.typing import NDArray

__all__ = ["GraphWriter"]

#: What the format asks for, so that weights can be used where they lie.
_ALIGNMENT = 16

_KINDS = {np.dtype(np.float32): tflite.TensorType.FLOAT32, np.dtype(np.int32): tflite.TensorType.INT32}


@dataclass
class GraphWriter:
    """Writes a graph, operator by operator. Tensors are known by their numbers, and start with a batch axis of 1.

    Examples
    --------
    >>> graph = GraphWriter()
    >>> x = graph.input(2, 2, 1)
    >>> y = graph.add(x, x, relu=True)
    >>> graph.finish(y)[4:8]
    b'TFL3'
    """

    _shapes: list[tuple[int, ...]] = field(default_factory=list)
    _constants: list[NDArray[Any] | None] = field(default_factory=list)
    _steps: list[tuple[str, tuple[int, ...], int, str, Mapping[str, int]]] = field(default_factory=list)
    _inputs: list[int] = field(default_factory=list)

    def input(self, *shape: int) -> int:
        """Begin with a tensor that is computed elsewhere; without the batch axis."""
        self._inputs.append(self._tensor((1, *shape), None))
        return self._inputs[-1]

    def convolve(
        self,
        x: int,
        weight: NDArray[np.float32],
        bias: NDArray[np.float32] | None = None,
        *,
        stride: int = 1,
        depthwise: bool = False,
        relu: bool = False,
    ) -> int:
        """Convolve with a kernel of torch, (out, in, height, width), or (channel, 1, height, width) if ``depthwise``.

        Zeros are added around it so that all places have a result, the odd one after.
        """
        n_out = len(weight)
        values = weight.transpose(1, 2, 3, 0) if depthwise else weight.transpose(0, 2, 3, 1)
        offset = np.zeros(n_out, np.float32) if bias is None else bias
        options = {**_strides(stride), "Padding": tflite.Padding.SAME, **_activation(relu=relu)}
        options |= {"DilationHFactor": 1, "DilationWFactor": 1} | ({"DepthMultiplier": 1} if depthwise else {})
        kind, table = ("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions") if depthwise else ("CONV_2D", "Conv2DOptions")
        shape = (*self._size(x, stride), n_out)
        return self._step(kind, (x, self._constant(values), self._constant(offset)), shape, table, options)

    def add(self, x: int, y: int, *, relu: bool = False) -> int:
        """Add two tensors of one shape."""
        return self._step("ADD", (x, y), self._shapes[x][1:], "AddOptions", _activation(relu=relu))

    def relu(self, x: int) -> int:
        """Take what is above 0."""
        return self._step("RELU", (x,), self._shapes[x][1:])

    def mean(self, x: int) -> int:
        """Take the mean over height and width, which stay with a size of 1."""
        axes = self._constant(np.array([1, 2], np.int32))
        return self._step("MEAN", (x, axes), (1, 1, self._shapes[x][3]), "ReducerOptions", {"KeepDims": True})

    def size(self, x: int) -> tuple[int, ...]:
        """Shape of a tensor without the batch axis."""
        return self._shapes[x][1:]

    def finish(self, *outputs: int) -> bytes:
        """Return the content of the file."""
        builder = flatbuffers.Builder(2**20 + sum(c.nbytes for c in self._constants if c is not None))
        codes = list(dict.fromkeys(kind for kind, *_ in self._steps))
        buffers = [_buffer(builder, None), *(_buffer(builder, c) for c in self._constants if c is not None)]
        of_tensor = np.cumsum([c is not None for c in self._constants])
        tensors = []
        for number, (shape, constant) in enumerate(zip(self._shapes, self._constants, strict=True)):
            sizes = _integers(builder, shape, tflite.TensorStartShapeVector)
            name = builder.CreateString(f"t{number}")
            tflite.TensorStart(builder)
            tflite.TensorAddShape(builder, sizes)
            tflite.TensorAddName(builder, name)
            dtype = np.dtype(np.float32) if constant is None else constant.dtype
            tflite.TensorAddType(builder, _KINDS[dtype])
            tflite.TensorAddBuffer(builder, 0 if constant is None else int(of_tensor[number]))
            tensors.append(tflite.TensorEnd(builder))
        steps = [
            _operator(builder, codes.index(kind), operands, target, table, options)
            for kind, operands, target, table, options in self._steps
        ]
        parts = [
            _integers(builder, self._inputs, tflite.SubGraphStartInputsVector),
            _integers(builder, outputs, tflite.SubGraphStartOutputsVector),
            _offsets(builder, tensors, tflite.SubGraphStartTensorsVector),
            _offsets(builder, steps, tflite.SubGraphStartOperatorsVector),
        ]
        tflite.SubGraphStart(builder)
        for name, part in zip(("Inputs", "Outputs", "Tensors", "Operators"), parts, strict=True):
            getattr(tflite, f"SubGraphAdd{name}")(builder, part)
        graph = tflite.SubGraphEnd(builder)
        parts = [
            _offsets(builder, [_code(builder, kind) for kind in codes], tflite.ModelStartOperatorCodesVector),
            _offsets(builder, [graph], tflite.ModelStartSubgraphsVector),
            _offsets(builder, buffers, tflite.ModelStartBuffersVector),
        ]
        tflite.ModelStart(builder)
        tflite.ModelAddVersion(builder, 3)
        for name, part in zip(("OperatorCodes", "Subgraphs", "Buffers"), parts, strict=True):
            getattr(tflite, f"ModelAdd{name}")(builder, part)
        builder.Finish(tflite.ModelEnd(builder), b"TFL3")
        return bytes(builder.Output())

    def _tensor(self, shape: tuple[int, ...], constant: NDArray[Any] | None) -> int:
        self._shapes.append(shape)
        self._constants.append(constant)
        return len(self._shapes) - 1

    def _constant(self, values: NDArray[Any]) -> int:
        return self._tensor(values.shape, np.ascontiguousarray(values))

    def _step(
        self,
        kind: str,
        operands: tuple[int, ...],
        shape: tuple[int, ...],
        table: str = "",
        options: Mapping[str, int] | None = None,
    ) -> int:
        target = self._tensor((1, *shape), None)
        self._steps.append((kind, operands, target, table, options or {}))
        return target

    def _size(self, x: int, stride: int) -> list[int]:
        return [-(-n // stride) for n in self._shapes[x][1:3]]


def _strides(stride: int) -> dict[str, int]:
    return {"StrideH": stride, "StrideW": stride}


def _activation(*, relu: bool) -> dict[str, int]:
    kinds = tflite.ActivationFunctionType
    return {"FusedActivationFunction": kinds.RELU if relu else kinds.NONE}


def _operator(
    builder: flatbuffers.Builder,
    code: int,
    operands: Sequence[int],
    target: int,
    table: str,
    options: Mapping[str, int],
) -> int:
    taken = _integers(builder, operands, tflite.OperatorStartInputsVector)
    made = _integers(builder, [target], tflite.OperatorStartOutputsVector)
    written = 0
    if table:
        getattr(tflite, f"{table}Start")(builder)
        for name, value in options.items():
            getattr(tflite, f"{table}Add{name}")(builder, value)
        written = getattr(tflite, f"{table}End")(builder)
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, code)
    tflite.OperatorAddInputs(builder, taken)
    tflite.OperatorAddOutputs(builder, made)
    if table:
        tflite.OperatorAddBuiltinOptionsType(builder, getattr(tflite.BuiltinOptions, table))
        tflite.OperatorAddBuiltinOptions(builder, written)
    end: int = tflite.OperatorEnd(builder)
    return end


def _code(builder: flatbuffers.Builder, kind: str) -> int:
    number = getattr(tflite.BuiltinOperator, kind)
    tflite.OperatorCodeStart(builder)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, number)
    tflite.OperatorCodeAddBuiltinCode(builder, number)
    tflite.OperatorCodeAddVersion(builder, 1)
    end: int = tflite.OperatorCodeEnd(builder)
    return end


def _buffer(builder: flatbuffers.Builder, constant: NDArray[Any] | None) -> int:
    data = None
    if constant is not None:
        content = constant.tobytes()
        builder.StartVector(1, len(content), _ALIGNMENT)
        builder.head = builder.Head() - len(content)
        builder.Bytes[builder.Head() : builder.Head() + len(content)] = content
        data = builder.EndVector()
    tflite.BufferStart(builder)
    if data is not None:
        tflite.BufferAddData(builder, data)
    end: int = tflite.BufferEnd(builder)
    return end


def _integers(builder: flatbuffers.Builder, values: Sequence[int], start: Any) -> int:
    start(builder, len(values))
    for value in reversed(values):
        builder.PrependInt32(int(value))
    end: int = builder.EndVector()
    return end


def _offsets(builder: flatbuffers.Builder, values: Sequence[int], start: Any) -> int:
    start(builder, len(values))
    for value in reversed(values):
        builder.PrependUOffsetTRelative(value)
    end: int = builder.EndVector()
    return end
