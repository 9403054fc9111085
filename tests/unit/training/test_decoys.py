"""Decoys are what a search network mistakes; close views have a spacecraft's box or none."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("cv2", reason="needs the lean group: uv run --group lean pytest")

from posebowl import paths
from posebowl.errors import UsageError
from posebowl.training import decoys
from posebowl.training.backgrounds import cache_backgrounds
from posebowl.training.copy_paste import Composer, CopyPaste, PasteSources
from posebowl.training.dataset import Sample, read_labels
from posebowl.training.decoys import Decoy, decoy_view, find_decoys, misleads
from posebowl.training.solution_modules import load_network
from tests.unit.training.test_copy_paste import cut_out, photo

WEIGHTS = paths.SOLUTIONS / "benchmark/model.onnx"
SIZE = (192, 256)


@pytest.fixture
def in_background(tmp_path):
    """Make a grey background with a white square, and the decoy that it is."""
    image = np.full((512, 640, 3), 60, np.uint8)
    image[200:250, 300:350] = 255
    file = tmp_path / "background-one.half.png"
    Image.fromarray(image).save(file)
    return Decoy(file=file, box=np.array([600.0, 400.0, 700.0, 500.0]))


@pytest.fixture
def in_photo(tmp_path):
    """Make a grey photo with a white decoy, and near to it a red spacecraft."""
    image = np.full((1024, 1280, 3), 60, np.uint8)
    image[400:500, 600:700] = 255
    image[420:480, 760:820] = (255, 0, 0)
    file = tmp_path / "photo.png"
    Image.fromarray(image).save(file)
    spacecraft = np.array([760.0, 420.0, 820.0, 480.0])
    return Decoy(file=file, box=np.array([600.0, 400.0, 700.0, 500.0]), spacecraft=spacecraft)


def test_decoys_are_beside_the_spacecraft_of_photos_and_where_backgrounds_show_something(tmp_path):
    """Photos of spacecraft as backgrounds: the best place of most of them is the spacecraft."""
    samples = read_labels(paths.DEMO_DATA)[:8]
    (tmp_path / "set/images").mkdir(parents=True)
    for sample in samples:
        shutil.copy(sample.path, tmp_path / "set/images")
    files = cache_backgrounds(tmp_path / "set", tmp_path / "cache", threads=1)
    beside, behind = find_decoys(load_network(WEIGHTS), samples, files, threads=2)
    assert beside
    for decoy in beside:
        assert misleads(decoy.box, decoy.spacecraft)
        assert any(decoy.file == sample.path for sample in samples)
    truth = {sample.path.stem: np.array(sample.box, float) for sample in samples}
    found = {}
    for decoy in behind:
        name = decoy.file.name.removeprefix("background-").removesuffix(".half.jpg")
        found[name] = found.get(name, False) or not misleads(decoy.box, truth[name])
    assert len(found) == len(samples)
    assert sum(found.values()) >= len(samples) - 1


def test_ctrl_c_ends_the_search_for_decoys_at_once(in_background, in_photo, monkeypatch):
    """It came in the first of thousands: the others are not looked at before it ends."""
    looked = []

    def interrupted(*_):
        looked.append(1)
        raise KeyboardInterrupt

    monkeypatch.setattr(decoys, "places", interrupted)
    sample = Sample(path=in_photo.file, box=(760, 420, 820, 480))
    network = load_network(WEIGHTS)
    with pytest.raises(KeyboardInterrupt):
        find_decoys(network, [sample] * 50, [in_background.file] * 500, threads=2)
    assert len(looked) < 50


@pytest.mark.parametrize(
    ("box", "wrong"),
    [
        ((300, 100, 400, 150), True),  # beside
        ((200, 100, 300, 150), True),  # touching
        ((100, 100, 200, 150), False),
        ((90, 95, 210, 160), False),  # a little too large
        ((50, 50, 250, 200), True),  # around it
        ((100, 100, 300, 190), True),
        ((130, 50, 600, 700), False),  # it shows too little of it
        ((100, 100, 130, 150), False),  # a part
    ],
)
def test_what_misleads_is_no_spacecraft_or_far_more(box, wrong):
    assert misleads(np.array(box, float), np.array([100.0, 100, 200, 150])) == wrong


def test_weights_that_cannot_be_used_are_named(tmp_path):
    with pytest.raises(UsageError, match=r"Cannot use .*gone\.onnx"):
        load_network(tmp_path / "gone.onnx")


@pytest.mark.parametrize("seed", range(6))
def test_a_close_view_of_a_decoy_shows_it_and_has_no_box(in_background, seed):
    view = decoy_view(np.random.default_rng(seed), in_background, SIZE)
    assert view.image.shape == (*SIZE, 3)
    assert view.boxes.shape == (0, 4)
    shown = (view.image.min(2) > 200).mean()
    assert 0.02 < shown < 0.9  # the box fills 22 to 95 % of one side


def test_the_spacecraft_has_its_box_where_a_close_view_shows_it(in_photo):
    views = [decoy_view(np.random.default_rng(seed), in_photo, SIZE) for seed in range(30)]
    red = [(view.image[..., 0].astype(int) - view.image[..., 1] > 100) for view in views]
    visible = [bool(mask.sum() > 100) for mask in red]
    assert 3 < sum(visible) < 30
    for view, mask, seen in zip(views, red, visible, strict=True):
        if len(view.boxes):
            rows, columns = np.nonzero(mask)
            edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            np.testing.assert_allclose(view.boxes[0], edges, atol=3)
        else:
            assert not seen or mask.sum() < 0.35 * 60 * 60 * 9  # a quarter, enlarged at most thrice


def test_composites_without_a_spacecraft_are_decoys_where_there_are_some(in_background):
    sources = PasteSources(
        cutouts=[cut_out()], backgrounds=[in_background.file], decoys=[[in_background]]
    )
    paste = CopyPaste(empty=1, close=1, toned=0)
    view = Composer(np.random.default_rng(1), SIZE, paste, sources).take(photo())
    assert view is not None
    assert view.boxes.shape == (0, 4)
    assert view.image.max() == 255
