import dataclasses
import json
import shutil

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the lean group: uv run --group lean pytest")
pytest.importorskip("onnxruntime", reason="needs the lean group")

from posebowl import paths
from posebowl.errors import BadDataError, UsageError
from posebowl.training import evaluate, metrics, solution_modules
from posebowl.training.dataset import read_labels

SHIPPED = paths.SOLUTIONS / "benchmark" / "model.onnx"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Copy six photos of the demo, with families and backgrounds."""
    place = tmp_path_factory.mktemp("data")
    shutil.copytree(paths.DEMO_DATA / "images", place / "images")
    lines = (paths.DEMO_DATA / "train_labels.csv").read_text().splitlines()[:7]
    (place / "train_labels.csv").write_text("\n".join(lines) + "\n")
    names = [line.split(",")[0] for line in lines[1:]]
    rows = [
        f"{i},{name},0,0,9,9,{'tug' if i < 2 else 'probe'},{'moon' if i % 2 else 'sea'}"
        for i, name in enumerate(names[:-1])
    ]
    header = "index,image_id,xmin,ymin,xmax,ymax,family,background"
    (place / "render.csv").write_text("\n".join([header, *rows]) + "\n")
    return place


def test_every_photo_counts_once_in_each_table(folder):
    found = evaluate.evaluate(SHIPPED, folder)
    assert found.total.photos == 6
    assert found.total.mean_iou > 0.6
    for groups in (found.by_width, found.by_family, found.by_background):
        assert sum(one.photos for one in groups) == 6
        mean = sum(one.photos * one.mean_iou for one in groups) / 6
        assert mean == pytest.approx(found.total.mean_iou)
    assert {one.name: one.photos for one in found.by_family} == {
        "tug": 2,
        "probe": 3,
        "unknown": 1,
    }
    assert {one.name: one.photos for one in found.by_background} == {
        "sea": 3,
        "moon": 2,
        "unknown": 1,
    }
    for groups in (found.by_family, found.by_background):
        found_means = [one.mean_iou for one in groups]
        assert found_means == sorted(found_means)


def test_a_folder_without_the_renderers_table_has_no_such_groups(folder, tmp_path):
    assert evaluate.read_described(tmp_path, read_labels(folder)).is_empty()


def test_a_broken_table_of_the_renderer_is_named(folder, tmp_path):
    (tmp_path / "render.csv").write_text("nothing\n1\n")
    with pytest.raises(BadDataError, match=r"Cannot read .*render\.csv"):
        evaluate.read_described(tmp_path, read_labels(folder))


def test_part_sums_up():
    one = evaluate.summarize("some", np.array([[0.5, 0.9], [0.0, 0.05], [0.4, 0.4], [0.2, 0.3]]))
    assert one.photos == 4
    assert one.mean_iou == pytest.approx(0.4125)
    assert one.median_iou == pytest.approx(0.35)
    assert one.missed == 0.25
    assert one.first_look == pytest.approx(0.275)


def test_json_and_table(folder, tmp_path, capsys):
    options = evaluate.EvaluateOptions(data=(folder,), weights=SHIPPED)
    evaluate.main(dataclasses.replace(options, figures=tmp_path / "found.json"))
    (found,) = json.loads((tmp_path / "found.json").read_text())
    assert found["total"]["photos"] == 6
    evaluate.main(options)
    shown = capsys.readouterr().out
    assert f"{found['total']['mean_iou']:.3f}" in shown
    assert "tug" in shown
    assert "over moon" in shown


def test_files_that_are_not_weights_are_named(folder, tmp_path):
    with pytest.raises(UsageError, match=r"Cannot use .*missing\.onnx"):
        evaluate.evaluate(tmp_path / "missing.onnx", folder)


def test_the_first_look_is_taken_once(folder):
    asked = []

    def network(inputs):
        asked.append(inputs.shape[1:3])
        edges = [0.2, 0.2, 0.8, 0.8] if inputs.shape[1:3] == looks.second else [0.3, 0.3, 0.4, 0.4]
        box = edges * np.array([inputs.shape[2], inputs.shape[1]] * 2)
        return np.array([[*box, 0.7]], np.float32)

    looks = metrics.make_looks((384, 480), (256, 320))
    metrics.ious(network, read_labels(folder)[:1], looks)
    assert asked == [looks.glance, (256, 320)]


def test_what_the_label_places_is_measured_beside_the_search(folder):
    """A network that finds nothing misses by itself; where the label places it, the crop is hit."""
    looks = metrics.make_looks((384, 480), (256, 320))
    place = solution_modules.module("looks").second_crop

    def network(inputs):
        if inputs.shape[1:3] != looks.second:
            return np.array([[0, 0, 1, 1, 0.9]] * len(inputs), np.float32)
        return np.array([[*hit, 0.5]], np.float32)

    [sample] = read_labels(folder)[:1]
    truth = np.array(sample.box, np.float64)
    hit = place(truth, (1024, 1280), looks).to_input(truth)
    found = metrics.measure(network, [sample], looks)
    assert found.placed == pytest.approx(1, abs=0.03)  # to the pixel
    assert found.first_look == found.both_looks == 0
    assert found.missed == 1


def test_nothing_is_placed_for_a_single_look(folder):
    def network(inputs):
        return np.array([[0, 0, 32, 32, 0.5]] * len(inputs), np.float32)

    found = metrics.measure(network, read_labels(folder)[:2], metrics.make_looks((64, 96), None))
    assert np.isnan(found.placed)
    assert found.first_look == found.both_looks
