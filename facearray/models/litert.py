"""TFLite graphs by LiteRT, Google's runtime for them: several times as fast as torch on a CPU, one sample at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facearray.errors import AssetError, InputError
from facearray.models.tflite import check_shapes

__all__ = ["LiteRTGraph"]


class LiteRTGraph:
    """The graph of a TFLite file, computed by LiteRT on one thread of the CPU.

    It is called as :class:`facearray.models.tflite.TFLiteGraph` is. Samples go through it one by one: what one gives
    does not depend on the others, and the activations of one fit the processor's cache. Threads can share a graph.

    Parameters
    ----------
    data
        Content of the file.
    name
        What to call the file in errors.

    Raises
    ------
    InputError
        If LiteRT is not installed, or does not load on this machine.
    AssetError
        If LiteRT cannot read the file.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self._interpreter = _interpreter_class()
        self._data = data
        self._name = name
        self._idle: list[Any] = []
        self._lock = threading.Lock()
        first = self._new()
        self._inputs = [detail["index"] for detail in first.get_input_details()]
        self._outputs = [detail["index"] for detail in first.get_output_details()]
        #: Shapes of what goes in, without the batch axis.
        self.input_shapes = tuple(tuple(detail["shape"][1:].tolist()) for detail in first.get_input_details())
        shapes = [tuple(detail["shape"].tolist()) for detail in first.get_output_details()]
        # The file's batch is 1; where an output has none, it is that of one sample.
        self._output_shapes = [shape[1:] if shape[0] == 1 else shape for shape in shapes]
        self._idle.append(first)

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Compute the outputs, in the order of the file.

        Raises
        ------
        ValueError
            If the inputs do not have the shapes of the file.
        """
        check_shapes(inputs, self.input_shapes)
        arrays = [x.numpy() for x in inputs]
        n = len(arrays[0])
        results = [np.empty((n, *shape), np.float32) for shape in self._output_shapes]
        # An interpreter is of one thread at a time; threads come and go with the videos, interpreters stay.
        with self._lock:
            interpreter = self._idle.pop() if self._idle else None
        interpreter = interpreter or self._new()
        for row in range(n):
            for index, array in zip(self._inputs, arrays, strict=True):
                interpreter.set_tensor(index, array[row : row + 1])
            interpreter.invoke()
            for index, result in zip(self._outputs, results, strict=True):
                result[row] = interpreter.get_tensor(index).reshape(result.shape[1:])
        with self._lock:
            self._idle.append(interpreter)
        return tuple(map(torch.from_numpy, results))

    def _new(self) -> Any:
        try:
            interpreter = self._interpreter(model_content=self._data, num_threads=1)
            interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise AssetError(f"{self._name}: LiteRT cannot read it ({error}); get the file anew") from error
        return interpreter


def _interpreter_class() -> Callable[..., Any]:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except (ImportError, OSError) as error:
        raise InputError(
            f"found no LiteRT that loads ({error}); expected the package ai-edge-litert: install facearray[litert], or "
            "use runtime='torch'"
        ) from error
    interpreter: Callable[..., Any] = Interpreter
    return interpreter
