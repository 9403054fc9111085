"""Beginning with weights that there are; needs torch and ultralytics: the cpu group."""

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the cpu group: uv run --group cpu pytest")
pytest.importorskip("ultralytics", reason="needs the cpu group")
ort = pytest.importorskip("onnxruntime", reason="needs the cpu group")

from ultralytics.nn.modules.conv import Conv  # noqa: E402

from posebowl import paths  # noqa: E402
from posebowl.errors import UsageError  # noqa: E402
from posebowl.training import detector, initial_weights, train  # noqa: E402
from posebowl.training.dataset import photos, read_labels  # noqa: E402
from posebowl.training.shapes import reshape  # noqa: E402
from posebowl.training.state import new_state, save  # noqa: E402

SHIPPED = paths.SOLUTIONS / "benchmark" / "model.onnx"


@pytest.fixture(scope="module")
def views():
    """Make a batch of small views of the demo's photos."""
    every = [photo[::4, ::4] for photo in photos(read_labels(paths.DEMO_DATA)[:8])]
    return torch.from_numpy(np.stack(every))


@pytest.fixture(scope="module")
def started(views):
    """Build the network with the weights of the solution."""
    network = detector.build("yolo26n.yaml").train()
    initial_weights.load_initial_weights(network, SHIPPED, [views])
    return network


def test_the_network_computes_what_the_onnx_file_does(started, views):
    session = ort.InferenceSession(SHIPPED, providers=["CPUExecutionProvider"])
    theirs = session.run(None, {"photos": views.numpy()})[0][:, 0]  # the best of its places
    with torch.no_grad():
        ours = detector.BestBox(copy.deepcopy(started))(views).numpy()
    np.testing.assert_allclose(ours[:, :4], theirs[:, :4], atol=0.01)
    np.testing.assert_allclose(ours[:, 4], theirs[:, 4], atol=1e-4)


def test_in_training_it_computes_nearly_the_same(started, views):
    network = copy.deepcopy(started)
    inputs = views.permute(0, 3, 1, 2).float() / 255
    for part in norms(network):
        part.momentum = 1.0  # then the running statistics are those of these views alone
    with torch.no_grad():
        trained = network.train()(inputs)["scores"]
    # The statistics are those of these views, so that batches are normalised as single photos are.
    for part, known in zip(norms(network), norms(started), strict=True):
        spread = known.running_var.sqrt().clamp(min=1e-3)
        assert ((part.running_mean - known.running_mean).abs() / spread).max() < 0.01
        some = known.running_var > 1e-6
        ratio = part.running_var[some] / known.running_var[some]
        assert ratio.min() > 1 / 1.05
        assert ratio.max() < 1.05
    assert trained.isfinite().all()


def test_every_filter_has_the_same_size(started):
    sizes = [
        part.conv.weight.square().mean((1, 2, 3)).sqrt()
        for part in started.modules()
        if isinstance(part, Conv)
    ]
    every = torch.cat(sizes)
    torch.testing.assert_close(every, torch.full_like(every, initial_weights.FILTER_SIZE))


def norms(network):
    return [part for part in network.modules() if isinstance(part, torch.nn.BatchNorm2d)]


def test_a_checkpoint_has_the_same_weights(started, tmp_path):
    state = new_state(train.Recipe(), torch.device("cpu"), started.state_dict())
    state.average.load_state_dict(started.state_dict())
    save(state, train.Recipe(), tmp_path / "some.pt", slim=True)
    network = detector.build("yolo26n.yaml")
    reshape(network, initial_weights.shapes(tmp_path / "some.pt"))
    initial_weights.load_initial_weights(network, tmp_path / "some.pt", [])
    for name, value in network.state_dict().items():
        if value.is_floating_point():  # a slim checkpoint is in half precision
            torch.testing.assert_close(value, started.state_dict()[name].half().float())


def test_another_architecture_is_refused():
    with pytest.raises(UsageError, match="another architecture"):
        initial_weights.load_initial_weights(detector.build("yolo11n.yaml"), SHIPPED, [])


def test_a_broken_file_is_refused(tmp_path):
    file = tmp_path / "some.onnx"
    file.write_bytes(b"no graph")
    with pytest.raises(UsageError, match="Cannot read"):
        initial_weights.load_initial_weights(detector.build("yolo26n.yaml"), file, [])
