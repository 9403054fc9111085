from __future__ import annotations

import base64
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from posebowl.report.gallery import Box, Item
from posebowl.report.pictures import BUDGET_BYTES, Picture, close_up_region, load, load_one
from tests.report_samples import names, paint, truths


def item(name: str = "a", pred: Box = (10, 10, 60, 60), truth: Box | None = None) -> Item:
    return Item(image_id=name, pred=pred, truth=truth, iou=None)


def decode(uri: str | None) -> Image.Image:
    assert uri is not None
    head, _, data = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def size_of(picture: Picture) -> int:
    return sum(len(uri) for uri in (picture.uri, picture.close_up) if uri) * 3 // 4


def test_a_photo_and_its_close_up(tmp_path: Path) -> None:
    truth = (600, 400, 700, 480)
    folder = paint(tmp_path / "images", ["a"], [truth])
    picture = load_one(item(pred=(610, 400, 700, 490), truth=truth), folder, budget=100_000)
    assert (picture.width, picture.height, picture.missing) == (1280, 1024, "")
    whole, close = decode(picture.uri), decode(picture.close_up)
    assert whole.size == (640, 512)
    assert max(whole.getpixel((650 // 2, 440 // 2))) > 150
    assert picture.region is not None
    assert close.size == (
        picture.region[2] - picture.region[0],
        picture.region[3] - picture.region[1],
    )


def test_noise_is_squeezed_into_the_budget(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1024, 1280, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png", compress_level=1)
    picture = load_one(item(), tmp_path, budget=60_000)
    assert size_of(picture) <= 60_000
    assert picture.close_up


def test_all_pictures_together_keep_to_the_budget(tmp_path: Path) -> None:
    ids, boxes = names(40), truths(40)
    paint(tmp_path, ids[:1], boxes[:1], grain=1)
    for name in ids[1:]:
        (tmp_path / f"{name}.png").hardlink_to(tmp_path / f"{ids[0]}.png")
    pictures = load([item(n, b) for n, b in zip(ids, boxes, strict=True)], tmp_path)
    assert len(pictures) == 40
    assert all(picture.uri for picture in pictures)
    assert sum(map(size_of, pictures)) <= BUDGET_BYTES


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "I;16", "1"])
def test_any_kind_of_png_is_shown(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (200, 100)).save(tmp_path / "a.png")
    picture = load_one(item(), tmp_path, budget=50_000)
    assert (picture.width, picture.height) == (200, 100)
    assert decode(picture.uri).size == (200, 100)


def broken(folder: Path, kind: str) -> None:
    path = folder / "a.png"
    match kind:
        case "text":
            path.write_text("no image")
        case "empty":
            path.write_bytes(b"")
        case "cut":
            paint(folder, ["a"], [(1, 1, 9, 9)])
            path.write_bytes(path.read_bytes()[:9000])
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "jpeg":
            Image.new("RGB", (64, 64)).save(path, "JPEG")
        case "svg":
            path.write_text("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")


@pytest.mark.parametrize("kind", ["text", "empty", "cut", "folder", "fifo", "jpeg", "svg"])
def test_what_is_no_image_is_said_so(tmp_path: Path, kind: str) -> None:
    broken(tmp_path, kind)
    picture = load_one(item(), tmp_path, budget=50_000)
    assert picture.uri is None
    assert picture.missing == "the file cannot be read as an image"


def test_a_huge_image_is_not_decoded(tmp_path: Path) -> None:
    Image.new("1", (8000, 6000)).save(tmp_path / "a.png")
    assert load_one(item(), tmp_path, budget=50_000).missing == "it has too many pixels"


@pytest.mark.parametrize(
    "name", ["../a", "sub/a", "..\\a", "/etc/a", "a\0b", "x" * 5000, "\ud800", ""]
)
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    for place in (tmp_path, folder / "sub"):
        Image.new("RGB", (64, 64)).save(place / "a.png")
    picture = load_one(item(name), folder, budget=50_000)
    assert picture.uri is None
    assert picture.missing


def test_absent_files_and_folders(tmp_path: Path) -> None:
    assert load_one(item(), tmp_path, budget=1).missing == "there is no such file"
    assert load_one(item(), None, budget=1).missing == "there are no images at hand"
    assert load([], tmp_path) == ()


@pytest.mark.parametrize(
    ("pred", "truth"),
    [
        ((0, 0, 5, 5), (0, 0, 9, 9)),
        ((1270, 1000, 1280, 1024), None),
        ((600, 600, 600, 600), None),
        ((300, 300, 420, 380), (310, 300, 400, 390)),
    ],
)
def test_a_close_up_holds_the_boxes_and_stays_in_the_photo(pred: Box, truth: Box | None) -> None:
    region = close_up_region(item(pred=pred, truth=truth), 1280, 1024)
    assert region is not None
    left, top, right, bottom = region
    assert 0 <= left < right <= 1280
    assert 0 <= top < bottom <= 1024
    assert (right - left) / (bottom - top) == pytest.approx(1.25, rel=0.02)
    for box in filter(None, (pred, truth)):
        assert left <= box[0] <= box[2] <= right
        assert top <= box[1] <= box[3] <= bottom


def test_a_close_up_of_boxes_far_apart_shows_the_truth() -> None:
    truth = (1100, 900, 1150, 950)
    region = close_up_region(item(pred=(0, 0, 50, 50), truth=truth), 1280, 1024)
    assert region is not None
    assert region[0] > 900
    assert region[2] >= truth[2]


def test_no_close_up_of_most_of_the_photo() -> None:
    assert close_up_region(item(pred=(0, 0, 1280, 1024)), 1280, 1024) is None
    assert close_up_region(item(pred=(0, 0, 40, 40)), 60, 50) is None
