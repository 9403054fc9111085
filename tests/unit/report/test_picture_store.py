"""Pictures that are made once: found again while the photo is the same, and never in the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from posebowl.report import picture_store
from posebowl.report.gallery import Item
from posebowl.report.picture_store import PictureStore
from posebowl.report.pictures import Picture, load
from tests.report_samples import paint

ITEMS = [
    Item(image_id=name, pred=(600, 400, 700, 480), truth=None, iou=None) for name in ("a", "b")
]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return paint(tmp_path / "images", ["a", "b"], [(600, 400, 700, 480)] * 2)


def shown(images: Path, cache: Path) -> tuple[Picture, ...]:
    store = PictureStore.of(images, cache)
    found = load(ITEMS, images, store)
    store.save()
    return found


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the photos that were opened, as they are."""
    names: list[str] = []
    honest = Image.open

    def counting(path: Path, **how: object) -> Image.Image:
        names.append(path.stem)
        return honest(path, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(Image, "open", counting)
    return names


def test_a_photo_is_decoded_once(images: Path, tmp_path: Path, decoded: list[str]) -> None:
    first = shown(images, tmp_path / "cache")
    assert sorted(decoded) == ["a", "b"]
    assert all(picture.uri and picture.close_up for picture in first)
    assert shown(images, tmp_path / "cache") == first
    assert len(decoded) == 2


def test_another_box_needs_only_another_close_up(
    images: Path, tmp_path: Path, decoded: list[str]
) -> None:
    whole = Item(image_id="a", pred=(0, 0, 1280, 1024), truth=None, iou=None)
    shown(images, tmp_path / "cache")
    (picture,) = load([whole], images, PictureStore.of(images, tmp_path / "cache"))
    assert picture.uri
    assert picture.close_up is None
    assert len(decoded) == 2


def test_a_changed_photo_is_decoded_again(images: Path, tmp_path: Path, decoded: list[str]) -> None:
    before = shown(images, tmp_path / "cache")
    status = (images / "a.png").stat()
    data = (images / "a.png").read_bytes()
    paint(images, ["a"], [(10, 10, 300, 300)])
    changed = (images / "a.png").read_bytes()
    size = max(len(data), len(changed))
    (images / "a.png").write_bytes(changed.ljust(size, b"\0"))
    os.utime(images / "a.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    after = shown(images, tmp_path / "cache")
    assert sorted(decoded) == ["a", "a", "b"]
    assert after[0].uri != before[0].uri
    assert after[1] == before[1]


@pytest.mark.parametrize("content", [b"", b"\xff" * 9, b"[]", b'"a"', b"[" * 99_999])
def test_a_broken_store_costs_only_time(images: Path, tmp_path: Path, content: bytes) -> None:
    first = shown(images, tmp_path / "cache")
    (file,) = (tmp_path / "cache/pictures").iterdir()
    file.write_bytes(content)
    assert shown(images, tmp_path / "cache") == first
    assert shown(images, tmp_path / "cache") == first


def test_a_cache_that_cannot_be_written_is_no_failure(images: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    assert all(picture.uri for picture in shown(images, tmp_path / "cache"))


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_store, "_MOST_PICTURES", 3)
    monkeypatch.setattr(picture_store, "_MOST_FILES", 2)
    for number in range(4):
        (folder := tmp_path / str(number)).mkdir()
        store = PictureStore.of(folder, tmp_path / "cache")
        for key in "abcde":
            store.put(key, b"picture")
        store.save()
    assert len(list((tmp_path / "cache/pictures").iterdir())) == 2
    again = PictureStore.of(folder, tmp_path / "cache")
    assert again.get("c")
    again.put("z", b"new")
    again.save()
    latest = PictureStore.of(folder, tmp_path / "cache")
    assert [key for key in "abcdez" if latest.get(key)] == ["a", "c", "z"]
