"""Pictures packed for another machine: nothing is lost but sharpness, in however many pieces."""

import json
import zipfile

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the lean group: uv run --group lean pytest")

import cv2

from posebowl import paths
from posebowl.errors import BadDataError
from posebowl.training import pool
from posebowl.training.dataset import Sample
from posebowl.training.solution_modules import load_network

WEIGHTS = paths.SOLUTIONS / "benchmark/model.onnx"
EVERYTHING = 1 << 30


def picture(file, *, level, size=(1024, 1280), square=None, alpha=False):
    """Write a grey picture, with a white square where asked; transparent around it if alpha."""
    image = np.full((*size, 4 if alpha else 3), level, np.uint8)
    if square:
        x0, y0, x1, y1 = square
        image[y0:y1, x0:x1] = 255
    cv2.imwrite(str(file), image)
    return file


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    boxes = [(100 + 40 * i, 200, 300 + 40 * i, 320) for i in range(6)]
    photos = [
        Sample(path=picture(folder / f"p{i}.png", level=10 * i, square=box), box=box)
        for i, box in enumerate(boxes)
    ]
    backgrounds = [picture(folder / f"b{i}.png", level=100 + 10 * i) for i in range(4)]
    cutouts = [
        picture(
            folder / f"c{i}.png",
            level=0,
            size=(200, 400 + 300 * i),
            square=(20, 50, 320, 150),
            alpha=True,
        )
        for i in range(2)
    ]
    return {"photos": photos, "backgrounds": backgrounds, "cutouts": cutouts}


def packed(sources, folder, **words):
    return pool.write(folder, **{**sources, "limit": EVERYTHING, "threads": 2, **words})


def test_pictures_come_back_with_their_boxes(sources, tmp_path):
    (piece,) = packed(sources, tmp_path)
    found = pool.read([piece], threads=2)
    assert len(found) == 6
    for i in range(6):
        x0, y0 = found.boxes[i, :2].astype(int)
        assert found.wholes[i, y0 // 2 + 3, x0 // 2 + 3].min() > 240
        assert found.wholes[i, y0 // 2 - 3, x0 // 2 - 3].max() < 70
        # The close part has the box in its middle, where the photo has room.
        assert found.closes[i, 256].min(1).max() > 240
    levels = sorted(int(image.mean().round()) for image in found.backgrounds)
    np.testing.assert_allclose(levels, [100, 110, 120, 130], atol=2)
    seen = found.cutouts[..., 3] > 128
    assert sorted(map(int, seen.any(1).sum(1))) == [137, 240]  # 300 of 700 and of 400, at most 320
    assert (found.cutouts[..., :3] <= found.cutouts[..., 3:]).all()


def test_pieces_are_small_enough_and_a_fair_mix(sources, tmp_path):
    everything = packed(sources, tmp_path / "one")[0].stat().st_size
    pieces = packed(sources, tmp_path / "many", limit=everything // 2)
    assert len(pieces) >= 2
    tables = []
    for piece in pieces:
        with zipfile.ZipFile(piece) as file:
            images = [info for info in file.infolist() if info.filename != pool.TABLE]
            assert sum(info.file_size for info in images) <= everything // 2
            tables.append(json.loads(file.read(pool.TABLE)))
    assert all(len(table["photos"]) >= 2 and table["backgrounds"] for table in tables[:2])
    apart, together = (
        pool.read(pieces, threads=2),
        pool.read([tmp_path / "one/pool-1.zip"], threads=2),
    )
    assert sorted(apart.boxes.tolist()) == sorted(together.boxes.tolist())
    assert len(apart.backgrounds) == 4


def test_decoys_keep_their_pictures_when_pieces_are_joined(sources, tmp_path):
    search = load_network(WEIGHTS, device="cpu")
    piece = packed(sources, tmp_path, search=search)[0]
    alone = pool.read([piece], threads=2)
    assert len(alone.decoys)
    doubled = pool.read([piece, piece], threads=2)
    photos, backgrounds = len(alone), len(alone.backgrounds)
    for half in (0, 1):
        rows = doubled.decoys[half * len(alone.decoys) :][: len(alone.decoys)]
        own = np.where(
            alone.decoys[:, 0] < photos,
            alone.decoys[:, 0] + half * photos,
            alone.decoys[:, 0] + photos + half * backgrounds,
        )
        np.testing.assert_array_equal(rows[:, 0], own)
        np.testing.assert_array_equal(rows[:, 1:], alone.decoys[:, 1:])


def test_close_parts_can_be_left_out(sources, tmp_path):
    (piece,) = packed(sources, tmp_path)
    assert pool.read([piece], threads=2, closes=False).closes.shape == (0, 512, 640, 3)


def test_what_is_no_piece_is_refused(sources, tmp_path):
    other = tmp_path / "other.zip"
    other.write_bytes(b"not a zip")
    with pytest.raises(BadDataError, match="is not a piece of a pool"):
        pool.read([other], threads=1)
    damaged = tmp_path / "damaged.zip"
    (piece,) = packed(sources, tmp_path / "whole")
    with zipfile.ZipFile(piece) as whole, zipfile.ZipFile(damaged, "w") as copy:
        for name in whole.namelist():
            copy.writestr(name, whole.read(name) if name == pool.TABLE else b"RIFF")
    with pytest.raises(BadDataError, match="is damaged"):
        pool.read([damaged], threads=1)
    (piece,) = packed({**sources, "cutouts": []}, tmp_path / "half")
    with pytest.raises(BadDataError, match="no cutouts"):
        pool.read([piece], threads=1)
    opaque = picture(tmp_path / "opaque.png", level=3)
    with pytest.raises(BadDataError, match="is not an RGBA image"):
        packed({**sources, "cutouts": [opaque]}, tmp_path / "wrong")
