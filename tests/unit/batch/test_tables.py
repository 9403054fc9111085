"""The tables that an organizer gives: subsets and teams."""

from __future__ import annotations

from pathlib import Path

import pytest

from posebowl.batch.tables import read_subsets, read_teams
from posebowl.errors import BadDataError, UsageError

IDS = ["a", "b", "c", "d"]


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "table.csv"
    path.write_text(text)
    return path


def test_images_are_found_where_they_stand_and_public_comes_first(tmp_path: Path) -> None:
    rows = "image_id,why,subset\nd,,private\nc,,public\nb,,late\nx,,other\na,,private\n"

    found = read_subsets(written(tmp_path, rows), IDS)

    assert {name: images.tolist() for name, images in found.items()} == {
        "public": [2], "private": [0, 3], "late": [1],
    }  # fmt: skip
    assert next(iter(found)) == "public"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a,x\nb,x\n", r"gives no subset for 2 images: c, d\."),
        ("a,x\nb,x\nc,x\na,y\nd,x\n", r'Row 4 of .*table\.csv names "a" again\.'),
        ("a,x\nb,\nc,x\nd,x\n", r"Row 2 of .*table\.csv is incomplete\."),
        ("a,x\nb,../x\nc,x\nd,x\n", r'has a subset "\.\./x"\.'),
    ],
)
def test_a_split_that_is_not_one_is_refused(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_subsets(written(tmp_path, "image_id,subset\n" + rows), IDS)


def test_another_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match="is not a CSV with the columns image_id, subset"):
        read_subsets(written(tmp_path, "id,part\na,x\n"), IDS)


def test_each_submission_has_a_team(tmp_path: Path) -> None:
    path = written(tmp_path, "submission,team\nx/a,Ada\nb,Ada\nc,Bo\n")

    assert read_teams(path, ["b", "x/a"])["x/a"] == "Ada"
    with pytest.raises(UsageError, match="gives no team for 1 submission: d"):
        read_teams(path, ["b", "d"])
