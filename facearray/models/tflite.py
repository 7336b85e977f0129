"""TFLite graphs as torch modules: the file is read with generated flatbuffer classes, nothing in it is executed."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tflite
from numpy.typing import NDArray
from tflite.utils import BUILTIN_OPCODE2NAME
from torch import Tensor, nn

from facearray.errors import AssetError
from facearray.models.tflite_operators import OPERATORS, Call, Operator, UnsupportedError

__all__ = ["TFLiteGraph", "check_shapes", "load_tflite"]

_DTYPES = {
    tflite.TensorType.FLOAT16: np.dtype("<f2"),
    tflite.TensorType.FLOAT32: np.dtype("<f4"),
    tflite.TensorType.INT32: np.dtype("<i4"),
    tflite.TensorType.INT64: np.dtype("<i8"),
}
# What reading beyond or beside a table leads to; for a part that is absent the generated classes give 0 or None.
_MALFORMED = (
    struct.error,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)


class _Step(NamedTuple):
    """One operation: the tensors that it takes, the one that it makes, and those that no later step needs."""

    call: Call
    sources: tuple[int, ...]
    target: int
    finished: tuple[int, ...]


class TFLiteGraph(nn.Module):
    """The graph of a TFLite file, made by :func:`load_tflite`.

    Tensors go in and come out in the layout of the file (pictures as ``(n, height, width, channel)``), except that
    the first axis, which the file fixes at 1, is a batch of any size. What a sample gives does not depend on the
    others in its batch. There is no state between calls, so that threads can share a graph.
    """

    def __init__(
        self,
        steps: Sequence[tuple[Call, tuple[int, ...], int]],
        inputs: tuple[int, ...],
        outputs: tuple[int, ...],
        input_shapes: tuple[tuple[int, ...], ...],
    ) -> None:
        super().__init__()
        #: Shapes of what goes in, without the batch axis.
        self.input_shapes = input_shapes
        self._calls = nn.ModuleList(call for call, _, _ in steps)
        self._steps = _with_lifetimes(steps, outputs)
        self._inputs = inputs
        self._outputs = outputs

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Compute the outputs, in the order of the file.

        Raises
        ------
        ValueError
            If the inputs do not have the shapes of the file.
        """
        check_shapes(inputs, self.input_shapes)
        values = dict(zip(self._inputs, inputs, strict=True))
        for call, sources, target, finished in self._steps:
            values[target] = call(*[values[source] for source in sources])
            for number in finished:
                del values[number]
        return tuple(values[number] for number in self._outputs)


def check_shapes(inputs: Sequence[Tensor], expected: tuple[tuple[int, ...], ...]) -> None:
    """Check the shapes of a graph's inputs, but for the batch axis.

    Raises
    ------
    ValueError
        If they are other ones.
    """
    found = tuple(tuple(x.shape[1:]) for x in inputs)
    if found != expected:
        raise ValueError(f"found inputs of shape {found}; expected {expected} after the batch axis")


def _with_lifetimes(steps: Sequence[tuple[Call, tuple[int, ...], int]], outputs: Sequence[int]) -> list[_Step]:
    """Add to each step which tensors end with it, so that their memory is free for the next."""
    needed = set(outputs)
    backwards = []
    for call, sources, target in reversed(steps):
        backwards.append(_Step(call, sources, target, tuple({*sources, target} - needed)))
        needed.update(sources)
    return backwards[::-1]


def load_tflite(data: bytes, name: str) -> TFLiteGraph:
    """Make a torch module of a TFLite file.

    Float16 weights become float32.

    Parameters
    ----------
    data
        Content of the file.
    name
        What to call the file in errors.

    Raises
    ------
    AssetError
        If the file is malformed, or uses an operator or a kind of tensor that is not supported here.
    """
    if len(data) < 8 or not tflite.Model.ModelBufferHasIdentifier(data, 0):
        raise AssetError(f"{name}: found no TFLite model; expected 'TFL3' at byte 4 of the file")
    try:
        return _Reader(data, name).graph()
    except _MALFORMED as error:
        raise AssetError(f"{name}: found a malformed TFLite model ({error}); get the file anew") from error


class _Reader:
    """Reads a file once, operator by operator."""

    def __init__(self, data: bytes, name: str) -> None:
        self._name = name
        self._model = tflite.Model.GetRootAsModel(data, 0)
        if self._model.SubgraphsLength() != 1:
            raise AssetError(f"{name}: found {self._model.SubgraphsLength()} graphs; expected 1")
        self._subgraph = self._model.Subgraphs(0)
        self._unpacked: dict[int, NDArray[Any]] = {}

    def graph(self) -> TFLiteGraph:
        inputs = tuple(self._subgraph.InputsAsNumpy().tolist())
        outputs = tuple(self._subgraph.OutputsAsNumpy().tolist())
        shapes = [self._shape(number) for number in inputs]
        if any(shape[:1] != (1,) for shape in shapes):
            raise AssetError(f"{self._name}: found inputs of shape {shapes}; expected a first axis of 1, the batch")
        steps = [step for k in range(self._subgraph.OperatorsLength()) if (step := self._step(k)) is not None]
        return TFLiteGraph(steps, inputs, outputs, tuple(shape[1:] for shape in shapes))

    def _step(self, position: int) -> tuple[Call, tuple[int, ...], int] | None:
        """One operator, or None where it only unpacks a constant."""
        found = self._subgraph.Operators(position)
        kind = self._kind(found)
        sources = [number for number in found.InputsAsNumpy().tolist() if number >= 0]
        target = int(found.Outputs(0))
        constants = [self._constant(number) for number in sources]
        if kind == "DEQUANTIZE":
            if constants[0] is None:
                raise AssetError(f"{self._name}: operator {position}, {kind}: found a computed operand; not supported")
            self._unpacked[target] = constants[0].astype(np.float32)
            return None
        if kind not in OPERATORS:
            raise AssetError(f"{self._name}: operator {position}, {kind}: not supported; known: {', '.join(OPERATORS)}")
        shapes = [self._shape(number) for number in sources]
        operator = Operator(found.BuiltinOptions(), shapes, constants, self._shape(target))
        try:
            call = OPERATORS[kind](operator)
        except UnsupportedError as error:
            raise AssetError(f"{self._name}: operator {position}, {kind}: {error}") from error
        return call, tuple(s for s, value in zip(sources, constants, strict=True) if value is None), target

    def _kind(self, operator: Any) -> str:
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        # Files from before the code outgrew a byte have it in the older of the two fields.
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        kind: str = BUILTIN_OPCODE2NAME[number]
        return kind

    def _shape(self, number: int) -> tuple[int, ...]:
        tensor = self._subgraph.Tensors(number)
        return tuple(tensor.ShapeAsNumpy().tolist()) if tensor.ShapeLength() else ()

    def _constant(self, number: int) -> NDArray[Any] | None:
        """Value of a tensor that is in the file, or None where it is computed."""
        if number in self._unpacked:
            return self._unpacked[number]
        tensor = self._subgraph.Tensors(number)
        buffer = self._model.Buffers(tensor.Buffer())
        if buffer.DataLength() == 0:
            return None
        if tensor.Type() not in _DTYPES:
            raise AssetError(f"{self._name}: tensor {number}: found type {tensor.Type()}; expected float or integer")
        values: NDArray[Any] = buffer.DataAsNumpy().view(_DTYPES[tensor.Type()])
        if tensor.Sparsity() is not None:
            raise AssetError(f"{self._name}: tensor {number}: found sparse values; not supported")
        return values.reshape(self._shape(number))
