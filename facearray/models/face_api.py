"""What the networks of face-api.js have in common: where their weights are, and what pictures they take."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facearray import assets
from facearray.errors import InputError
from facearray.models.runtime import TORCH, Runtime
from facearray.models.tfjs import read_weights, torch_state

__all__ = ["FaceApiNet"]

#: Mean colour of the pictures that the networks were trained on.
_MEAN_RGB = (122.782, 117.001, 104.298)


class FaceApiNet(nn.Module, ABC):
    """A network of face-api.js for pictures of faces, with its weights and for inference only.

    ``weights`` are arrays by name, as in the network's TensorFlow.js manifest; AssetError if they are of another one.
    """

    #: What the network is called in errors.
    kind: ClassVar[str]
    #: Name of its files, without what tells manifest and weights apart.
    files: ClassVar[str]
    #: Height and width of its input.
    input_size: ClassVar[int]

    mean: Tensor

    def __init__(self, weights: Mapping[str, NDArray[np.float32]]) -> None:
        super().__init__()
        self.make_layers()
        self.register_buffer("mean", torch.tensor(_MEAN_RGB)[:, None, None], persistent=False)
        self.load_state_dict(torch_state(weights, self.state_dict(), self.place, kind=self.kind, model=self.files))
        self.eval().requires_grad_(requires_grad=False)
        self._network: Callable[[Tensor], Tensor] = self.by_torch

    @classmethod
    def load(cls, runtime: Runtime = TORCH) -> Self:
        """Make the network with its weights, which are fetched where they are not yet there.

        Raises
        ------
        AssetError
            If the files cannot be had, are malformed, or hold another network.
        """
        manifest, binary = f"{cls.files}-weights_manifest.json", f"{cls.files}.bin"
        net = cls(read_weights(assets.path(manifest), assets.path(binary))).to(runtime.device)
        net._network = runtime.network(net.by_torch, (3, cls.input_size, cls.input_size), net.tflite, cls.files)
        return net

    @abstractmethod
    def make_layers(self) -> None:
        """Make the layers, whose weights are filled in afterwards."""

    @staticmethod
    @abstractmethod
    def place(name: str) -> tuple[str, tuple[int, ...]]:
        """Give the name in torch of a weight, and the order in which torch has TensorFlow's axes."""

    @abstractmethod
    def by_torch(self, faces: Tensor) -> Tensor:
        """Compute the outputs (n, n_output) of normalized pictures."""

    def tflite(self) -> bytes | None:
        """Write the same as a TFLite file, from normalized pictures (height, width, 3); None if torch is faster."""
        return None

    def outputs(self, faces: Tensor) -> Tensor:
        """Compute the outputs of pictures, by whatever the network was loaded for."""
        return self._network(self.normalized(faces))

    def normalized(self, faces: Tensor) -> Tensor:
        """Bring pictures (n, 3, height, width), RGB from 0 to 255, to the range that the network was trained on.

        Raises
        ------
        InputError
            If they have another shape.
        """
        expected = (3, self.input_size, self.input_size)
        if faces.shape[1:] != expected:
            raise InputError(
                f"found faces of shape {tuple(faces.shape)}; expected (n, {', '.join(map(str, expected))})"
            )
        return (faces - self.mean) / 255
