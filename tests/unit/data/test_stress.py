"""Data folders that put a solution to the test."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from posebowl.challenge import FORMAT_FILE, IMAGES_DIR
from posebowl.data import folder as data_folder
from posebowl.data.checks import check
from posebowl.data.stress import Stressed, stressed
from posebowl.paths import DEMO_DATA
from posebowl.scoring import read_format

NAMES = ["plain", "again", "renamed", "one", "black", "white", "truncated", "16 bits", "many"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stressed]:
    """Return all folders, made from 5 of the demo's images."""
    scratch = tmp_path_factory.mktemp("stress")
    folder = data_folder.find(DEMO_DATA, scratch=scratch)
    return {one.name: one for one in stressed(folder, scratch, count=5, many=12)}


def photo(one: Stressed, image_id: str) -> Path:
    return one.root / IMAGES_DIR / f"{image_id}.png"


def ids(one: Stressed) -> list[str]:
    return read_format(one.root / FORMAT_FILE).to_list()


def test_each_is_a_data_folder_that_a_run_takes(made: dict[str, Stressed]) -> None:
    assert list(made) == NAMES
    for name, images in zip(NAMES, [5, 5, 5, 1, 5, 5, 5, 5, 12], strict=True):
        report = check(data_folder.find(made[name].root))
        assert (report.images, report.extra, report.missing) == (images, 0, 0), name
        assert made[name].images == images


def test_the_same_pictures_are_named_as_such(made: dict[str, Stressed]) -> None:
    for one in made.values():
        for new, old in one.same.items():
            assert photo(one, new).read_bytes() == photo(made["plain"], old).read_bytes()
    counts = {name: len(one.same) for name, one in made.items()}
    assert list(counts.values()) == [5, 5, 5, 1, 0, 0, 4, 4, 12]


def test_names_and_order_are_others(made: dict[str, Stressed]) -> None:
    renamed, plain = made["renamed"], ids(made["plain"])
    assert not set(ids(renamed)) & set(plain)
    order = [renamed.same[new] for new in ids(renamed)]
    assert sorted(order) == sorted(plain)
    assert order != plain


def test_what_is_odd_is_odd(made: dict[str, Stressed]) -> None:
    for name, colour in (("black", 0), ("white", 255)):
        with Image.open(photo(made[name], ids(made[name])[0])) as image:
            assert image.getextrema() == ((colour, colour),) * 3
    for name in ("truncated", "16 bits"):
        one = made[name]
        (odd,) = set(ids(one)) - set(one.same)
        with Image.open(photo(one, odd)) as image:
            assert image.size == (1280, 1024)
            if name == "16 bits":
                assert image.mode == "I;16"
                assert image.getextrema()[1] > 255
            else:
                with pytest.raises(OSError, match=r"truncated|broken"):
                    image.load()


def test_what_it_is_made_of_stays(tmp_path: Path, made: dict[str, Stressed]) -> None:
    one = made["many"]
    assert {photo(one, i).stat().st_ino for i in one.same} == {
        photo(made["plain"], i).stat().st_ino for i in ids(made["plain"])
    }
    check(data_folder.find(DEMO_DATA, scratch=tmp_path), deep=True)
    assert "many" not in {
        one.name for one in stressed(data_folder.find(DEMO_DATA), tmp_path / "s", count=1, many=0)
    }
