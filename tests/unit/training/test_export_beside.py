"""Networks that are exported beside another; needs torch and ultralytics: the cpu group."""

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the cpu group: uv run --group cpu pytest")
pytest.importorskip("ultralytics", reason="needs the cpu group")
pytest.importorskip("onnxruntime", reason="needs the cpu group")

from posebowl import paths  # noqa: E402
from posebowl.errors import UsageError  # noqa: E402
from posebowl.training import export  # noqa: E402
from posebowl.training.options import ExportOptions  # noqa: E402
from posebowl.training.recipe import Recipe  # noqa: E402
from posebowl.training.solution_modules import load_network  # noqa: E402
from posebowl.training.state import new_state, save  # noqa: E402
from posebowl.util import program  # noqa: E402

SHIPPED = paths.SOLUTIONS / "benchmark"


def checkpoint(path: Path, **settings) -> Path:
    """Save an untrained network."""
    torch.manual_seed(0)
    recipe = Recipe(first=(96, 128), second=(64, 96), **settings)
    save(new_state(recipe, torch.device("cpu")), recipe, path, slim=True)
    return path


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    return checkpoint(tmp_path_factory.mktemp("weights") / "wide.pt")


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    return checkpoint(tmp_path_factory.mktemp("weights") / "half.pt", width=0.5)


def command(*words):
    export.main(program.read(ExportOptions, [*map(str, words)], task="benchmark.export"))


def test_a_scout_and_a_refiner_lie_beside_the_search_network(wide, half, tmp_path, capsys):
    out = tmp_path / "model.onnx"
    words = ["--weights", wide, "--out", out]
    command(*words, "--scout", half, "--refiner", SHIPPED / "refiner.onnx")
    notes = export.metadata(out.read_bytes())
    assert (notes["refiner"], notes["scout"]) == ("refiner.onnx", "scout.onnx")
    assert (tmp_path / "refiner.onnx").read_bytes() == (SHIPPED / "refiner.onnx").read_bytes()
    net = load_network(out, device="cpu")
    found = [one(np.zeros((2, 96, 128, 3), np.uint8)) for one in (net.run, net.scout, net.refiner)]
    assert [one.shape for one in found] == [(2, 3, 5), (2, 3, 5), (2, 5)]
    assert (tmp_path / "scout.onnx").stat().st_size < out.stat().st_size / 2

    with pytest.raises(UsageError, match=r"model\.onnx is not a scout") as caught:
        command(*words, "--scout", out, "--force")
    assert caught.value.fix == f"Use --scout {tmp_path / 'scout.onnx'}."
    capsys.readouterr()
    command(*words, "--force")
    said = capsys.readouterr().err
    assert "refiner.onnx is no longer used" in said
    assert "scout.onnx is no longer used" in said


def test_a_scout_of_ones_own_joins_an_exported_network(half, tmp_path):
    out = tmp_path / "model.onnx"
    command("--weights", SHIPPED / "model.onnx", "--scout", half, "--out", out)
    assert export.metadata(out.read_bytes())["scout"] == "scout.onnx"
    assert (tmp_path / "refiner.onnx").read_bytes() == (SHIPPED / "refiner.onnx").read_bytes()
    net = load_network(out, device="cpu")
    assert net.scout(np.zeros((1, 96, 128, 3), np.uint8)).shape == (1, 3, 5)
    assert net.refiner is not None
    assert json.loads(export.metadata((tmp_path / "scout.onnx").read_bytes())["first_look"]) == [
        *net.looks.first
    ]


def test_a_network_exported_over_one_beside_it_takes_nothing_away(wide, half, tmp_path, capsys):
    command("--weights", wide, "--scout", half, "--out", tmp_path / "model.onnx")
    capsys.readouterr()
    command("--weights", half, "--out", tmp_path / "scout.onnx", "--force")
    assert "no longer used" not in capsys.readouterr().err


def test_a_scout_that_is_there_is_kept(wide, half, tmp_path):
    scout = tmp_path / "scout.onnx"
    scout.write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"scout\.onnx already exists"):
        command("--weights", wide, "--scout", half, "--out", tmp_path / "model.onnx")
    assert scout.read_bytes() == b"mine"
