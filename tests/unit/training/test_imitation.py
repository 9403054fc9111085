"""What a narrowed network learns from the wider one; needs the cpu group."""

import csv

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the cpu group: uv run --group cpu pytest")
pytest.importorskip("ultralytics", reason="needs the cpu group")

from posebowl import paths  # noqa: E402
from posebowl.errors import UsageError  # noqa: E402
from posebowl.training import narrow, train  # noqa: E402
from posebowl.training.dataset import photos, read_labels  # noqa: E402
from posebowl.training.detector import load  # noqa: E402
from posebowl.training.imitation import imitation_loss, teacher_of  # noqa: E402
from posebowl.training.initial_weights import read_onnx  # noqa: E402
from posebowl.training.options import NarrowOptions, TrainOptions  # noqa: E402
from posebowl.training.recipe import Recipe  # noqa: E402
from posebowl.training.state import begin  # noqa: E402
from posebowl.util import program  # noqa: E402

SHIPPED = paths.SOLUTIONS / "benchmark" / "model.onnx"
CPU = torch.device("cpu")
TAUGHT = Recipe(teacher=str(SHIPPED))


@pytest.fixture(scope="module")
def inputs():
    """Make small views of some of the demo's photos."""
    views = np.stack([photo[::4, ::4] for photo in photos(read_labels(paths.DEMO_DATA)[:4])])
    return torch.from_numpy(views).permute(0, 3, 1, 2).float() / 255


@pytest.fixture(scope="module")
def teacher():
    """Load the solution's network as a teacher."""
    return teacher_of(TAUGHT, CPU)


def found_by(model, inputs):
    with torch.no_grad():
        return model(inputs)[1]


def test_nothing_is_to_be_learnt_from_oneself(teacher, inputs):
    same = found_by(teacher.model, inputs)
    assert teacher.loss(inputs, same, torch.float32) == pytest.approx(0, abs=1e-4)


def test_scores_and_boxes_count_where_the_teacher_sees_something():
    taught = {"scores": torch.full((1, 1, 5), -20.0), "boxes": torch.full((1, 4, 5), 2.0)}
    taught["scores"][0, 0, 3] = 20
    assert imitation_loss(taught, taught) == pytest.approx(0, abs=1e-6)
    elsewhere = {**taught, "boxes": taught["boxes"].clone()}
    elsewhere["boxes"][..., 0] = 9
    assert imitation_loss(elsewhere, taught) == pytest.approx(0, abs=1e-6)
    there = {**taught, "boxes": taught["boxes"].clone()}
    there["boxes"][0, 0, 3] = 4
    assert imitation_loss(there, taught) == pytest.approx(2 / 8)  # of half the circumference
    unsure = {**taught, "scores": torch.zeros(1, 1, 5)}
    assert imitation_loss(unsure, taught) == pytest.approx(5 * np.log(2), rel=1e-4)


def test_it_can_be_learnt(teacher, inputs):
    torch.manual_seed(0)
    state = begin(TAUGHT, CPU, None)
    optimizer = torch.optim.Adam(state.model.parameters(), 1e-3)
    losses = []
    for _ in range(20):
        loss = teacher.loss(inputs, state.model(inputs), torch.float32)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 2


def test_nobody_is_taught_unasked():
    assert begin(Recipe(start=str(SHIPPED)), CPU, None).teacher is None


def test_a_teacher_of_another_architecture_is_refused():
    with pytest.raises(UsageError, match="another architecture"):
        teacher_of(Recipe(model="yolo26s.yaml", teacher=str(SHIPPED)), CPU)


def test_a_teacher_whose_boxes_are_distributions_is_refused():
    with pytest.raises(UsageError, match=r"yolo11n\.yaml cannot be imitated"):
        teacher_of(Recipe(model="yolo11n.yaml", teacher=str(SHIPPED)), CPU)


def run(*words):
    train.main(program.read(TrainOptions, [*map(str, words)], task="benchmark"))


def test_a_network_is_narrowed_trained_and_trained_further(tmp_path):
    out, start = tmp_path / "run", tmp_path / "narrow" / "model.onnx"
    start.parent.mkdir()
    words = ["--images", paths.DEMO_DATA, "--photos", 2, "--keep", 0.8, "--out", start]
    narrow.main(program.read(NarrowOptions, [*map(str, words)], task="benchmark.narrow"))
    common = ["--val", paths.DEMO_DATA, "--data", paths.DEMO_DATA, "--size", "64x96", "--batch", 4]
    common += ["--first", "96x128", "--second", "64x96", "--threads", 1, "--teacher", SHIPPED]
    run(*common, "--out", out, "--start", start, "--steps", 1)
    run(*common, "--out", out, "--start", start, "--steps", 2, "--resume")
    with (out / "curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["0", "1", "2"]
    assert all(float(row["imitation_loss"]) > 0 for row in rows)
    run(*common, "--out", tmp_path / "further", "--start", out / "last.pt", "--steps", 1)
    expected = {name: one.shape for name, one in read_onnx(start).items() if one.ndim == 4}
    for folder in ("run", "further"):
        trained = load(tmp_path / folder / "last.pt").state_dict()
        assert {name: trained[name].shape for name in expected} == expected
    with pytest.raises(UsageError, match="Cannot resume"):
        run(*common[:-2], "--out", out, "--steps", 3, "--resume", "--model", "yolov8n.yaml")
