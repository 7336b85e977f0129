from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
import tflite
import torch
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from facearray.errors import AssetError
from facearray.models.tflite import load_tflite

RELU, RELU6, TANH = (getattr(tflite.ActivationFunctionType, name) for name in ("RELU", "RELU6", "TANH"))
SAME, VALID = tflite.Padding.SAME, tflite.Padding.VALID
TYPES = {"float32": tflite.TensorType.FLOAT32, "int32": tflite.TensorType.INT32, "int8": tflite.TensorType.INT8}


def model(
    operator: str,
    operands: Sequence[tuple[int, ...] | NDArray],
    result: tuple[int, ...],
    options: dict[str, int | bool] | None = None,
    table: str | None = None,
) -> bytes:
    """A file with one operator; an operand is the shape of an input, or the value of a constant."""
    builder = flatbuffers.Builder(1024)
    buffers = [_buffer(builder, b"")]
    tensors = []
    for number, operand in enumerate([*operands, result]):
        constant = isinstance(operand, np.ndarray)
        if constant:
            buffers.append(_buffer(builder, np.ascontiguousarray(operand).tobytes()))
        name = builder.CreateString(f"t{number}")
        shape = _ints(builder, operand.shape if constant else operand, tflite.TensorStartShapeVector)
        tflite.TensorStart(builder)
        tflite.TensorAddShape(builder, shape)
        tflite.TensorAddType(builder, TYPES[str(operand.dtype) if constant else "float32"])
        tflite.TensorAddBuffer(builder, len(buffers) - 1 if constant else 0)
        tflite.TensorAddName(builder, name)
        tensors.append(tflite.TensorEnd(builder))
    n = len(operands)
    option_table = _options(builder, table, options or {}) if table else None
    inputs = _ints(builder, range(n), tflite.OperatorStartInputsVector)
    outputs = _ints(builder, [n], tflite.OperatorStartOutputsVector)
    tflite.OperatorStart(builder)
    tflite.OperatorAddOpcodeIndex(builder, 0)
    tflite.OperatorAddInputs(builder, inputs)
    tflite.OperatorAddOutputs(builder, outputs)
    if option_table is not None:
        tflite.OperatorAddBuiltinOptionsType(builder, getattr(tflite.BuiltinOptions, table))
        tflite.OperatorAddBuiltinOptions(builder, option_table)
    step = tflite.OperatorEnd(builder)
    computed = [k for k, operand in enumerate(operands) if not isinstance(operand, np.ndarray)]
    graph_inputs = _ints(builder, computed, tflite.SubGraphStartInputsVector)
    graph_outputs = _ints(builder, [n], tflite.SubGraphStartOutputsVector)
    graph_tensors = _offsets(builder, tensors, tflite.SubGraphStartTensorsVector)
    graph_steps = _offsets(builder, [step], tflite.SubGraphStartOperatorsVector)
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, graph_tensors)
    tflite.SubGraphAddInputs(builder, graph_inputs)
    tflite.SubGraphAddOutputs(builder, graph_outputs)
    tflite.SubGraphAddOperators(builder, graph_steps)
    graph = tflite.SubGraphEnd(builder)
    code = getattr(tflite.BuiltinOperator, operator)
    tflite.OperatorCodeStart(builder)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(builder, code)
    tflite.OperatorCodeAddBuiltinCode(builder, code)
    tflite.OperatorCodeAddVersion(builder, 1)
    operator_code = tflite.OperatorCodeEnd(builder)
    codes = _offsets(builder, [operator_code], tflite.ModelStartOperatorCodesVector)
    graphs = _offsets(builder, [graph], tflite.ModelStartSubgraphsVector)
    all_buffers = _offsets(builder, buffers, tflite.ModelStartBuffersVector)
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, 3)
    tflite.ModelAddOperatorCodes(builder, codes)
    tflite.ModelAddSubgraphs(builder, graphs)
    tflite.ModelAddBuffers(builder, all_buffers)
    builder.Finish(tflite.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def _buffer(builder: flatbuffers.Builder, content: bytes) -> int:
    data = builder.CreateByteVector(content) if content else None
    tflite.BufferStart(builder)
    if data is not None:
        tflite.BufferAddData(builder, data)
    return tflite.BufferEnd(builder)


def _ints(builder: flatbuffers.Builder, values: Sequence[int], start: Callable) -> int:
    start(builder, len(values))
    for value in reversed(values):
        builder.PrependInt32(int(value))
    return builder.EndVector()


def _offsets(builder: flatbuffers.Builder, values: Sequence[int], start: Callable) -> int:
    start(builder, len(values))
    for value in reversed(values):
        builder.PrependUOffsetTRelative(value)
    return builder.EndVector()


def _options(builder: flatbuffers.Builder, table: str, options: dict[str, int | bool]) -> int:
    getattr(tflite, f"{table}Start")(builder)
    for name, value in options.items():
        getattr(tflite, f"{table}Add{name}")(builder, value)
    return getattr(tflite, f"{table}End")(builder)


def by_litert(data: bytes, *inputs: NDArray, plain: bool = False) -> list[NDArray]:
    """What the reference runtime computes for one sample."""
    resolver = OpResolverType.BUILTIN_REF if plain else OpResolverType.AUTO
    interpreter = Interpreter(model_content=data, num_threads=1, experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def random(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def ints(*values: int) -> NDArray[np.int32]:
    return np.array(values, np.int32)


def conv(**options: int) -> tuple[dict[str, int], str]:
    plain = {"Padding": SAME, "StrideH": 1, "StrideW": 1, "DilationHFactor": 1, "DilationWFactor": 1}
    return {**plain, **options}, "DepthwiseConv2DOptions" if "DepthMultiplier" in options else "Conv2DOptions"


def pool(**options: int) -> tuple[dict[str, int], str]:
    plain = {"Padding": VALID, "StrideH": 2, "StrideW": 2, "FilterHeight": 2, "FilterWidth": 2}
    return {**plain, **options}, "Pool2DOptions"


def fused(activation: int, table: str) -> tuple[dict[str, int], str]:
    return {"FusedActivationFunction": activation}, table


def sliced(**options: int) -> tuple[dict[str, int], str]:
    return options, "StridedSliceOptions"


CONV3 = [random(4, 3, 3, 3), random(4)]
PADS = np.array([[0, 0], [1, 2], [0, 3], [2, 0]], np.int32)
SLICE = [(1, 4, 6, 3), ints(0, 1, 0, 0), ints(1, 4, 6, 2), ints(1, 1, 2, 1)]
TWO_BY_TWO = {"StrideH": 2, "StrideW": 2}
CONCATENATION = "ConcatenationOptions"

#: Operator, operands, shape of the result, options.
SINGLE = {
    "conv": ("CONV_2D", [(1, 7, 6, 3), *CONV3], (1, 7, 6, 4), *conv()),
    "conv_stride": ("CONV_2D", [(1, 8, 6, 3), *CONV3], (1, 4, 3, 4), *conv(**TWO_BY_TWO)),
    "conv_odd": ("CONV_2D", [(1, 7, 9, 3), random(4, 5, 3, 3), random(4)], (1, 4, 5, 4), *conv(**TWO_BY_TWO)),
    "conv_valid": ("CONV_2D", [(1, 7, 6, 3), random(4, 2, 3, 3), random(4)], (1, 6, 4, 4), *conv(Padding=VALID)),
    "conv_relu": ("CONV_2D", [(1, 7, 6, 3), *CONV3], (1, 7, 6, 4), *conv(FusedActivationFunction=RELU)),
    "conv_relu6": ("CONV_2D", [(1, 7, 6, 3), *CONV3], (1, 7, 6, 4), *conv(FusedActivationFunction=RELU6)),
    "conv_dilated": ("CONV_2D", [(1, 9, 9, 3), *CONV3], (1, 9, 9, 4), *conv(DilationHFactor=2, DilationWFactor=3)),
    "depthwise": (
        "DEPTHWISE_CONV_2D",
        [(1, 8, 6, 3), random(1, 3, 3, 3), random(3)],
        (1, 4, 3, 3),
        *conv(**TWO_BY_TWO, DepthMultiplier=1),
    ),
    "depthwise_multiplier": (
        "DEPTHWISE_CONV_2D",
        [(1, 8, 6, 3), random(1, 3, 3, 6), random(6)],
        (1, 8, 6, 6),
        *conv(DepthMultiplier=2),
    ),
    "max_pool": ("MAX_POOL_2D", [(1, 8, 6, 3)], (1, 4, 3, 3), *pool()),
    "pad": ("PAD", [(1, 4, 5, 3), PADS], (1, 7, 8, 5), {}, "PadOptions"),
    "reshape": ("RESHAPE", [(1, 4, 6), ints(1, 3, 8)], (1, 3, 8)),
    "concatenation": ("CONCATENATION", [(1, 2, 3), random(1, 4, 3)], (1, 6, 3), {"Axis": 1}, CONCATENATION),
    "concatenation_last": ("CONCATENATION", [(1, 2, 3), (1, 2, 2)], (1, 2, 5), {"Axis": -1}, CONCATENATION),
    "slice": ("STRIDED_SLICE", SLICE, (1, 3, 3, 2), *sliced()),
    "slice_masks": ("STRIDED_SLICE", SLICE, (1, 4, 3, 3), *sliced(BeginMask=0b0011, EndMask=0b1110)),
    "slice_shrink": ("STRIDED_SLICE", SLICE, (1, 3, 2), *sliced(ShrinkAxisMask=0b0010)),
    "transpose": ("TRANSPOSE", [(1, 2, 3, 4), ints(0, 3, 1, 2)], (1, 4, 2, 3)),
    "prelu": ("PRELU", [(1, 4, 5, 3), random(1, 1, 3)], (1, 4, 5, 3)),
    "relu": ("RELU", [(1, 4, 5)], (1, 4, 5)),
    "logistic": ("LOGISTIC", [(1, 4, 5)], (1, 4, 5)),
    "neg": ("NEG", [(1, 4, 5)], (1, 4, 5)),
    "mean": ("MEAN", [(1, 4, 5), ints(1)], (1, 1, 5), {"KeepDims": True}, "ReducerOptions"),
    "sum": ("SUM", [(1, 4, 5), ints(-1)], (1, 4), {"KeepDims": False}, "ReducerOptions"),
    "add_relu": ("ADD", [(1, 4, 5), (1, 4, 5)], (1, 4, 5), *fused(RELU, "AddOptions")),
    "mul_constant": ("MUL", [(1, 4, 5), random(5)], (1, 4, 5), {}, "MulOptions"),
    "sub_constant_first": ("SUB", [random(1, 4, 5), (1, 4, 5)], (1, 4, 5), {}, "SubOptions"),
    "div": ("DIV", [(1, 4, 5), random(1, 4, 5)], (1, 4, 5), {}, "DivOptions"),
    "squared_difference": ("SQUARED_DIFFERENCE", [(1, 4, 5), random(5)], (1, 4, 5)),
}


@pytest.mark.parametrize("case", SINGLE)
def test_operator__as_litert(case: str) -> None:
    data = model(*SINGLE[case])
    shapes = [operand for operand in SINGLE[case][1] if isinstance(operand, tuple)]
    samples = [[random(*shape, seed=10 * n + k) for k, shape in enumerate(shapes)] for n in range(3)]

    expected = np.concatenate([by_litert(data, *sample, plain=True)[0] for sample in samples])
    batch = [torch.from_numpy(np.concatenate(parts)) for parts in zip(*samples, strict=True)]
    (found,) = load_tflite(data, case)(*batch)

    assert found.shape == expected.shape
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("operator", ["SQRT", "RSQRT"])
def test_operator__positive(operator: str) -> None:
    data = model(operator, [(1, 4, 5)], (1, 4, 5))
    x = np.abs(random(1, 4, 5)) + 0.1
    np.testing.assert_allclose(load_tflite(data, operator)(torch.from_numpy(x))[0], by_litert(data, x)[0], rtol=1e-6)


#: What makes the file, and what the error says.
UNSUPPORTED = {
    "unknown": (("TANH", [(1, 4)], (1, 4)), "TANH: not supported"),
    "activation": (("ADD", [(1, 4), (1, 4)], (1, 4), *fused(TANH, "AddOptions")), "fused activation"),
    "no_options": (("CONCATENATION", [(1, 4), (1, 4)], (1, 8)), "no options"),
    "joined_batch": (("CONCATENATION", [(1, 4), (1, 4)], (2, 4), {"Axis": 0}, CONCATENATION), "first axis"),
    "computed_shape": (("RESHAPE", [(1, 4), (1, 2)], (2, 2)), "expected both to start with 1"),
    "computed_weight": (("CONV_2D", [(1, 4, 4, 2), (1, 1, 1, 2)], (1, 4, 4, 1), *conv()), "computed operand 1"),
    "channels": (("CONV_2D", [(1, 4, 4, 2), random(3, 1, 1, 5)], (1, 4, 4, 3), *conv()), "for 5 channels"),
    "padded_pool": (("MAX_POOL_2D", [(1, 5, 5, 2)], (1, 3, 3, 2), *pool(Padding=SAME)), "found padding"),
    "pool_relu": (
        ("MAX_POOL_2D", [(1, 4, 4, 2)], (1, 2, 2, 2), *pool(FusedActivationFunction=RELU)),
        "fused activation",
    ),
    "padded_batch": (("PAD", [(1, 4), np.array([[1, 0], [0, 0]], np.int32)], (2, 4)), "first axis"),
    "transposed_batch": (("TRANSPOSE", [(1, 4), ints(1, 0)], (4, 1)), "first axis"),
    "reduced_batch": (("MEAN", [(1, 4), ints(0)], (1, 4), {"KeepDims": True}, "ReducerOptions"), "first axis"),
    "slopes": (("PRELU", [(1, 4, 5, 3), random(4, 5, 3)], (1, 4, 5, 3)), "one for each channel"),
    "ellipsis": (("STRIDED_SLICE", SLICE, (1, 3, 3, 2), *sliced(EllipsisMask=1)), "ellipsis"),
    "computed_dequantize": (("DEQUANTIZE", [(1, 4)], (1, 4)), "computed operand"),
    "quantised": (("ADD", [(1, 4), np.ones(4, np.int8)], (1, 4)), "expected float or integer"),
    "batch": (("RELU", [(2, 4)], (2, 4)), "expected a first axis of 1"),
}


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_load_tflite__unsupported(case: str) -> None:
    parts, message = UNSUPPORTED[case]
    with pytest.raises(AssetError, match=message) as caught:
        load_tflite(model(*parts), "some.tflite")
    assert "some.tflite" in str(caught.value)


def test_load_tflite__not_a_model() -> None:
    for data in (b"", b"TFL3", b"PK\x03\x04" + bytes(100)):
        with pytest.raises(AssetError, match=r"some\.tflite: found no TFLite model"):
            load_tflite(data, "some.tflite")


def test_load_tflite__cut_short() -> None:
    data = model(*SINGLE["conv"])
    # The end of the file is padding and names; nothing that is read.
    for size in range(8, len(data) // 2, 16):
        with pytest.raises(AssetError, match=r"some\.tflite"):
            load_tflite(data[:size], "some.tflite")


def test_load_tflite__corrupt_bytes_raise_nothing_else() -> None:
    data = model(*SINGLE["conv"])
    rng = np.random.default_rng(0)
    failed = 0
    for _ in range(300):
        broken = bytearray(data)
        for place in rng.integers(8, len(data), 3):
            broken[place] = rng.integers(256)
        try:
            load_tflite(bytes(broken), "some.tflite")
        except AssetError:
            failed += 1
    assert failed > 100


def test_graph__wrong_shape() -> None:
    graph = load_tflite(model(*SINGLE["conv"]), "some.tflite")
    with pytest.raises(ValueError, match=r"found inputs of shape \(\(6, 7, 3\),\); expected \(\(7, 6, 3\),\)"):
        graph(torch.zeros(1, 6, 7, 3))


#: Network, its range of inputs, largest difference from the reference runtime in the unit of each output.
NETWORKS = {
    "face_detector.tflite": (-1, 1, 5e-4),
    "face_landmarks_detector.tflite": (0, 1, 1e-3),
    "face_blendshapes.tflite": (0, 250, 1e-5),
    "face_detection_back.tflite": (-1, 1, 5e-4),
}


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest, asset: Callable[[str], Path]) -> tuple[str, bytes]:
    name = request.param
    if name == "face_detection_back.tflite":
        return name, asset(name).read_bytes()
    with zipfile.ZipFile(asset("face_landmarker.task")) as task:
        return name, task.read(name)


def network_inputs(name: str, shape: tuple[int, ...], n: int) -> NDArray[np.float32]:
    low, high, _ = NETWORKS[name]
    return np.random.default_rng(0).uniform(low, high, (n, *shape)).astype(np.float32)


def test_graph__as_litert(network: tuple[str, bytes]) -> None:
    name, data = network
    graph = load_tflite(data, name)
    x = network_inputs(name, graph.input_shapes[0], 3)
    with torch.inference_mode():
        found = graph(torch.from_numpy(x))
    for n in range(len(x)):
        expected = by_litert(data, x[n : n + 1])
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a[n].numpy().ravel(), b.ravel(), atol=NETWORKS[name][2], rtol=0)


def test_graph__same_values_in_any_batch(network: tuple[str, bytes]) -> None:
    name, data = network
    graph = load_tflite(data, name)
    x = torch.from_numpy(network_inputs(name, graph.input_shapes[0], 9))
    with torch.inference_mode():
        together = graph(x)
        for n in (1, 2, 7):
            for whole, part in zip(together, graph(x[-n:]), strict=True):
                assert torch.equal(whole[-n:], part)
