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
from posebowl.training.exported import metadata  # noqa: E402
from posebowl.training.options import ExportOptions  # noqa: E402
from posebowl.training.recipe import Recipe  # noqa: E402
from posebowl.training.solution_modules import load_network  # noqa: E402
from posebowl.training.state import new_state, save  # noqa: E402
from posebowl.util import program  # noqa: E402

SHIPPED = paths.SOLUTIONS / "benchmark"


def checkpoint(path: Path) -> Path:
    """Save an untrained network."""
    torch.manual_seed(0)
    recipe = Recipe(first=(96, 128), second=(64, 96))
    save(new_state(recipe, torch.device("cpu")), recipe, path, slim=True)
    return path


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    return checkpoint(tmp_path_factory.mktemp("weights") / "search.pt")


def command(*words):
    export.main(program.read(ExportOptions, [*map(str, words)], task="benchmark.export"))


def test_an_exported_refiner_lies_beside_the_search_network(search, tmp_path, capsys):
    out = tmp_path / "model.onnx"
    words = ["--weights", search, "--out", out]
    command(*words, "--refiner", SHIPPED / "refiner.onnx")
    assert metadata(out.read_bytes())["refiner"] == "refiner.onnx"
    assert (tmp_path / "refiner.onnx").read_bytes() == (SHIPPED / "refiner.onnx").read_bytes()
    net = load_network(out, device="cpu")
    found = [one(np.zeros((2, 96, 128, 3), np.uint8)) for one in (net.run, net.refiner)]
    assert [one.shape for one in found] == [(2, 3, 5), (2, 5)]

    with pytest.raises(UsageError, match=r"model\.onnx is not a refiner") as caught:
        command(*words, "--refiner", out, "--force")
    assert caught.value.fix == f"Use --refiner {tmp_path / 'refiner.onnx'}."
    capsys.readouterr()
    command(*words, "--force")
    assert "refiner.onnx is no longer used" in capsys.readouterr().err


def test_a_refiner_of_ones_own_joins_an_exported_network(search, tmp_path):
    out = tmp_path / "model.onnx"
    command("--weights", SHIPPED / "model.onnx", "--refiner", search, "--out", out)
    assert metadata(out.read_bytes())["refiner"] == "refiner.onnx"
    net = load_network(out, device="cpu")
    assert net.refiner(np.zeros((1, 96, 128, 3), np.uint8)).shape == (1, 5)
    notes = metadata((tmp_path / "refiner.onnx").read_bytes())
    assert notes["source"] == "search.pt"
    assert json.loads(notes["first_look"]) == [*net.looks.first]


def test_a_network_exported_over_one_beside_it_takes_nothing_away(search, tmp_path, capsys):
    command("--weights", search, "--refiner", search, "--out", tmp_path / "model.onnx")
    capsys.readouterr()
    command("--weights", search, "--out", tmp_path / "refiner.onnx", "--force")
    assert "no longer used" not in capsys.readouterr().err


def test_a_refiner_that_is_there_is_kept(search, tmp_path):
    refiner = tmp_path / "refiner.onnx"
    refiner.write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"refiner\.onnx already exists"):
        command("--weights", search, "--refiner", search, "--out", tmp_path / "model.onnx")
    assert refiner.read_bytes() == b"mine"
