"""Some of the images stand for all: chosen evenly, the only ones that a run sees."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from posebowl.challenge import IMAGES_DIR
from posebowl.data import DataFolder, check, folder as folders, sample
from posebowl.data.sampling import evenly
from posebowl.errors import BadDataError
from posebowl.scoring import read_format
from tests.conftest import IDS


@pytest.fixture
def own_folder(data_folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(data_folder, tmp_path / "data")


@given(size=st.integers(1, 200), data=st.data())
def test_evenly(size: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, size))
    chosen = evenly(range(size), count)
    assert len(set(chosen)) == count
    assert chosen == sorted(chosen)
    gaps = {after - before for before, after in itertools.pairwise(chosen)}
    assert max(gaps, default=0) - min(gaps, default=0) <= 1
    assert abs(chosen[0] - (size - 1 - chosen[-1])) <= 1  # as far from the start as from the end


def test_only_the_chosen_are_there(data_folder: Path, tmp_path: Path) -> None:
    whole = find(data_folder)
    part = sample(whole, 2, tmp_path)
    assert (part.of, part.root, part.labels) == (6, whole.root, whole.labels)
    assert read_format(part.submission_format).to_list() == [IDS[1], IDS[4]]
    names = {path.name for path in part.images.iterdir()}
    assert names == {f"{IDS[1]}.png", f"{IDS[4]}.png"}
    photo = f"{IDS[1]}.png"
    assert (part.images / photo).samefile(data_folder / IMAGES_DIR / photo)
    report = check(part, deep=True)
    assert (report.images, report.extra, report.missing) == (2, 0, 0)
    header = part.submission_format.read_text().splitlines()[0]
    assert header == whole.submission_format.read_text().splitlines()[0]


def find(root: Path) -> DataFolder:
    return folders.find(root)


def test_the_order_of_the_table_is_kept(own_folder: Path, tmp_path: Path) -> None:
    table = own_folder / "submission_format.csv"
    head, *rows = table.read_text().splitlines()
    table.write_text("\n".join([head, *reversed(rows)]) + "\n")
    part = sample(find(own_folder), 3, tmp_path)
    assert read_format(part.submission_format).to_list() == [IDS[5], IDS[3], IDS[1]]


@pytest.mark.parametrize("count", [6, 7])
def test_all_of_them_are_no_sample(count: int, data_folder: Path, tmp_path: Path) -> None:
    whole = find(data_folder)
    assert sample(whole, count, tmp_path) is whole
    assert not list(tmp_path.iterdir())


def test_photos_are_copied_where_there_are_no_hard_links(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    part = sample(find(data_folder), 1, tmp_path)
    (copy,) = part.images.iterdir()
    assert copy.read_bytes() == (data_folder / IMAGES_DIR / copy.name).read_bytes()
    assert check(part).images == 1


def test_a_photo_that_is_missing_is_reported_by_the_check(own_folder: Path, tmp_path: Path) -> None:
    whole = find(own_folder)
    (own_folder / IMAGES_DIR / f"{IDS[1]}.png").unlink()
    report = check(sample(whole, 2, tmp_path))
    assert (report.images, report.missing) == (1, 1)


def test_an_id_that_is_a_path_leads_nowhere(own_folder: Path, tmp_path: Path) -> None:
    table = own_folder / "submission_format.csv"
    table.write_text(table.read_text().replace(IDS[1], "../secret"))
    with pytest.raises(BadDataError, match="not plain names"):
        sample(find(own_folder), 2, tmp_path)
    assert list(tmp_path.iterdir()) == [own_folder]
