"""Decoys are where a network's glance sees a spacecraft; close views of them have no box."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("cv2", reason="needs the lean group: uv run --group lean pytest")

from posebowl import paths
from posebowl.errors import UsageError
from posebowl.scoring.labels import read_labels
from posebowl.training.backgrounds import cache_backgrounds
from posebowl.training.copy_paste import Composer, CopyPaste, PasteSources
from posebowl.training.decoys import SMALLEST, Decoy, decoy_view, find_decoys
from tests.unit.training.test_copy_paste import cut_out, photo

WEIGHTS = paths.SOLUTIONS / "benchmark/model.onnx"
SIZE = (192, 256)


@pytest.fixture
def one_decoy(tmp_path):
    """Make a grey background with a white square, and the decoy that it is."""
    image = np.full((512, 640, 3), 60, np.uint8)
    image[200:250, 300:350] = 255
    file = tmp_path / "background-one.half.png"
    Image.fromarray(image).save(file)
    return Decoy(file=file, box=np.array([600.0, 400.0, 700.0, 500.0]))


def test_a_network_is_inclined_to_see_a_spacecraft_where_one_is(tmp_path):
    """Photos of spacecraft as backgrounds: most of the decoys are the spacecraft."""
    (tmp_path / "set/images").mkdir(parents=True)
    table = read_labels(paths.DEMO_DATA / "train_labels.csv")
    truth = {row[0]: np.array(row[1:], float) for row in table.iter_rows()}
    large = [name for name, box in truth.items() if (box[2:] - box[:2]).max() > 2 * SMALLEST][:5]
    for name in large:
        shutil.copy(paths.DEMO_DATA / f"images/{name}.png", tmp_path / "set/images")
    files = cache_backgrounds(tmp_path / "set", tmp_path / "cache", threads=1)
    found = {decoy.file: decoy.box for decoy in find_decoys(WEIGHTS, files)}
    near = 0
    for file, box in found.items():
        name = Path(file).name.removeprefix("background-").removesuffix(".half.jpg")
        near += bool(np.abs((box - truth[name]).reshape(2, 2).mean(0)).max() < 40)
    assert near >= len(large) - 1


def test_what_is_small_is_no_decoy(tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("RGB", (640, 512)).save(tmp_path / "images/black.png")
    files = cache_backgrounds(tmp_path, tmp_path / "cache", threads=1)
    boxes = [decoy.box for decoy in find_decoys(WEIGHTS, files)]
    assert all((box[2:] - box[:2]).max() >= SMALLEST for box in boxes)


def test_weights_that_cannot_be_used_are_named(tmp_path):
    with pytest.raises(UsageError, match=r"Cannot use .*gone\.onnx"):
        find_decoys(tmp_path / "gone.onnx", [])


@pytest.mark.parametrize("seed", range(6))
def test_a_close_view_of_a_decoy_shows_it_and_has_no_box(one_decoy, seed):
    view = decoy_view(np.random.default_rng(seed), one_decoy, SIZE)
    assert view.image.shape == (*SIZE, 3)
    assert view.boxes.shape == (0, 4)
    shown = (view.image.min(2) > 200).mean()
    assert 0.02 < shown < 0.9  # the box fills 22 to 95 % of one side


def test_composites_without_a_spacecraft_are_decoys_where_there_are_some(one_decoy):
    sources = PasteSources(cutouts=[cut_out()], backgrounds=[one_decoy.file], decoys=[one_decoy])
    paste = CopyPaste(empty=1, close=1, toned=0)
    view = Composer(np.random.default_rng(1), SIZE, paste, sources).take(photo())
    assert view is not None
    assert view.boxes.shape == (0, 4)
    assert view.image.max() == 255
