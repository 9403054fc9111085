"""Narrower networks from wider ones; needs torch and ultralytics: the cpu group."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the cpu group: uv run --group cpu pytest")
pytest.importorskip("ultralytics", reason="needs the cpu group")

from posebowl import paths  # noqa: E402
from posebowl.errors import UsageError  # noqa: E402
from posebowl.training import detector, initial_weights  # noqa: E402
from posebowl.training.dataset import photos, read_labels  # noqa: E402
from posebowl.training.narrow import Places, convolutions, narrow, pivots  # noqa: E402

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
def half(wide, inputs):
    """Build a network half as wide that computes nearly the same."""
    network = detector.build("yolo26n.yaml", width=0.5)
    narrow(network, wide, inputs)
    return network.eval()


def best(network, views):
    with torch.no_grad():
        return detector.BestBox(copy.deepcopy(network))(views).numpy()


def test_as_wide_a_network_computes_the_same(wide, views, inputs):
    other = detector.build("yolo26n.yaml")
    narrow(other, wide, inputs)
    theirs, ours = best(wide, views), best(other, views)
    # The maps of the last layers have fewer places than a convolution has inputs, so that only
    # what it computes of them is known, and not its weights.
    np.testing.assert_allclose(ours[:, :4], theirs[:, :4], atol=1)
    np.testing.assert_allclose(ours[:, 4], theirs[:, 4], atol=0.02)


def test_half_as_wide_a_network_finds_most_of_the_same(wide, half, views):
    apart = np.abs(best(half, views) - best(wide, views))[:, :4].max(1)
    assert (apart < 16).mean() > 0.5
    weights = [sum(one.numel() for one in net.parameters()) for net in (half, wide)]
    assert weights[0] < 0.3 * weights[1]


def test_what_is_added_has_the_same_channels(wide, half, inputs):
    seen = {}
    for name, network in {"wide": wide, "half": half}.items():
        part = network.model[10].m[0]  # attention: adds what it computes to what it is given
        hook = part.register_forward_hook(
            lambda _, given, __, name=name: seen.update({name: given[0]})
        )
        with torch.no_grad():
            network(inputs)
        hook.remove()
    flat = {name: one.transpose(0, 1).flatten(1) for name, one in seen.items()}
    both = torch.corrcoef(torch.cat([flat["half"], flat["wide"]]))[: len(flat["half"])]
    likest = both[:, len(flat["half"]) :].max(1).values
    assert likest.median() > 0.9


def test_training_starts_from_it(views):
    other = detector.build("yolo26n.yaml", width=0.5).train()
    given = [views] * 2
    initial_weights.load_initial_weights(other, SHIPPED, given, detector.build("yolo26n.yaml"))
    assert other.training
    norms = [part.bn for part in convolutions(other).values() if hasattr(part, "bn")]
    assert any((norm.running_mean.abs() > 0.01).any() for norm in norms)
    assert all(norm.running_var.isfinite().all() for norm in norms)


def test_a_fitting_file_is_not_narrowed(wide, views):
    same = detector.build("yolo26n.yaml")
    initial_weights.load_initial_weights(same, SHIPPED, [views], detector.build("yolo26s.yaml"))
    np.testing.assert_allclose(best(same, views)[:, :4], best(wide, views)[:, :4], atol=0.01)


@pytest.mark.parametrize(
    ("yaml", "width", "says"),
    [
        ("yolo26n.yaml", 0.75, "heads have 64 channels here, 96 there"),
        ("yolov10n.yaml", 0.5, "knows only the parts of YOLO26 and YOLO11"),
    ],
)
def test_what_cannot_be_narrowed_is_refused(inputs, yaml, width, says):
    wide, other = detector.build(yaml), detector.build(yaml, width=width)
    with pytest.raises(UsageError, match="cannot be narrowed") as caught:
        narrow(other, wide, inputs[:2])
    assert says in str(caught.value.why)


def test_a_model_of_one_width_is_refused():
    with pytest.raises(UsageError, match=r"yolov9t\.yaml has one width only"):
        detector.build("yolov9t.yaml", width=0.5)


def test_pivots_are_what_explains_the_rest():
    some = np.random.default_rng(0).normal(size=(100, 3)) * (1, 2, 3)
    seen = some[:, [2, 0, 2, 1, 0]] * (1, 1, 0.5, 1, 0.1)  # two of five are copies of others
    np.testing.assert_array_equal(pivots(seen.T @ seen, 3), [0, 1, 3])
    np.testing.assert_array_equal(pivots(seen.T @ seen, 5), np.arange(5))


def test_patches_are_what_a_convolution_sees():
    conv = torch.nn.Conv2d(2, 4, 3, stride=2, padding=1)
    features = torch.rand(2, 2, 6, 8)
    places = Places((2, 3, 4), "some")
    seen = places.patches(features, conv)
    ours = seen.flatten(1) @ conv.weight.flatten(1).T + conv.bias
    torch.testing.assert_close(ours, places.of(conv(features)))
