"""torch and torchvision, whose libraries for GPUs the cpu image leaves out."""

# ruff: noqa: PLC0415
# Imports are inside the tests, so that one broken package fails alone.
from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

Points = tuple[np.ndarray, np.ndarray]


def test_torch_trains(separable: Points) -> None:
    import torch

    points, classes = map(torch.from_numpy, separable)
    model = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(30):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(points), classes).backward()
        optimizer.step()
    assert (model(points).argmax(1) == classes).float().mean() > 0.9


def test_torch_calculates() -> None:
    import torch

    matrix = torch.eye(4) * 3
    assert torch.linalg.svd(matrix).S.tolist() == [3, 3, 3, 3]
    assert torch.linalg.inv(matrix)[0, 0] == pytest.approx(1 / 3)
    assert torch.fft.fft(torch.ones(8))[0] == 8
    assert torch.sparse.mm(matrix.to_sparse(), torch.ones(4, 1)).sum() == 12
    assert torch.nn.functional.scaled_dot_product_attention(*[torch.ones(1, 2, 4)] * 3).sum() == 8
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.nn.Conv2d(3, 4, 3)(torch.ones(1, 3, 8, 8)).shape == (1, 4, 6, 6)


def test_torch_compiles() -> None:
    import torch

    compiled = torch.compile(lambda x: (x * 2 + 1).relu().sum())
    assert compiled(torch.ones(100)) == 300


def test_torch_answers_questions_about_gpus(variant: str) -> None:
    """Every question that a script may ask before it decides for a device."""
    import torch

    has_gpu = variant == "gpu" and torch.cuda.device_count() > 0
    assert torch.cuda.is_available() == has_gpu
    assert torch.cuda.device_count() == 0 or has_gpu
    assert torch.backends.cudnn.is_available() in {True, False}
    assert torch.backends.cudnn.version() is None or torch.backends.cudnn.version() > 0
    assert torch.backends.mps.is_available() is False
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(0)
    if not has_gpu:
        with pytest.raises((RuntimeError, AssertionError)):
            torch.ones(1).to("cuda")
        with pytest.raises((RuntimeError, AssertionError)):
            torch.ones(1, device="cuda:0")
    environment = subprocess.run(
        [sys.executable, "-m", "torch.utils.collect_env"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "PyTorch version" in environment.stdout


def test_torch_loads_with_workers() -> None:
    import torch

    data = torch.utils.data.TensorDataset(torch.arange(64).float())
    loader = torch.utils.data.DataLoader(data, batch_size=8, num_workers=2)
    assert sum(float(batch.sum()) for (batch,) in loader) == 2016


def test_torchvision() -> None:
    import torch
    import torchvision

    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11], [50, 50, 60, 60]])
    kept = torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5)
    assert kept.tolist() == [0, 2]
    model = torchvision.models.mobilenet_v3_small(weights=None).eval()
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, 64, 64)).shape == (1, 1000)


def test_the_cpu_image_holds_no_cuda_libraries(variant: str) -> None:
    spec = importlib.util.find_spec("nvidia")
    places = [] if spec is None else list(spec.submodule_search_locations or [])
    size = sum(f.stat().st_size for p in places for f in Path(p).rglob("*.so*") if f.is_file())
    if variant == "cpu":
        assert size < 100 << 20
        assert importlib.util.find_spec("triton") is None
    else:
        assert size > 1 << 30
