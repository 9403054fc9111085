"""Tests that run inside an image: `nox -s test_packages-cpu` mounts this folder there."""

from __future__ import annotations

import importlib.metadata
import json
import os
from pathlib import Path

import numpy as np
import pytest

# Without a writable home, ultralytics and matplotlib complain; every run has one.
os.environ.setdefault("YOLO_OFFLINE", "true")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--variant", choices=["cpu", "gpu"], required=True)
    parser.addoption("--result", type=Path, help="write versions and outcomes to this file")


def pytest_configure(config: pytest.Config) -> None:
    if path := config.getoption("--result"):
        config.pluginmanager.register(Recorder(path))


class Recorder:
    """Keeps how each test ended, for programs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tests: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note an outcome; what goes wrong before or after a test is the test's."""
        if report.when == "call" or report.outcome != "passed":
            self._tests[report.nodeid] = report.outcome

    def pytest_sessionfinish(self) -> None:
        """Write the outcomes, and the version of each package that is installed."""
        found = importlib.metadata.distributions()
        versions = sorted((one.name.lower(), one.name, one.version) for one in found)
        table = {"packages": {name: one for _, name, one in versions}, "tests": self._tests}
        self._path.write_text(json.dumps(table))


@pytest.fixture(scope="session")
def variant(request: pytest.FixtureRequest) -> str:
    """Name the image that this runs in."""
    return str(request.config.getoption("--variant"))


@pytest.fixture(scope="session")
def onnx_line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a network of one step: y = 2 x + 1, for a batch of any size."""
    from onnx import TensorProto, helper, numpy_helper, save  # noqa: PLC0415

    two = numpy_helper.from_array(np.array(2.0, np.float32), "two")
    one = numpy_helper.from_array(np.array(1.0, np.float32), "one")
    nodes = [
        helper.make_node("Mul", ["x", "two"], ["double"]),
        helper.make_node("Identity", ["double"], ["same"]),
        helper.make_node("Add", ["same", "one"], ["y"]),
    ]
    shape = ["n", 3]
    graph = helper.make_graph(
        nodes,
        "line",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [two, one],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path_factory.mktemp("onnx") / "line.onnx"
    save(model, path)
    return path


@pytest.fixture
def separable() -> tuple[np.ndarray, np.ndarray]:
    """Make points of two classes with a gap between them."""
    points = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    classes = (points[:, 0] > 0).astype(np.int64)
    points[:, 0] += np.where(classes == 1, 3, -3)
    return points, classes
