"""Seven expressions from a picture of a face: the expression network of face-api.js in torch."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.nn import functional

from facearray.models.convolution import Conv2d, Linear
from facearray.models.face_api import FaceApiNet
from facearray.models.geometry import check_landmarks
from facearray.models.tfjs import Places
from facearray.models.tflite_writer import GraphWriter
from facearray.schema import GROUPS

__all__ = ["INPUT_SIZE", "EmotionNet", "face_squares"]

#: Height and width of the network's input.
INPUT_SIZE = 112

_OUTPUTS = ("neutral", "happiness", "sadness", "anger", "fear", "disgust", "surprise")
_CHANNELS = (3, 32, 64, 128, 256)

# The jaw from ear to ear and the upper edge of the brows, which bound the 68 points that face-api.js frames by.
_OUTLINE = (
    *(234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454),
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),
)
_PADDING = 1.2


def face_squares(landmarks: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frame faces for :class:`EmotionNet`.

    face-api.js gives its network the upright bounding box of 68 points (the jaw from ear to ear, brows, eyes, nose and
    mouth), enlarged by a fifth, and fills it up to a square. This is the square around the same box: cut it out
    without turning it, black where it leaves the picture, and scale it to ``INPUT_SIZE``.

    Parameters
    ----------
    landmarks
        (n, 478, 3) points in pixels of the frame.

    Returns
    -------
    centre
        (n, 2) x and y in pixels.
    size
        (n,) side in pixels. NaN, like the centre, for a face with a missing point on the outline.

    Raises
    ------
    InputError
        If the landmarks have another shape.

    Examples
    --------
    >>> landmarks = np.zeros((1, 478, 3))
    >>> landmarks[0, [234, 454, 152, 105], :2] = (0, 40), (100, 40), (50, 90), (30, 0)
    >>> face_squares(landmarks)
    (array([[50., 45.]]), array([120.]))
    """
    outline = check_landmarks(landmarks)[:, _OUTLINE, :2]
    low, high = outline.min(axis=1), outline.max(axis=1)
    return (low + high) / 2, _PADDING * (high - low).max(axis=1)


class EmotionNet(FaceApiNet):
    """The expression network of face-api.js: four dense blocks of depthwise separable convolutions.

    Called with a tensor (n, 3, 112, 112) of faces as :func:`face_squares` frames them, RGB from 0 to 255, it returns a
    tensor (n, 7) of probabilities in the order of the feature group ``emotions``. It raises InputError for another
    shape.

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
    https://github.com/vladmandic/face-api, ``src/faceExpressionNet`` and ``src/faceFeatureExtractor``
    """

    kind, files, input_size = "expression", "face_expression_model", INPUT_SIZE

    order: Tensor

    def make_layers(self) -> None:
        """Make the layers, whose weights are filled in afterwards."""
        self.blocks = nn.Sequential(*(_DenseBlock(n_in, n_out) for n_in, n_out in itertools.pairwise(_CHANNELS)))
        self.classifier = Linear(_CHANNELS[-1], len(_OUTPUTS))
        order = [_OUTPUTS.index(name) for name in GROUPS["emotions"].features]
        self.register_buffer("order", torch.tensor(order), persistent=False)

    @staticmethod
    def place(name: str) -> tuple[str, tuple[int, ...]]:
        """Give the name in torch of a weight, and the order in which torch has TensorFlow's axes."""
        path, _, kind = name.rpartition("/")
        place, axes = _PLACES.get(kind, (kind, ()))
        return _CLASSIFIER_PLACES.get(name, (f"{path.replace('dense', 'blocks.').replace('/', '.')}.{place}", axes))

    def logits(self, faces: Tensor) -> Tensor:
        """Return the outputs before they become probabilities, in the network's own order."""
        return self.outputs(faces)

    def by_torch(self, faces: Tensor) -> Tensor:
        """Compute the logits (n, 7) of normalized pictures."""
        features: Tensor = self.blocks(faces)
        logits: Tensor = self.classifier(features.mean(dim=(2, 3)))
        return logits

    def tflite(self) -> bytes:
        """Write the same as a TFLite file, from normalized pictures (112, 112, 3)."""
        graph = GraphWriter()
        first = graph.input(INPUT_SIZE, INPUT_SIZE, 3)
        x = first
        for block in cast("Iterable[_DenseBlock]", self.blocks):
            total = x = block.conv0.write(graph, x, relu=True)
            for conv in (block.conv1, block.conv2, block.conv3):
                total = graph.add(total, conv.write(graph, x))
                x = graph.relu(total)
        weight, bias = self.classifier.weight.numpy()[:, :, None, None], self.classifier.bias.numpy()
        return graph.finish(graph.convolve(graph.mean(x), weight, bias))

    def forward(self, faces: Tensor) -> Tensor:
        """Return the probabilities of the seven expressions."""
        return self.logits(faces).softmax(dim=1)[:, self.order]


class _Convolution(nn.Module):
    """A 3 x 3 convolution of the picture itself; of features, one a channel and then one across channels."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        separable = n_in != _CHANNELS[0]
        self.stride = stride
        # TensorFlow pads an even size below and to the right only when the stride is 2
        self.padding = (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1)
        self.depthwise = Conv2d(n_in, n_in, 3, stride, groups=n_in, bias=False) if separable else nn.Identity()
        self.filter = Conv2d(n_in, n_out, 1) if separable else Conv2d(n_in, n_out, 3, stride)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.filter(self.depthwise(functional.pad(x, self.padding)))
        return y

    def write(self, graph: GraphWriter, x: int, *, relu: bool = False) -> int:
        """Write it into a TFLite graph."""
        bias: Tensor = self.filter.bias  # type: ignore[assignment]
        if isinstance(self.depthwise, Conv2d):
            x = graph.convolve(x, self.depthwise.weight.numpy(), stride=self.stride, depthwise=True)
        return graph.convolve(x, self.filter.weight.numpy(), bias.numpy(), stride=self.filter.stride[0], relu=relu)


class _DenseBlock(nn.Module):
    """Halve height and width, then add three convolutions, each of the sum of all before it."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv0 = _Convolution(n_in, n_out, 2)
        self.conv1, self.conv2, self.conv3 = (_Convolution(n_out, n_out, 1) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        first = functional.relu(self.conv0(x))
        total = first + self.conv1(first)
        total = total + self.conv2(functional.relu(total))
        total = total + self.conv3(functional.relu(total))
        return functional.relu(total)


# Names and layouts of TensorFlow (height, width, in, out; in, out) and their places in torch. The depthwise filters
# have the channels where others have the inputs.
_PLACES: Places = {
    "filters": ("filter.weight", (3, 2, 0, 1)),
    "depthwise_filter": ("depthwise.weight", (2, 3, 0, 1)),
    "pointwise_filter": ("filter.weight", (3, 2, 0, 1)),
    "bias": ("filter.bias", (0,)),
}
_CLASSIFIER_PLACES: Places = {"fc/weights": ("classifier.weight", (1, 0)), "fc/bias": ("classifier.bias", (0,))}
