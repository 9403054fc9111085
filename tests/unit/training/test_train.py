"""Training and export; these need torch and ultralytics: the cpu group."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="needs the cpu group: uv run --group cpu pytest")
pytest.importorskip("ultralytics", reason="needs the cpu group")
ort = pytest.importorskip("onnxruntime", reason="needs the cpu group")

import onnx  # noqa: E402
from ultralytics import YOLO  # noqa: E402
from ultralytics.nn.tasks import DetectionModel, yaml_model_load  # noqa: E402

from posebowl import paths  # noqa: E402
from posebowl.errors import UsageError  # noqa: E402
from posebowl.training import detector, export, exported, train  # noqa: E402  (they need what is asked above)
from posebowl.training.augment import Augmentation  # noqa: E402
from posebowl.training.batches import TrainingSet, batches  # noqa: E402
from posebowl.training.dataset import letterboxed  # noqa: E402
from posebowl.training.replicas import Replicas  # noqa: E402
from posebowl.training.state import append_row, begin, new_state, save  # noqa: E402
from posebowl.util import program  # noqa: E402


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Use one thread: on busy machines several wait for each other at every layer."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Make eight photos of white rectangles with labels."""
    place = tmp_path_factory.mktemp("data")
    (place / "images").mkdir()
    rng = np.random.default_rng(0)
    rows = ["image_id,xmin,ymin,xmax,ymax"]
    for number in range(8):
        pixels = rng.integers(0, 60, (1024, 1280, 3), np.uint8)
        x, y = rng.integers(0, 1000, 2) * [1, 0.8]
        x, y = int(x), int(y)
        pixels[y : y + 90, x : x + 120] = 230
        Image.fromarray(pixels).save(place / "images" / f"{number}.png", compress_level=1)
        rows.append(f"{number},{x},{y},{x + 120},{y + 90}")
    (place / "train_labels.csv").write_text("\n".join(rows) + "\n")
    return place


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Save an untrained network."""
    path = tmp_path_factory.mktemp("weights") / "some.pt"
    torch.manual_seed(0)
    state = new_state(train.Recipe(), torch.device("cpu"))
    save(state, train.Recipe(), path, slim=True)
    return path


def command(module, *words):
    options = {train: train.TrainOptions, export: export.ExportOptions}[module]
    module.main(program.read(options, [*map(str, words)], task="benchmark"))


@pytest.mark.parametrize("module", ["train", "export", "losses", "initial_weights"])
def test_libraries_neither_reach_out_nor_talk(module, tmp_path):
    """Whatever is imported first: each reads its settings at that moment."""
    script = f"import posebowl.training.{module}\nfrom posebowl.training.detector import build\n"
    script += "build('yolo26n.yaml')\nfrom ultralytics.utils import ONLINE\nassert not ONLINE\n"
    bare = {"HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}  # CI=true would disable some
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=paths.ROOT,
        env=bare,
        check=True,
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert not [*tmp_path.rglob("*onnxruntime*")]


def test_rate_rises_then_falls():
    recipe = train.Recipe(rate=1.0, warm_up=10, last_rate=0.01)
    assert train.learning_rate(0.0, 0, recipe) == pytest.approx(0.1)
    assert train.learning_rate(0.0, 9, recipe) == pytest.approx(1.0)
    assert train.learning_rate(0.5, 100, recipe) == pytest.approx(0.505)
    assert train.learning_rate(1.0, 200, recipe) == pytest.approx(0.01)


def test_the_same_seed_makes_the_same_batches(folder, tmp_path):
    training_set = train.prepare(train.Recipe(data=(str(folder),)), tmp_path)
    assert isinstance(training_set, TrainingSet)
    streams = [
        batches(training_set, size=(64, 96), batch=4, seed=3, augmentation=Augmentation())
        for _ in range(2)
    ]
    for _ in range(5):
        one, other = (next(stream) for stream in streams)
        assert torch.equal(one["img"], other["img"])
        assert torch.equal(one["bboxes"], other["bboxes"])


def test_every_other_batch_has_larger_views(folder, tmp_path):
    training_set = train.prepare(train.Recipe(data=(str(folder),)), tmp_path)
    feed = batches(
        training_set, size=(64, 96), large=(128, 160), batch=8, seed=3, augmentation=Augmentation()
    )
    shapes = [tuple(next(feed)["img"].shape) for _ in range(4)]
    # 2 of 20,480 pixels, where 8 have 6,144 each.
    assert shapes == [(8, 64, 96, 3), (2, 128, 160, 3)] * 2


def test_train_then_resume_then_export(folder, tmp_path):
    out = tmp_path / "run"
    common = ["--data", folder, "--val", folder, "--out", out, "--size", "64x96"]
    common += ["--first", "96x128", "--second", "64x96", "--batch", 4, "--threads", 1]
    command(train, *common, "--steps", 2)
    with pytest.raises(UsageError, match="already has a training run"):
        command(train, *common, "--steps", 4)
    told = tmp_path / "figures.json"
    command(train, *common, "--steps", 4, "--resume", "--figures", told)
    figures = json.loads(told.read_text())
    assert (figures["steps"], figures["best"]) == (4, str(out / "best.pt"))
    assert 0 <= figures["best_mean_iou"] <= 1
    assert all(Path(figures[name]).is_file() for name in ("best", "last", "curves"))
    with (out / "curves.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4"]
    assert [row["views"] for row in rows] == ["8", "16"]
    assert all(float(row["box_loss"]) > 0 and float(row["best_loss"]) > 0 for row in rows)
    last = torch.load(out / "last.pt", weights_only=False)
    assert last["progress"]["step"] == 4

    model_file = tmp_path / "model.onnx"
    words = ["--weights", out / "best.pt", "--images", folder, "--out", model_file]
    command(export, *words)
    content = model_file.read_bytes()
    props = {one.key: one.value for one in onnx.load(model_file).metadata_props}
    assert json.loads(props["first_look"]) == [96, 128]  # as it was judged
    assert json.loads(props["second_look"]) == [64, 96]
    with pytest.raises(UsageError, match="already exists"):
        command(export, *words)
    assert model_file.read_bytes() == content
    command(export, *words, "--force", "--one-look")
    assert model_file.read_bytes() != content
    words = ["--weights", model_file, "--int8", "--one-look", "--out", tmp_path / "int8.onnx"]
    with pytest.raises(UsageError, match="already has its sizes"):
        command(export, *words)
    with pytest.raises(UsageError, match=r"Cannot resume from .*last\.pt"):
        command(train, *common, "--resume", "--model", "yolo11n.yaml")
    (out / "last.pt").write_bytes(b"damaged")
    with pytest.raises(UsageError, match=r"Cannot resume from .*last\.pt"):
        command(train, *common, "--resume")


def test_a_pair_of_networks_is_trained_and_exported(folder, tmp_path, capsys):
    common = ["--data", folder, "--val", folder, "--size", "64x96", "--steps", 1, "--threads", 1]
    common += ["--first", "96x128", "--second", "64x96", "--batch", 4]
    judged = {"search": "first_look", "refine": "placed"}
    for role, column in judged.items():
        told = tmp_path / f"{role}.json"
        command(train, *common, "--out", tmp_path / role, "--role", role, "--figures", told)
        with (tmp_path / role / "curves.csv").open(newline="") as file:
            [row] = csv.DictReader(file)
        assert json.loads(told.read_text())["best_mean_iou"] == pytest.approx(
            float(row[column]), abs=1e-4
        )
    (tmp_path / "pair").mkdir()
    out = tmp_path / "pair" / "model.onnx"
    words = ["--weights", tmp_path / "search" / "best.pt", "--images", folder, "--out", out]
    refined = [*words, "--refiner", tmp_path / "refine" / "best.pt"]
    with pytest.raises(UsageError, match="exclude each other"):
        command(export, *refined, "--one-look")
    command(export, *refined)
    files = {file.name: exported.metadata(file.read_bytes()) for file in out.parent.iterdir()}
    assert files["model.onnx"].pop("refiner") == "refiner.onnx"
    assert "refiner" not in files["refiner.onnx"]
    sources = {notes.pop("source_sha256") for notes in files.values()}
    assert len(sources) == 2
    assert files["model.onnx"] == files["refiner.onnx"]  # sizes, colours and versions
    out.unlink()
    with pytest.raises(UsageError, match=r"refiner\.onnx already exists"):
        command(export, *refined)
    command(export, *words)
    assert "refiner.onnx is no longer used" in capsys.readouterr().err
    command(export, *refined, "--force")
    assert "no longer used" not in capsys.readouterr().err

    elsewhere = tmp_path / "average.onnx"
    command(export, "--weights", out, "--average", out, "--out", elsewhere)
    assert exported.metadata(elsewhere.read_bytes())["refiner"] == "refiner.onnx"
    beside = elsewhere.with_name("refiner.onnx")
    assert beside.read_bytes() == out.with_name("refiner.onnx").read_bytes()
    beside.write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"refiner\.onnx already exists"):
        command(export, "--weights", out, "--average", out, "--out", tmp_path / "other.onnx")
    assert beside.read_bytes() == b"mine"


def test_two_processes_train_one_network(folder, tmp_path):
    out = tmp_path / "run"
    common = ["--data", folder, "--val", folder, "--out", out, "--size", "64x96"]
    common += ["--first", "96x128", "--second", "64x96", "--batch", 4, "--threads", 1]
    command(train, *common, "--processes", 2, "--steps", 2)
    last = torch.load(out / "last.pt", weights_only=False)
    assert (last["progress"]["step"], last["progress"]["views"]) == (2, 16)
    command(train, *common, "--steps", 3, "--resume")  # with one process more or less
    last = torch.load(out / "last.pt", weights_only=False)
    assert (last["progress"]["step"], last["progress"]["views"]) == (3, 20)


def test_a_checkpoint_of_an_earlier_version_tells_its_views(tmp_path):
    recipe = train.Recipe(batch=4)
    state = new_state(recipe, torch.device("cpu"))
    state.step = 10
    save(state, recipe, tmp_path / "last.pt")
    content = torch.load(tmp_path / "last.pt", weights_only=False)
    del content["progress"]["views"]
    torch.save(content, tmp_path / "last.pt")
    assert begin(recipe, torch.device("cpu"), tmp_path / "last.pt").views == 40


def test_curves_of_an_earlier_version_keep_their_columns(tmp_path):
    curves = tmp_path / "curves.csv"
    curves.write_text("minutes,box_loss\n1,2.5\n")
    append_row(curves, {"minutes": 2, "views": 64, "box_loss": 2.25})
    assert curves.read_text().split() == ["minutes,box_loss", "1,2.5", "2,2.25"]


def test_a_run_continues_as_if_it_had_not_been_interrupted(folder, tmp_path):
    training_set = train.prepare(train.Recipe(data=(str(folder),)), tmp_path)
    feed = batches(training_set, size=(64, 96), batch=4, seed=3, augmentation=Augmentation())
    views = [next(feed) for _ in range(3)]
    recipe, cpu = train.Recipe(steps=3, warm_up=1), torch.device("cpu")
    state = new_state(recipe, cpu)
    for batch in views[:2]:
        train.train_step(state, batch, recipe, Replicas(), torch.float32)
    save(state, recipe, tmp_path / "last.pt")
    again = begin(recipe, cpu, tmp_path / "last.pt")
    for one in (state, again):
        train.train_step(one, views[2], recipe, Replicas(), torch.float32)
    for name, value in state.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], value), name


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(UsageError, match="no GPU"):
        train.choose_device("cuda")


@pytest.mark.parametrize("yaml", ["yolo11n-pose.yaml", "yolo11n-obb.yaml", "yolo26n-seg.yaml"])
def test_models_for_other_tasks_are_refused(yaml, tmp_path):
    network = YOLO(yaml).model
    del network.task  # as in what `yolo train` writes
    weights = tmp_path / "other.pt"
    torch.save({"model": network.half(), "ema": None, "train_args": {}}, weights)
    with pytest.raises(UsageError, match="not a detection model"):
        detector.load(weights)


def test_weights_without_their_model_are_refused(tmp_path):
    weights = tmp_path / "bare.pt"
    torch.save({"model": detector.build("yolo26n.yaml").state_dict(), "ema": None}, weights)
    with pytest.raises(UsageError, match=r"bare\.pt"):
        detector.load(weights)


def test_frozen_layers_keep_their_weights_and_the_average_follows_the_rest(folder, tmp_path):
    recipe = train.Recipe(
        data=(str(folder),), size=(64, 96), batch=4, warm_up=1, frozen=3, rate=1e-2, steps=4
    )
    training_set = train.prepare(recipe, tmp_path)
    torch.manual_seed(0)
    state = new_state(recipe, torch.device("cpu"))
    before = {name: value.clone() for name, value in state.model.named_parameters()}
    feed = batches(
        training_set, size=recipe.size, batch=4, seed=0, augmentation=recipe.augmentation
    )
    for _ in range(4):
        train.train_step(state, next(feed), recipe, Replicas(), torch.float32)
    averaged = dict(state.average.named_parameters())
    for name, value in state.model.named_parameters():
        frozen = name.split(".")[1] in {"0", "1", "2"}
        assert torch.equal(value, before[name]) == frozen, name
        if not frozen and value.ndim == 4:
            # Nearer to what was learned than to what it started from.
            learned = (value - before[name]).abs().sum()
            assert (value - averaged[name]).abs().sum() < 0.5 * learned, name


def test_training_learns(folder, tmp_path):
    torch.manual_seed(0)
    recipe = train.Recipe(size=(96, 128), batch=4, warm_up=5, steps=60)
    state = new_state(recipe, torch.device("cpu"))
    training_set = train.prepare(train.Recipe(data=(str(folder),)), tmp_path)
    feed = batches(
        training_set, size=recipe.size, batch=recipe.batch, seed=0, augmentation=recipe.augmentation
    )
    losses = [
        train.train_step(state, next(feed), recipe, Replicas(), torch.float32) for _ in range(60)
    ]
    first = np.mean([loss["cls_loss"] for loss in losses[:10]])
    last = np.mean([loss["cls_loss"] for loss in losses[-10:]])
    assert last < 0.7 * first


@pytest.mark.parametrize("yaml", ["yolo26n.yaml", "yolo11n.yaml", "yolov8n.yaml"])
def test_best_box_is_the_best_of_all(yaml):
    torch.manual_seed(1)
    network = detector.build(yaml)
    inputs = torch.randint(0, 255, (2, 64, 96, 3), dtype=torch.uint8)
    best_box = detector.BestBox(network)
    found = best_box(inputs)
    every = network(inputs.permute(0, 3, 1, 2).float() / 255)
    for row, boxes in zip(found, every, strict=True):
        best = boxes[:, boxes[4].argmax()]
        assert row[4] == best[4]
        torch.testing.assert_close((row[:2] + row[2:4]) / 2, best[:2])
        torch.testing.assert_close(row[2:4] - row[:2], best[2:4])


def test_export_names_its_source(checkpoint, folder):
    content = export.export(
        checkpoint, export.find_images(folder), first=(96, 128), second=(64, 96)
    )
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    notes = session.get_modelmeta().custom_metadata_map
    assert json.loads(notes["class_names"]) == {"0": "spacecraft"}
    assert json.loads(notes["first_look"]) == [96, 128]
    assert json.loads(notes["second_look"]) == [64, 96]
    assert len(notes["source_sha256"]) == 64
    assert notes["ultralytics"]
    for shape in ((1, 96, 128, 3), (3, 64, 96, 3), (2, 320, 32, 3)):
        [found] = session.run(["boxes"], {"photos": np.zeros(shape, np.uint8)})
        assert found.shape == (shape[0], 5)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("yaml", ["yolo26n.yaml", "yolov8n.yaml", "yolov5nu.yaml"])
def test_weights_of_others_export_too(yaml, fused, folder, tmp_path):
    torch.manual_seed(2)
    network = DetectionModel(yaml_model_load(yaml), nc=80, verbose=False)
    if fused:  # of two heads, ultralytics then keeps only the one without suppression
        network.eval().fuse(verbose=False)
    weights = tmp_path / "stock.pt"
    torch.save({"model": network.half(), "ema": None, "train_args": {}}, weights)
    content = export.export(weights, export.find_images(folder)[:2], first=(96, 128), second=None)
    session = ort.InferenceSession(content, providers=["CPUExecutionProvider"])
    notes = session.get_modelmeta().custom_metadata_map
    assert len(json.loads(notes["class_names"])) == 80
    assert notes["second_look"] == "null"


def test_compare_notices_another_network(checkpoint, folder):
    shown = letterboxed(export.find_images(folder), (96, 128))
    changed = detector.load(checkpoint)
    with torch.no_grad():
        for level in changed.model[-1].cv3:
            level[-1].bias += 1.0
    other = export.trace(detector.BestBox(changed), (96, 128))
    with pytest.raises(export.MismatchError, match="differ"):
        export.compare(detector.BestBox(detector.load(checkpoint)), other, shown)


@pytest.mark.parametrize("content", [None, b"", b"no checkpoint"])
def test_files_that_are_not_weights_are_refused(tmp_path, folder, content):
    weights = tmp_path / "some.pt"
    if content is not None:
        weights.write_bytes(content)
    out = tmp_path / "model.onnx"
    with pytest.raises(UsageError, match=r"some\.pt"):
        command(export, "--weights", weights, "--images", folder, "--out", out)
    assert not out.exists()


def test_no_such_model():
    for name in ("yolo99n.yaml", "README.md"):
        with pytest.raises(UsageError, match=f"no detection model {name}"):
            detector.build(name)
