"""What the networks of face-api.js have in common."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facearray.errors import AssetError, InputError
from facearray.models.emotions import EmotionNet
from facearray.models.face_api import FaceApiNet
from facearray.models.identity import N_COMPONENTS, IdentityNet
from facearray.models.tfjs import read_weights

OUTPUTS = {EmotionNet: 7, IdentityNet: N_COMPONENTS}


@pytest.fixture(scope="module", params=[EmotionNet, IdentityNet])
def net(asset, request) -> FaceApiNet:
    return request.param.load()


@pytest.fixture(scope="module")
def faces(net, face_api_reference) -> torch.Tensor:
    return face_api_reference(net.files.removesuffix("_model"))[1]


@pytest.fixture(scope="module")
def found(net, faces) -> torch.Tensor:
    return net(faces)


def test_face_api_net__nothing_is_trained(net, found):
    assert not found.requires_grad
    assert not net.training
    assert not any(parameter.requires_grad for parameter in net.parameters())


def test_face_api_net__faces_do_not_depend_on_the_batch(net, faces, found):
    torch.testing.assert_close(found, torch.cat([net(face[None]) for face in faces]), atol=1e-6, rtol=0)


def test_face_api_net__no_face(net):
    assert net(torch.empty(0, 3, net.input_size, net.input_size)).shape == (0, OUTPUTS[type(net)])


def test_face_api_net__missing_pixels_make_that_face_nan(net, faces, found):
    broken = faces[:3].clone()
    broken[1, 0, 50, 50] = torch.nan
    with_missing = net(broken)
    assert with_missing[1].isnan().all()
    torch.testing.assert_close(with_missing[[0, 2]], found[[0, 2]], atol=1e-6, rtol=0)


def test_face_api_net__faces_of_another_shape(net):
    size = net.input_size
    for shape in ((3, size, size), (1, size, size, 3), (1, 3, size - 1, size)):
        with pytest.raises(InputError, match=rf"found faces of shape .*; expected \(n, 3, {size}, {size}\)"):
            net(torch.zeros(shape))


@pytest.mark.parametrize(
    ("network", "bias", "matrix", "moved", "expected"),
    [
        (
            EmotionNet,
            "dense2/conv1/bias",
            "fc/weights",
            ("dense3/conv3/bias", "dense9/conv0/bias"),
            (
                "the weights of the expression network",
                "blocks.2.conv1.filter.bias: found (3,); expected (128,)",
                "classifier.weight: found (256, 7); expected (7, 256)",
                "blocks.3.conv3.filter.bias: found nothing; expected (256,)",
                "blocks.9.conv0.filter.bias: found (256,); expected nothing",
                "face_expression_model",
            ),
        ),
        (
            IdentityNet,
            "conv64_1/conv1/conv/bias",
            "fc",
            ("conv256_2/conv2/scale/biases", "conv64_9/conv1/scale/biases"),
            (
                "the weights of the identity network",
                "units.conv64_1.conv1.conv.bias: found (3,); expected (64,)",
                "fc.weight: found (256, 128); expected (128, 256)",
                "units.conv256_2.conv2.offset: found nothing; expected (256,)",
                "units.conv64_9.conv1.offset: found (256,); expected nothing",
                "face_recognition_model",
            ),
        ),
    ],
)
def test_face_api_net__weights_of_another_network(asset, network, bias, matrix, moved, expected):
    wrong = read_weights(asset(f"{network.files}-weights_manifest.json"), asset(f"{network.files}.bin"))
    wrong[bias] = np.zeros(3, np.float32)
    wrong[matrix] = wrong[matrix].T
    wrong[moved[1]] = wrong.pop(moved[0])
    with pytest.raises(AssetError) as caught:
        network(wrong)
    for part in expected:
        assert part in str(caught.value)
