"""Which data folder is in use, and what it lacks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from posebowl.data.folder import DataFolder, find
from posebowl.errors import BadDataError, UsageError
from tests.unit.data.test_checks import IDS, fill


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data/ with nothing but the demo set."""
    fill(tmp_path / "data" / "demo")
    return tmp_path / "data"


def test_the_demo_set_is_used_while_nothing_else_is_there(home: Path) -> None:
    found = find(home=home)
    assert found.is_demo
    assert found == DataFolder(
        root=home / "demo",
        images=home / "demo" / "images",
        submission_format=home / "demo" / "submission_format.csv",
        labels=home / "demo" / "train_labels.csv",
        is_demo=True,
    )


def test_downloads_win_over_the_demo_set(home: Path) -> None:
    fill(home)
    found = find(home=home)
    assert (found.root, found.is_demo) == (home, False)


def test_a_folder_named_by_the_user_wins(home: Path, tmp_path: Path) -> None:
    mine = fill(tmp_path / "mine", IDS[:2])
    fill(home)
    found = find(mine, home=home)
    assert (found.root, found.is_demo) == (mine, False)
    assert find(home / "demo", home=home).is_demo


def test_a_test_set_has_no_labels(home: Path) -> None:
    (home / "demo" / "train_labels.csv").unlink()
    assert find(home=home).labels is None


def remove_photos(home: Path) -> None:
    for path in (home / "images").iterdir():
        path.unlink()


def remove_tables(home: Path) -> None:
    (home / "submission_format.csv").unlink()
    (home / "train_labels.csv").unlink()


def move_photos(home: Path) -> None:
    for path in list((home / "images").iterdir()):
        path.rename(home / path.name)


@pytest.mark.parametrize(
    ("damage", "what", "fix"),
    [
        (remove_photos, "images holds no photos", "data.unpack --out"),
        (remove_tables, "neither submission_format.csv nor train_labels.csv", "Download"),
        (move_photos, "images holds no photos", "Move the photos into"),
    ],
)
def test_a_half_filled_folder_says_what_is_missing(
    damage: Callable[[Path], None], what: str, fix: str, home: Path
) -> None:
    fill(home)
    damage(home)
    with pytest.raises(BadDataError) as caught:
        find(home=home)
    assert "half filled" in caught.value.what
    assert what in caught.value.what
    assert fix in caught.value.fix
    assert "demo set" not in caught.value.fix


def test_any_other_folder_is_no_data_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a data folder") as caught:
        find(tmp_path)
    assert "such as data/demo" in caught.value.fix


def test_nothing_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match="There is no data"):
        find(home=tmp_path)
    (tmp_path / "file").touch()
    for name, why in (("nowhere", "nothing of that name"), ("file", "is a file")):
        with pytest.raises(UsageError, match="is no folder") as caught:
            find(tmp_path / name)
        assert why in caught.value.why
