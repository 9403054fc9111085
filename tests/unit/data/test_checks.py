from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from posebowl.data.checks import check, make_format
from posebowl.data.folder import find
from posebowl.errors import BadDataError, UsageError, Verdict
from posebowl.scoring.predictions import read_format

IDS = [f"{i:032x}" for i in range(12)]
HEADER = "image_id,xmin,ymin,xmax,ymax\n"


def png(width: int = 1280, height: int = 1024) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


PNG = png()


def fill(root: Path, ids: list[str] | None = None) -> Path:
    """Make a whole data folder."""
    ids = IDS if ids is None else ids
    (root / "images").mkdir(parents=True)
    for image_id in ids:
        (root / "images" / f"{image_id}.png").write_bytes(PNG)
    (root / "submission_format.csv").write_text(HEADER + "".join(f"{i},0,0,0,0\n" for i in ids))
    (root / "train_labels.csv").write_text(HEADER + "".join(f"{i},1,2,30,40\n" for i in ids))
    return root


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data/ with nothing but the demo set."""
    fill(tmp_path / "data" / "demo")
    return tmp_path / "data"


def remove_photos(home: Path) -> None:
    for path in (home / "images").iterdir():
        path.unlink()


def test_a_training_set_gets_its_format_from_the_labels(home: Path, tmp_path: Path) -> None:
    fill(home)
    (home / "submission_format.csv").unlink()
    for image_id in IDS[8:]:
        (home / "images" / f"{image_id}.png").unlink()
    with pytest.raises(BadDataError) as caught:
        find(home=home)
    assert f"invoke data.format --folder {home}" in caught.value.fix
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = find(home=home, scratch=scratch)
    assert found.submission_format == scratch / "submission_format.csv"
    assert found.submission_format.read_text() == HEADER + "".join(
        f"{i},0,0,0,0\n" for i in IDS[:8]
    )
    report = check(found)
    assert (report.images, report.labels) == (8, 12)
    assert "made from the labels" in report.warnings[0]
    assert not (home / "submission_format.csv").exists()


def test_a_format_is_not_overwritten_unasked(home: Path) -> None:
    fill(home)
    target = home / "submission_format.csv"
    before = target.read_bytes()
    with pytest.raises(UsageError, match="already exists"):
        make_format(home, target)
    assert target.read_bytes() == before
    (home / "images" / f"{IDS[0]}.png").unlink()
    make_format(home, target, force=True)
    assert read_format(target).to_list() == IDS[1:]


def test_a_format_of_no_images_is_refused(home: Path, tmp_path: Path) -> None:
    fill(home)
    remove_photos(home)
    with pytest.raises(BadDataError, match="None of the 12 images"):
        make_format(home, tmp_path / "x.csv")
    assert not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize("deep", [False, True])
def test_a_whole_folder_is_reported_as_such(home: Path, deep: bool) -> None:
    report = check(find(home=home), deep=deep)
    assert (report.images, report.labels, report.extra, report.warnings) == (12, 12, 0, ())
    assert "demo set" in report.summary
    assert "12 images" in report.summary
    assert ("decoded" in report.summary) is deep


def test_extra_photos_and_packed_archives_are_warnings(home: Path) -> None:
    (home / "demo" / "images" / "stranger.png").write_bytes(PNG)
    (home / "train_0.tar").write_bytes(b"")
    report = check(find(home=home))
    assert report.extra == 1
    assert "stranger.png" in report.warnings[0]
    assert "data.unpack" in report.warnings[1]
    assert "train_0.tar" in report.warnings[1]


def missing(root: Path) -> None:
    for image_id in IDS[1:8]:
        (root / "images" / f"{image_id}.png").unlink()


def all_missing(root: Path) -> None:
    for path in (root / "images").iterdir():
        path.rename(path.with_name(f"other-{path.name}"))


def closed(root: Path) -> None:
    for image_id in IDS[3:5]:
        (root / "images" / f"{image_id}.png").chmod(0o600)


def closed_folder(root: Path) -> None:
    (root / "images").chmod(0o700)
    (root / "submission_format.csv").chmod(0o600)


def broken(root: Path) -> None:
    (root / "images" / f"{IDS[3]}.png").write_bytes(PNG[:-20])
    (root / "images" / f"{IDS[5]}.png").write_bytes(b"")


def small(root: Path) -> None:
    (root / "images" / f"{IDS[2]}.png").write_bytes(png(64, 48))


def linked(root: Path) -> None:
    path = root / "images" / f"{IDS[4]}.png"
    path.symlink_to(path.rename(root / "elsewhere.png"))


def change(root: Path, name: str, edit: Callable[[str], str]) -> None:
    path = root / name
    path.write_text(edit(path.read_text()))


def duplicate(root: Path) -> None:
    change(root, "submission_format.csv", lambda text: text + f"{IDS[6]},0,0,0,0\n")


def odd(root: Path) -> None:
    change(
        root,
        "submission_format.csv",
        lambda text: text.replace(IDS[1], "../etc/x").replace(IDS[2], "-rf").replace(IDS[3], "a b"),
    )


def empty(root: Path) -> None:
    change(root, "submission_format.csv", lambda _: HEADER)


def unlabelled(root: Path) -> None:
    change(root, "train_labels.csv", lambda text: text.replace(f"{IDS[7]},1,2,30,40\n", ""))


def off_image(root: Path) -> None:
    change(root, "train_labels.csv", lambda text: text.replace(f"{IDS[9]},1", f"{IDS[9]},-1"))


def twice_labelled(root: Path) -> None:
    change(root, "train_labels.csv", lambda text: text + f"{IDS[6]},1,2,30,40\n")


def float_label(root: Path) -> None:
    change(root, "train_labels.csv", lambda text: text.replace(f"{IDS[9]},1,", f"{IDS[9]},1.5,"))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (all_missing, ["12 of 12 images are missing", IDS[0], "and 7 more", "data.unpack"]),
        (broken, ["2 of 12 images are broken PNG files", IDS[3], IDS[5], "--force"]),
        (small, ["1 of 12 images are not 1280x1024", f"{IDS[2]} (64x48)"]),
        (linked, ["1 of 12 images are links", IDS[4], "cp -L"]),
        (duplicate, ["names 1 image more than once", IDS[6]]),
        (odd, ["3 of 12 image_ids are not plain names: ../etc/x, -rf, a b"]),
        (empty, ["names no image"]),
        (unlabelled, ["1 of 12 images have no label", IDS[7]]),
        (off_image, ["1 of 12 labels lie off the image", IDS[9]]),
        (twice_labelled, ["labels 1 image more than once", IDS[6]]),
        (float_label, ["1 row without a box of integers", "row 10"]),
    ],
)
def test_each_damage_is_named_with_its_count(
    damage: Callable[[Path], None], words: list[str], tmp_path: Path
) -> None:
    root = fill(tmp_path / "data")
    damage(root)
    with pytest.raises(BadDataError) as caught:
        check(find(root))
    assert caught.value.verdict is Verdict.BAD_DATA
    for word in words:
        assert word in str(caught.value)


def test_missing_images_are_told_and_the_rest_is_checked(tmp_path: Path) -> None:
    root = fill(tmp_path / "data")
    missing(root)
    (warning,) = check(find(root)).warnings
    for word in ("7 of 12 images are missing", IDS[1], IDS[5], "and 2 more", "data.unpack"):
        assert word in warning


@pytest.mark.skipif(os.geteuid() != 0, reason="whoever is not root runs as the same user")
@pytest.mark.parametrize(
    ("close", "words"),
    [
        (closed, ["2 of 12 images are closed to all but their owner", IDS[3], IDS[4]]),
        (closed_folder, ["2 of 2 parts are closed", "images, submission_format.csv"]),
    ],
)
@pytest.mark.parametrize("deep", [False, True])
def test_what_only_root_may_read_is_named_with_one_command(
    close: Callable[[Path], None], words: list[str], deep: bool, tmp_path: Path
) -> None:
    root = fill(tmp_path / "data")
    close(root)
    with pytest.raises(BadDataError) as caught:
        check(find(root), deep=deep)
    for word in words:
        assert word in str(caught.value)
    assert caught.value.fix == f"Make all of it readable: chmod -R a+rX {root}"


def test_several_damages_are_named_together(tmp_path: Path) -> None:
    root = fill(tmp_path / "data")
    for damage in (small, unlabelled, off_image):
        damage(root)
    (root / "images" / f"{IDS[0]}.png").write_bytes(b"")
    with pytest.raises(BadDataError) as caught:
        check(find(root))
    assert "1 of 12 images are broken" in caught.value.what
    for word in (
        "1 of 12 images are not 1280x1024",
        "1 of 12 images have no label",
        "lie off the image",
    ):
        assert word in caught.value.why
    assert not pl.Series([caught.value.fix]).str.contains(r"\.\.\.\.").item()
