"""Who a face is, as 128 numbers: dlib's face recognition network in torch, with the weights of face-api.js."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn import functional

from facearray.models.convolution import Conv2d, Linear
from facearray.models.face_api import FaceApiNet
from facearray.models.geometry import check_landmarks
from facearray.models.tfjs import Places

__all__ = ["INPUT_SIZE", "N_COMPONENTS", "IdentityNet", "identity_squares"]

#: Height and width of the network's input.
INPUT_SIZE = 150

#: Numbers that a face becomes.
N_COMPONENTS = 128

#: Convolutions of the picture, then residual units: name, channels and whether the unit halves height and width.
_UNITS = (
    *(("conv32_1", 32, False), ("conv32_2", 32, False), ("conv32_3", 32, False)),
    *(("conv64_down", 64, True), ("conv64_1", 64, False), ("conv64_2", 64, False), ("conv64_3", 64, False)),
    *(("conv128_down", 128, True), ("conv128_1", 128, False), ("conv128_2", 128, False)),
    *(("conv256_down", 256, True), ("conv256_1", 256, False), ("conv256_2", 256, False)),
    ("conv256_down_out", 256, True),
)

# Points of the mesh at the places of the 68 that dlib aligns faces by: eyes and lips.
_RIGHT_EYE = (33, 160, 158, 133, 153, 144)
_LEFT_EYE = (362, 385, 387, 263, 373, 380)
_LIPS = (
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),
    *(78, 82, 13, 312, 308, 317, 14, 87),
)

#: Distance from the eyes to the mouth in the pictures that the network was trained on, in sides of the square.
_EYES_TO_MOUTH = 0.412

#: Height of the middle of both eyes and the mouth in them.
_MIDDLE = 0.43


def identity_squares(
    landmarks: ArrayLike,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Frame faces for :class:`IdentityNet` as dlib does.

    The square is turned so that the eyes are level in it. The middle of both eyes and the mouth lies in the middle of
    its width and at 0.43 of its height, and the mouth 0.412 of its side away from the eyes.

    Parameters
    ----------
    landmarks
        (n, 478, 3) points in pixels of the frame.

    Returns
    -------
    centre
        (n, 2) x and y in pixels.
    size
        (n,) side in pixels.
    rotation
        (n,) radians by which the square is turned, clockwise in the picture. All of them are NaN for a face with a
        missing point of eyes or mouth.

    Raises
    ------
    InputError
        If the landmarks have another shape.

    Notes
    -----
    face-api.js frames faces upright and more closely (0.45). On the sample media, pictures of one person were then 0.42
    apart at the 95th percentile and pictures of different people at least 0.34; framed like this, 0.40 and 0.38.

    Examples
    --------
    >>> landmarks = np.full((1, 478, 3), np.nan)
    >>> landmarks[0, list(_RIGHT_EYE), :2] = 40, 50
    >>> landmarks[0, list(_LEFT_EYE), :2] = 40, 86
    >>> landmarks[0, list(_LIPS), :2] = 16, 68
    >>> [values.round(2).tolist() for values in identity_squares(landmarks)]
    [[[26.9, 68.0]], [72.82], [1.57]]
    """
    points = check_landmarks(landmarks)[:, :, :2]
    right, left, mouth = (points[:, part].mean(axis=1) for part in (_RIGHT_EYE, _LEFT_EYE, _LIPS))
    size = (np.linalg.norm(right - mouth, axis=1) + np.linalg.norm(left - mouth, axis=1)) / 2 / _EYES_TO_MOUTH
    across = left - right
    rotation = np.arctan2(across[:, 1], across[:, 0])
    down = np.stack([-np.sin(rotation), np.cos(rotation)], axis=1)
    centre = (right + left + mouth) / 3 + (0.5 - _MIDDLE) * size[:, None] * down
    return centre, size, rotation


class IdentityNet(FaceApiNet):
    """The face recognition network of dlib: a residual network of 29 convolutions.

    Called with a tensor (n, 3, 150, 150) of faces as :func:`identity_squares` frames them, RGB from 0 to 255, it
    returns a tensor (n, 128) of unit L2 norm. It raises InputError for another shape.

    Parameters
    ----------
    weights
        Arrays by name, as in the network's TensorFlow.js manifest.

    Raises
    ------
    AssetError
        If the weights are not those of this network.

    References
    ----------
    https://github.com/vladmandic/face-api, ``src/faceRecognitionNet``;
    http://blog.dlib.net/2017/02/high-quality-face-recognition-with-deep.html
    """

    kind, files, input_size = "identity", "face_recognition_model", INPUT_SIZE

    def __init__(self, weights: Mapping[str, NDArray[np.float32]]) -> None:
        super().__init__(weights)
        for module in self.modules():
            if isinstance(module, _Convolution):
                module.fold()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # typed for tensors only

    def make_layers(self) -> None:
        """Make the layers, whose weights are filled in afterwards."""
        n_in = 32
        self.conv32_down = _Convolution(3, n_in, 7, stride=2, padding=0)
        units: dict[str, nn.Module] = {}
        for name, n_out, halves in _UNITS:
            units[name] = _Halving(n_in, n_out) if halves else _Residual(n_out)
            n_in = n_out
        self.units = nn.ModuleDict(units)
        self.fc = Linear(n_in, N_COMPONENTS, bias=False)

    @staticmethod
    def place(name: str) -> tuple[str, tuple[int, ...]]:
        """Give the name in torch of a weight, and the order in which torch has TensorFlow's axes."""
        if name == "fc":
            return "fc.weight", (1, 0)
        *path, module, parameter = ["", *name.split("/")]
        place, axes = _PLACES.get(f"{module}/{parameter}", (f"{module}.{parameter}", ()))
        parts = [part for part in path if part]
        if parts and parts[0] != "conv32_down":
            parts.insert(0, "units")
        return ".".join([*parts, place]), axes

    def descriptors(self, faces: Tensor) -> Tensor:
        """Return the network's outputs as they are, before they are brought to unit norm."""
        return self.outputs(faces)

    def by_torch(self, faces: Tensor) -> Tensor:
        """Compute the descriptors (n, 128) of normalized pictures."""
        # A quarter faster than channel by channel. One layout in any case: another means other roundings.
        x = faces.contiguous(memory_format=torch.channels_last)
        x = functional.relu(self.conv32_down(x))
        x = functional.max_pool2d(x, 3, 2)
        for unit in self.units.values():
            x = unit(x)
        descriptors: Tensor = self.fc(x.mean(dim=(2, 3)))
        return descriptors

    def forward(self, faces: Tensor) -> Tensor:
        """Return the embeddings, of unit norm."""
        return functional.normalize(self.descriptors(faces), dim=1)


class _Convolution(nn.Module):
    """A convolution, then a factor and an offset for each channel."""

    def __init__(self, n_in: int, n_out: int, size: int = 3, *, stride: int = 1, padding: int = 1) -> None:
        super().__init__()
        self.conv = Conv2d(n_in, n_out, size, stride, padding)
        self.factor = nn.Parameter(torch.empty(n_out))
        self.offset = nn.Parameter(torch.empty(n_out))

    @torch.no_grad()
    def fold(self) -> None:
        """Put factors and offsets into the convolution, which makes the network a fifth faster."""
        self.conv.weight.mul_(self.factor[:, None, None, None])
        bias: Tensor = self.conv.bias  # type: ignore[assignment]
        bias.mul_(self.factor).add_(self.offset)
        del self.factor, self.offset

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return y


class _Residual(nn.Module):
    """Two convolutions that are added to what comes in."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = _Convolution(n, n), _Convolution(n, n)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.conv2(functional.relu(self.conv1(x))) + x)


class _Halving(nn.Module):
    """Two convolutions at half the height and width, added to the mean of 2 x 2; zeros fill up what either lacks."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = _Convolution(n_in, n_out, stride=2, padding=0), _Convolution(n_out, n_out)

    def forward(self, x: Tensor) -> Tensor:
        change = self.conv2(functional.relu(self.conv1(x)))
        same = functional.avg_pool2d(x, 2, 2)
        lacking = [have - want for have, want in zip(same.shape[2:], change.shape[2:], strict=True)]
        change = functional.pad(change, (0, lacking[1], 0, lacking[0]))
        same = functional.pad(same, (0, 0, 0, 0, 0, change.shape[1] - same.shape[1]))
        return functional.relu(same + change)


# Names and layouts of TensorFlow (height, width, in, out; in, out) and their places in torch.
_PLACES: Places = {
    "conv/filters": ("conv.weight", (3, 2, 0, 1)),
    "conv/bias": ("conv.bias", (0,)),
    "scale/weights": ("factor", (0,)),
    "scale/biases": ("offset", (0,)),
}
