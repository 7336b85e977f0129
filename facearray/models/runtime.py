"""What computes the networks: torch on any device, torch with compiled kernels, or LiteRT on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from torch import Tensor

from facearray.models.compiled import CompiledGraph
from facearray.models.litert import LiteRTGraph
from facearray.models.tflite import load_tflite

__all__ = ["TORCH", "Graph", "Runtime"]


class Graph(Protocol):
    """A graph of a TFLite file, whatever computes it."""

    #: Shapes of what goes in, without the batch axis.
    input_shapes: tuple[tuple[int, ...], ...]

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Compute the outputs of a batch of samples, each for itself."""
        ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """What computes the networks.

    Attributes
    ----------
    kind
        ``"torch"``, ``"compiled"`` (torch, with kernels compiled for the network), or ``"litert"``.
    device
        Where, as torch names it.
    """

    kind: Literal["torch", "compiled", "litert"] = "torch"
    device: str = "cpu"

    def graph(self, data: bytes, name: str) -> Graph:
        """Make the graph of a TFLite file.

        Raises
        ------
        AssetError
            If the file is malformed, or not supported.
        """
        if self.kind == "litert":
            return LiteRTGraph(data, name)
        graph = load_tflite(data, name).to(self.device)
        return graph if self.kind == "torch" else CompiledGraph(graph, graph.input_shapes, self.device)

    def network(
        self, by_torch: Callable[[Tensor], Tensor], shape: tuple[int, ...], write: Callable[[], bytes | None], name: str
    ) -> Callable[[Tensor], Tensor]:
        """Make a network of one that torch computes, from (n, channel, height, width) to (n, output).

        Parameters
        ----------
        by_torch
            The network in torch, on the device.
        shape
            Of what goes in, without the batch axis.
        write
            Writes it as a TFLite file; None if torch is faster than LiteRT on one.
        name
            What to call it in errors.
        """
        if self.kind == "torch":
            return by_torch
        if self.kind == "compiled":
            compiled = CompiledGraph(lambda x: (by_torch(x),), (shape,), self.device)
            return lambda pictures: compiled(pictures)[0]
        if (data := write()) is None:
            return by_torch
        graph = LiteRTGraph(data, name)

        def network(pictures: Tensor) -> Tensor:
            return graph(pictures.permute(0, 2, 3, 1))[0].flatten(1)

        return network


#: Torch on the CPU.
TORCH = Runtime()
