"""Which data folder is in use, and what it lacks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from posebowl import paths
from posebowl.challenge import FORMAT_FILE
from posebowl.data.checks import check
from posebowl.data.folder import DataFolder, find
from posebowl.errors import BadDataError, UsageError
from posebowl.util.host import is_root
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
def test_an_incomplete_folder_says_what_is_missing(
    damage: Callable[[Path], None], what: str, fix: str, home: Path
) -> None:
    fill(home)
    damage(home)
    with pytest.raises(BadDataError) as caught:
        find(home=home)
    assert "incomplete" in caught.value.what
    assert what in caught.value.what
    assert fix in caught.value.fix
    assert "demo set" not in caught.value.fix


def test_any_other_folder_is_not_a_data_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a data folder") as caught:
        find(tmp_path)
    assert "such as data/demo" in caught.value.fix


def test_nothing_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match="There is no data"):
        find(home=tmp_path)
    (tmp_path / "file").touch()
    for name, why in (("nowhere", "does not exist"), ("file", "is a file")):
        with pytest.raises(UsageError, match="is not a folder") as caught:
            find(tmp_path / name)
        assert why in caught.value.why


def test_the_folder_of_photos_is_named_by_mistake(home: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find(home / "demo" / "images")
    assert caught.value.fix == f"Name the folder that holds it: {home / 'demo'}"


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_part_of_the_images_gets_a_format_of_its_own(
    quote: str, home: Path, tmp_path: Path
) -> None:
    root = fill(home)
    table = root / "submission_format.csv"
    table.write_text(
        "image_id,xmin,ymin,xmax,ymax\n"
        + "".join(f"{quote}{image_id}{quote},0,0,0,0\n" for image_id in IDS)
    )
    gone = [IDS[0], *IDS[5:9]]
    for image_id in gone:
        (root / "images" / f"{image_id}.png").unlink()
    assert find(root).submission_format == table
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = find(root, scratch=scratch)
    assert found.submission_format == scratch / "submission_format.csv"
    assert found.absent == tuple(gone)
    assert found.submission_format.read_text() == "image_id,xmin,ymin,xmax,ymax\n" + "".join(
        f"{image_id},0,0,0,0\n" for image_id in IDS if image_id not in gone
    )
    assert table.read_text().count("\n") == 13
    for folder in (found, find(root)):
        report = check(folder)
        assert (report.images, report.missing, report.labels) == (7, 5, 12)
        assert "5 of 12 images are missing" in report.warnings[0]
        assert "the 7 that are there" in report.warnings[0]
        assert "data.unpack" in report.warnings[0]
        assert "in part: 7 of 12 images" in report.summary


def test_images_of_another_set_are_not_a_part(home: Path, tmp_path: Path) -> None:
    root = fill(home, IDS[:2])
    (root / "submission_format.csv").write_text("image_id,xmin,ymin,xmax,ymax\nother,0,0,0,0\n")
    with pytest.raises(BadDataError, match="1 of 1 images are missing"):
        check(find(root, scratch=tmp_path))


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
@pytest.mark.parametrize(
    ("closed", "mode", "what"),
    [("images", 0o311, "images cannot be read"), (FORMAT_FILE, 0, f"{FORMAT_FILE} cannot be read")],
)
def test_what_may_not_be_read_is_broken_data(closed: str, mode: int, what: str) -> None:
    lines = (
        "import os, sys; from pathlib import Path as P; from posebowl.data import checks, folder; "
    )
    lines += "[os.setuid(65534) for _ in '1' if os.geteuid() == 0]; "  # root may read all
    lines += "folder.find(P(sys.argv[1]), scratch=P(sys.argv[1]))"
    with tempfile.TemporaryDirectory() as place:  # where also an ordinary user may look
        root = Path(place, "data")
        shutil.copytree(paths.DEMO_DATA, root)
        Path(place).chmod(0o755)
        for path in (root / closed, root):
            path.chmod(mode if path.name == closed else 0o777)
            os.chown(path, 65534 if is_root() else -1, -1)
        done = subprocess.run(
            [sys.executable, "-c", lines, root],
            cwd=paths.ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        (root / closed).chmod(0o755)
    assert f"BadDataError: {root}" in done.stderr
    assert f"{what}: Permission denied" in done.stderr
