"""Loading the network, with real libraries: what is refused, and that all of them agree."""

import shutil
import subprocess
import sys
import types
from dataclasses import replace

import numpy as np
import pytest

from posebowl import paths
from posebowl.training import solution_modules

pytest.importorskip("cv2", reason="needs the lean group: uv run --group lean pytest")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the lean group")

network = solution_modules.module("network")
backend_gpu = solution_modules.module("backend_gpu")

WEIGHTS = paths.SOLUTIONS / "benchmark" / "model.onnx"
PHOTOS = np.random.default_rng(0).integers(0, 256, (5, 64, 96, 3), np.uint8)


def load(weights=WEIGHTS, **settings):
    return network.load(weights, **{"backend": "onnxruntime", "device": "cpu", **settings})


@pytest.fixture(scope="module")
def expected():
    return load().run(PHOTOS)


def test_the_file_has_the_sizes_of_the_looks():
    looks = load().looks
    assert looks.glance == (256, 320)
    assert looks.second is not None


def test_onnxruntime_keeps_no_record_of_this_machine(tmp_path):
    """It would send what it does to its makers, with a number that it keeps in the home folder."""
    script = "import pathlib, network; network.load(pathlib.Path('model.onnx'), "
    script += "backend='onnxruntime', device='cpu')"
    bare = {"HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}  # CI=true would disable it too
    subprocess.run([sys.executable, "-c", script], cwd=WEIGHTS.parent, env=bare, check=True)
    assert list(tmp_path.iterdir()) == []


def test_openvino_computes_the_same(expected):
    pytest.importorskip("openvino", reason="needs the lean group")
    loaded = load(backend="openvino")
    assert loaded.looks == load().looks
    for at in range(len(PHOTOS)):
        np.testing.assert_allclose(
            loaded.run(PHOTOS[at : at + 1]), expected[at : at + 1], atol=0.05
        )
    np.testing.assert_allclose(loaded.run(PHOTOS), expected, atol=0.05)


def test_openvino_in_bf16_computes_nearly_the_same(expected):
    pytest.importorskip("openvino", reason="needs the lean group")
    found = load(backend="openvino", precision="bf16").run(PHOTOS)
    np.testing.assert_allclose(found[:, 0, 4], expected[:, 0, 4], atol=0.05)  # the best place


@pytest.mark.parametrize("batch", [1, 2, 5, 8])
def test_bound_buffers_compute_the_same_for_any_number_of_photos(expected, batch):
    """The GPU's way to run batches, on onnxruntime's CPU device."""
    bound = bound_sessions(batch)
    for count in (5, 1, 3):
        np.testing.assert_allclose(bound.run(PHOTOS[:count]), expected[:count], atol=1e-3)
    wide = np.ascontiguousarray(PHOTOS.transpose(0, 2, 1, 3))
    np.testing.assert_allclose(bound.run(wide), load().run(wide), atol=1e-3)
    assert len(bound.bound) == 2


def test_each_shape_has_a_session_of_its_own():
    """A session plans all convolutions again whenever the shape changes, for a second or more."""
    bound = bound_sessions(2)
    for photos in (PHOTOS, PHOTOS[:, :32], PHOTOS, PHOTOS[:1]):
        bound.run(np.ascontiguousarray(photos))
    first, second = bound.bound.values()
    assert first.session is not second.session


def bound_sessions(batch):
    """Bind batches on onnxruntime's CPU device."""

    def another():
        return onnxruntime.InferenceSession(str(WEIGHTS), providers=["CPUExecutionProvider"])

    return backend_gpu.BoundSessions(
        onnxruntime,
        another(),
        another,
        input_name="photos",
        output_name="boxes",
        batch=batch,
        device="cpu",
    )


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="has a CUDA provider"
)
def test_without_a_gpu_the_cpu_is_taken_or_named():
    loaded = load(device="auto")
    assert not loaded.on_gpu
    assert "on CPU" in loaded.description
    with pytest.raises(network.NetworkError, match="no CUDA provider works here"):
        load(device="cuda")


class Broken:
    """An onnxruntime for GPUs on a machine whose driver does not load."""

    def __init__(self, fails):
        self.fails = fails

    def __getattr__(self, name):
        return getattr(onnxruntime, name)

    def get_available_providers(self):
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def preload_dlls(self):
        pass

    def InferenceSession(self, *args, providers):  # noqa: N802
        if self.fails and providers != ["CPUExecutionProvider"]:
            raise RuntimeError("CUDA failure 35: driver too old\nand much more")
        return onnxruntime.InferenceSession(*args, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(
    ("fails", "note"),
    [
        (True, "(the CUDA provider failed: CUDA failure 35: driver too old)"),
        (False, "(the CUDA provider did not load)"),
    ],
)
def test_a_gpu_that_fails_leaves_the_cpu_and_a_line_in_the_log(monkeypatch, expected, fails, note):
    monkeypatch.setattr(network, "library", lambda _: Broken(fails))
    loaded = load(device="auto")
    assert loaded.description.endswith(f"on CPU {note}")
    np.testing.assert_allclose(loaded.run(PHOTOS), expected, atol=1e-3)
    with pytest.raises(network.NetworkError, match="no CUDA provider works here"):
        load(device="cuda")


def test_the_library_that_a_cuda_provider_lacks_is_named(tmp_path):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("cc is not installed")
    runtime, capi = tmp_path / "onnxruntime", tmp_path / "onnxruntime" / "capi"
    capi.mkdir(parents=True)
    about = types.SimpleNamespace(__file__=str(runtime / "__init__.py"))
    assert backend_gpu.missing_library(about) == ""
    source, gone = tmp_path / "empty.c", tmp_path / "libgone.so.13"
    source.write_text("int gone(void) { return 0; }")
    build = [compiler, "-shared", "-fPIC", "-o"]
    subprocess.run([*build, gone, source, "-Wl,-soname,libgone.so.13"], check=True)
    source.write_text("int gone(void); int there(void) { return gone(); }")
    subprocess.run([*build, capi / "libonnxruntime_providers_cuda.so", source, gone], check=True)
    assert backend_gpu.missing_library(about) == ": libgone.so.13 is missing"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"precision": "bf16"}, "needs --backend openvino"),
        ({"backend": "openvino", "device": "cuda"}, "leave out --backend"),
        ({"weights": paths.ROOT / "nothing.onnx"}, "does not exist"),
        ({"weights": paths.ROOT / "pyproject.toml"}, "cannot be loaded"),
    ],
)
def test_what_cannot_be_used_is_named(settings, says):
    with pytest.raises(network.NetworkError, match=says):
        load(**settings)


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(network.NetworkError, match="openvino is not installed here"):
        load(backend="openvino")


def test_a_network_of_another_kind_is_refused():
    with pytest.raises(network.NetworkError, match="was not made by"):
        network.read_looks(["images", "output0"], {}, WEIGHTS)


def test_a_network_that_takes_blue_first_is_refused():
    notes = {"first_look": "[512, 640]", "second_look": "null"}
    with pytest.raises(network.NetworkError, match="blue for red"):
        network.read_looks(["photos", "boxes"], notes, WEIGHTS)


def test_one_look():
    notes = {"first_look": "[512, 640]", "second_look": "null", "channels": "rgb"}
    looks = network.read_looks(["photos", "boxes"], notes, WEIGHTS)
    assert looks.second is None
    assert replace(looks, glance=None).first == (512, 640)


@pytest.fixture
def pair(tmp_path):
    """Return a network that names a refiner, which adds 1 to each box and score of the same."""
    onnx = pytest.importorskip("onnx", reason="needs the cpu group: uv run --group cpu pytest")
    model = onnx.load(WEIGHTS)
    notes = {one.key: one.value for one in model.metadata_props}
    onnx.helper.set_model_props(model, {**notes, "refiner": "refiner.onnx"})
    onnx.save(model, tmp_path / "model.onnx")
    notes.pop("refiner", None)
    onnx.helper.set_model_props(model, notes)
    [last] = [node for node in model.graph.node if "boxes" in node.output]
    last.output[0] = "plain"
    one = onnx.numpy_helper.from_array(np.ones(1, np.float32), "one")
    model.graph.initializer.append(one)
    model.graph.node.append(onnx.helper.make_node("Add", ["plain", "one"], ["boxes"]))
    onnx.save(model, tmp_path / "refiner.onnx")
    return tmp_path / "model.onnx"


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_a_network_brings_its_refiner(pair, expected, backend):
    pytest.importorskip(backend, reason="needs the lean group")
    both = load(pair, backend=backend)
    np.testing.assert_allclose(both.run(PHOTOS), expected, atol=0.05)
    np.testing.assert_allclose(both.refiner(PHOTOS), expected + 1, atol=0.05)
    alone = load(pair.with_name("refiner.onnx"), backend=backend)
    assert alone.refiner is None


def test_a_refiner_that_is_missing_is_named(pair):
    pair.with_name("refiner.onnx").unlink()
    with pytest.raises(
        network.NetworkError, match=r"refiner\.onnx does not exist.*export --refiner"
    ):
        load(pair)
