"""Narrower networks from wider ones; needs torch and ultralytics: the cpu group."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the cpu group: uv run --group cpu pytest")
pytest.importorskip("ultralytics", reason="needs the cpu group")

from posebowl import paths  # noqa: E402
from posebowl.errors import UsageError  # noqa: E402
from posebowl.training import detector, initial_weights, narrow, solution_modules  # noqa: E402
from posebowl.training.activations import Places, activations  # noqa: E402
from posebowl.training.channels import multiplications, pivots  # noqa: E402
from posebowl.training.dataset import photos, read_labels  # noqa: E402
from posebowl.training.exported import metadata  # noqa: E402
from posebowl.training.options import NarrowOptions  # noqa: E402
from posebowl.training.shapes import convolution, convolutions  # noqa: E402
from posebowl.util import program  # noqa: E402

SHIPPED = paths.SOLUTIONS / "benchmark" / "model.onnx"
SAMPLES = read_labels(paths.DEMO_DATA)


@pytest.fixture(scope="module")
def views():
    """Make small views of the demo's photos, (n, height, width, 3)."""
    return torch.from_numpy(np.stack([photo[::4, ::4] for photo in photos(SAMPLES)]))


@pytest.fixture(scope="module")
def inputs(views):
    """Make the network's inputs of them."""
    return views.permute(0, 3, 1, 2).float() / 255


@pytest.fixture(scope="module")
def wide():
    """Build the network with the weights of the solution."""
    network = detector.build("yolo26n.yaml")
    initial_weights.fill(network, initial_weights.read_onnx(SHIPPED), SHIPPED)
    return network.eval()


@pytest.fixture(scope="module")
def fewer(wide, inputs):
    """Narrow it to three quarters of its multiplications."""
    return narrow.narrow(wide, inputs[:16], 0.75)


def best(network, views):
    with torch.no_grad():
        return detector.BestBox(copy.deepcopy(network))(views).numpy()


def widths(network):
    return {
        name: range(convolution(part).out_channels) for name, part in convolutions(network).items()
    }


def test_what_keeps_all_its_channels_computes_the_same(wide, views, inputs):
    other = narrow.narrow(wide, inputs[:16], 1.0)
    theirs, ours = best(wide, views[:16]), best(other, views[:16])
    # The maps of the last layers have fewer places than a convolution has inputs, so that only
    # what it computes of them is known, and not its weights.
    np.testing.assert_allclose(ours[:, :4], theirs[:, :4], atol=1)
    np.testing.assert_allclose(ours[:, 4], theirs[:, 4], atol=0.02)


def test_with_fewer_channels_most_boxes_are_the_same(wide, fewer, views):
    apart = np.abs(best(fewer, views) - best(wide, views))[:, :4].max(1)
    assert (apart < 8).mean() > 0.6
    every, left = (multiplications(net, widths(net)) for net in (wide, fewer))
    assert 0.6 * every < left <= 0.75 * every
    kept = [len(channels) for channels in widths(fewer).values()]
    assert {count % 16 for count in kept if count > 16} == {0}


def test_what_is_added_has_the_same_channels(wide, fewer, inputs):
    seen = {}
    for name, network in {"wide": wide, "fewer": fewer}.items():
        part = network.model[22].m[0][0]  # adds what it computes to what it is given
        hook = part.register_forward_hook(
            lambda _, given, __, name=name: seen.update({name: given[0]})
        )
        with torch.no_grad():
            network(inputs)
        hook.remove()
    flat = {name: one.transpose(0, 1).flatten(1) for name, one in seen.items()}
    both = torch.corrcoef(torch.cat([flat["fewer"], flat["wide"]]))[: len(flat["fewer"])]
    likest = both[:, len(flat["fewer"]) :].max(1).values
    assert likest.median() > 0.9


def test_the_wide_network_stays_as_it_is(wide, fewer):
    assert widths(wide) != widths(fewer)
    again = initial_weights.read_onnx(SHIPPED)
    torch.testing.assert_close(wide.model[3].conv.weight, again["model.3.conv.weight"])


@pytest.mark.parametrize(
    ("yaml", "part"), [("yolov10n.yaml", "SCDown"), ("yolo11n.yaml", "Detect")]
)
def test_parts_that_are_not_known_are_refused(inputs, yaml, part):
    with pytest.raises(UsageError, match=f"with {part} of this kind cannot be narrowed") as caught:
        narrow.narrow(detector.build(yaml).eval(), inputs[:2], 0.5)
    assert "knows only the parts of YOLO26" in str(caught.value.why)


def test_what_is_too_narrow_is_refused(wide, inputs):
    with pytest.raises(UsageError, match="cannot be narrowed to 1% of its") as caught:
        narrow.narrow(wide, inputs[:2], 0.01)
    assert "--keep 0." in caught.value.fix


def test_pivots_are_what_explains_the_rest():
    some = np.random.default_rng(0).normal(size=(100, 3)) * (1, 2, 3)
    seen = some[:, [2, 0, 2, 1, 0]] * (1, 1, 0.5, 1, 0.1)  # two of five are copies of others
    order, lost = pivots(seen.T @ seen)
    np.testing.assert_array_equal(order[:3], [0, 3, 1])
    assert sorted(order) == list(range(5))
    assert (np.diff(lost) <= 1e-9).all()
    assert lost[1] == pytest.approx(np.square(seen[:, [1, 4]]).sum(), rel=0.05)
    np.testing.assert_allclose(lost[2:], 0, atol=1e-9)


def outputs_of(network, inputs):
    """Return what a network's weights of channels are about: scores and boxes, by their weights."""
    with torch.no_grad():
        return network(inputs)[1]


@pytest.mark.parametrize("name", ["model.2.cv2", "model.16.cv2"])
def test_the_weight_of_a_channel_is_what_an_error_in_it_does(wide, inputs, name):
    network, few = copy.deepcopy(wide), inputs
    weight = activations(network, few).weight[name].sum()
    before, part = outputs_of(network, few), network.get_submodule(name)
    seen, error = before["scores"].sigmoid(), 1e-3
    torch.manual_seed(0)
    hook = part.register_forward_hook(
        lambda _, __, passed: passed + error * torch.randn(passed.shape)
    )
    changed = []
    for _ in range(20):
        after = outputs_of(network, few)
        scores = (after["scores"] - before["scores"]).square() * (seen * (1 - seen) + 1e-4)
        sides = before["boxes"].sum(1, keepdim=True).clamp(min=1)
        boxes = ((after["boxes"] - before["boxes"]) * 3 / sides).square() * seen
        changed.append(float(scores.sum() + boxes.sum()) / len(few))
    hook.remove()
    assert float(weight) * error**2 == pytest.approx(np.mean(changed), rel=0.5)


def test_patches_are_what_a_convolution_sees():
    conv = torch.nn.Conv2d(2, 4, 3, stride=2, padding=1)
    features = torch.rand(2, 2, 6, 8)
    places = Places((2, 3, 4), "some")
    seen = places.patches(features, conv)
    ours = seen.flatten(1) @ conv.weight.flatten(1).T + conv.bias
    torch.testing.assert_close(ours, places.of(conv(features)))


def network_of(file):
    return solution_modules.load_network(file, device="cpu").run


def command(*words):
    narrow.main(program.read(NarrowOptions, [*map(str, words)], task="benchmark.narrow"))


def test_a_pair_is_narrowed_as_the_solution_uses_it(tmp_path, capsys):
    out = tmp_path / "model.onnx"
    words = ("--images", paths.DEMO_DATA, "--photos", 6, "--out", out)
    command(*words, "--keep", 0.8)
    assert "Looking at 6 photos" in capsys.readouterr().err
    loaded = solution_modules.load_network(out, device="cpu")
    assert loaded.looks == solution_modules.load_network(SHIPPED, device="cpu").looks
    for network, places in ((loaded.run, (3, 5)), (loaded.refiner, (5,))):
        assert network(np.zeros((2, 96, 128, 3), np.uint8)).shape == (2, *places)
    for name in ("model.onnx", "refiner.onnx"):
        assert (tmp_path / name).stat().st_size < SHIPPED.with_name(name).stat().st_size
    notes = metadata(out.read_bytes())
    assert (notes["refiner"], notes["source"]) == ("refiner.onnx", "model.onnx")
    # In the same folder it keeps that folder's refiner, and as many places.
    beside = tmp_path / "narrower.onnx"
    command(
        "--weights", out, "--images", paths.DEMO_DATA, "--photos", 2, "--keep", 0.9, "--out", beside
    )
    assert solution_modules.load_network(beside, device="cpu").refiner is not None
    assert network_of(beside)(np.zeros((2, 96, 128, 3), np.uint8)).shape == (2, 3, 5)
    before = out.read_bytes()
    with pytest.raises(UsageError, match=r"model\.onnx already exists"):
        command(*words)
    out.rename(tmp_path / "other.onnx")
    with pytest.raises(UsageError, match=r"refiner\.onnx already exists"):
        command(*words)
    assert (tmp_path / "other.onnx").read_bytes() == before
