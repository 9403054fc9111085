"""Packages that run, shrink and exchange trained networks."""

# ruff: noqa: PLC0415
# Imports are inside the tests, so that one broken package fails alone.
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

RNG = np.random.default_rng(0)


def test_nncf(onnx_line: Path) -> None:
    import nncf
    import openvino

    model = openvino.Core().read_model(onnx_line)
    model.reshape([4, 3])
    small = nncf.compress_weights(model)
    result = openvino.compile_model(small, "CPU")(np.ones((4, 3), np.float32))
    assert np.allclose(result[0], 3)


def test_onnx_and_onnxruntime(onnx_line: Path, variant: str) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(onnx_line, providers=["CPUExecutionProvider"])
    assert np.allclose(session.run(None, {"x": np.ones((2, 3), np.float32)})[0], 3)
    offers = onnxruntime.get_available_providers()
    assert ("CUDAExecutionProvider" in offers) == (variant == "gpu")


def test_onnxslim(onnx_line: Path) -> None:
    import onnx
    import onnxslim

    slim = onnxslim.slim(onnx.load(onnx_line))
    assert "Identity" not in {node.op_type for node in slim.graph.node}


def test_openvino(onnx_line: Path) -> None:
    import openvino

    model = openvino.compile_model(onnx_line, "CPU")
    assert np.allclose(model(np.ones((2, 3), np.float32))[0], 3)


def test_ultralytics_predicts_and_exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the network's description, as there is no internet to take weights from."""
    import onnxruntime
    from ultralytics import YOLO

    monkeypatch.chdir(tmp_path)
    model = YOLO("yolo11n.yaml", verbose=False)
    image = RNG.integers(0, 255, (1024, 1280, 3), dtype=np.uint8)
    result = model.predict(image, imgsz=320, device="cpu", verbose=False)[0]
    assert result.orig_shape == (1024, 1280)
    model.save(tmp_path / "n.pt")
    exported = YOLO(tmp_path / "n.pt").export(
        format="onnx", imgsz=320, device="cpu", simplify=True, verbose=False
    )
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    out = session.run(None, {"images": np.zeros((1, 3, 320, 320), np.float32)})[0]
    assert out.shape[:2] == (1, 84)
