"""The exported graph, rewritten; needs torch for the network that is exported: the cpu group."""

from collections import Counter

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs the cpu group: uv run --group cpu pytest")
ort = pytest.importorskip("onnxruntime", reason="needs the cpu group")

from onnx import helper, numpy_helper  # noqa: E402

from posebowl.training import graph  # noqa: E402

PHOTOS = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
BEFORE = [
    helper.make_node("Transpose", ["photos"], ["planes"], perm=[0, 3, 1, 2]),
    helper.make_node("Cast", ["planes"], ["cast"], to=onnx.TensorProto.FLOAT),
    helper.make_node("Div", ["cast", "most"], ["scaled"]),
    helper.make_node("Conv", ["scaled", "a.weight", "a.bias"], ["conv"], "a", pads=[1, 1, 1, 1]),
]
SILU = [
    helper.make_node("Sigmoid", ["conv"], ["gate"]),
    helper.make_node("Mul", ["conv", "gate"], ["passed"]),
]


def split(name, axis=1):
    return helper.make_node("Split", [name, "sizes"], ["some", "others"], axis=axis)


def content(*nodes, outputs=("some", "others"), group=1):
    """Make a small network: the nodes behind a scaled photo and a convolution."""
    rng = np.random.default_rng(1)
    values = {
        "most": np.float32(255),
        "sizes": np.array([2, 4], np.int64),
        "a.weight": rng.normal(size=(6, 3 // group, 3, 3)).astype(np.float32),
        "a.bias": rng.normal(size=6).astype(np.float32),
        "unused": np.float32(0),
    }
    before = [type(node).FromString(node.SerializeToString()) for node in BEFORE]
    before[-1].attribute.append(helper.make_attribute("group", group))
    made = helper.make_graph(
        [*before, *nodes],
        "network",
        [helper.make_tensor_value_info("photos", onnx.TensorProto.UINT8, ["n", 8, 8, 3])],
        [helper.make_tensor_value_info(one, onnx.TensorProto.FLOAT, None) for one in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def run(network):
    session = ort.InferenceSession(network, providers=["CPUExecutionProvider"])
    return session.run(None, {"photos": PHOTOS})


def kinds(network):
    return Counter(node.op_type for node in onnx.load_from_string(network).graph.node)


def weights(network):
    made = onnx.load_from_string(network).graph
    return {one.name: numpy_helper.to_array(one) for one in made.initializer}


@pytest.mark.parametrize(
    "nodes", [[split("conv")], [*SILU, split("passed")]], ids=["plain", "silu"]
)
def test_a_split_convolution_becomes_two(nodes):
    before = content(*nodes)
    after = graph.rewrite(before)
    for ours, theirs in zip(run(after), run(before), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    assert kinds(after)["Split"] == 0
    assert kinds(after)["Conv"] == 2
    assert [one.shape[1] for one in run(after)] == [2, 4]


def test_weights_are_found_under_the_names_they_had():
    before = content(split("conv"))
    found = graph.joined(weights(graph.rewrite(before)))
    for name in ("a.weight", "a.bias"):
        np.testing.assert_array_equal(found[name], weights(before)[name])


def test_bytes_become_fractions_in_one_step():
    after = graph.rewrite(content(split("conv")))
    assert kinds(after)["DequantizeLinear"] == 1
    assert not kinds(after)["Cast"]
    assert not kinds(after)["Div"]


def test_nothing_unused_is_left():
    after = onnx.load_from_string(graph.rewrite(content(split("conv")))).graph
    used = {name for node in after.node for name in node.input}
    assert {one.name for one in after.initializer} <= used


def test_it_is_rewritten_once():
    after = graph.rewrite(content(*SILU, split("passed")))
    assert graph.rewrite(after) == after


@pytest.mark.parametrize(
    ("nodes", "outputs", "group"),
    [
        ([split("conv")], ("some", "others"), 3),
        ([split("conv"), helper.make_node("Relu", ["conv"], ["more"])], ("some", "more"), 1),
        ([*SILU, split("passed"), helper.make_node("Relu", ["gate"], ["more"])], ("more",), 1),
        ([helper.make_node("Relu", ["conv"], ["passed"]), split("passed")], ("some",), 1),
        (
            [
                helper.make_node("Sigmoid", ["conv"], ["gate"]),
                helper.make_node("Mul", ["gate", "gate"], ["passed"]),
                split("passed"),
            ],
            ("some", "others"),
            1,
        ),
    ],
    ids=["grouped", "used twice", "gate used twice", "another activation", "no silu"],
)
def test_other_splits_stay(nodes, outputs, group):
    before = content(*nodes, outputs=outputs, group=group)
    after = graph.rewrite(before)
    assert kinds(after)["Split"] == 1
    for ours, theirs in zip(run(after), run(before), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_a_division_of_something_else_stays():
    halved = helper.make_node("Div", ["conv", "most"], ["some"])
    assert kinds(graph.rewrite(content(halved, outputs=("some",))))["Div"] == 1
