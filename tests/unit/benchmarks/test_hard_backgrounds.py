"""Hard backgrounds are those in which the network sees a spacecraft."""

from __future__ import annotations

import shutil

import pytest
from PIL import Image

pytest.importorskip("cv2", reason="needs the lean group: uv run --group lean pytest")

from benchmarks import hard_backgrounds
from posebowl import paths

DEMO = paths.DEMO_DATA / "images"


@pytest.fixture
def backgrounds(tmp_path):
    """Make a folder of two photos with a spacecraft and three that are black."""
    images = tmp_path / "cuts/images"
    images.mkdir(parents=True)
    for photo in sorted(DEMO.glob("*.png"))[:2]:
        shutil.copy(photo, images)
    for index in range(3):
        Image.new("RGB", (640, 512)).save(images / f"black-{index}.jpg")
    return tmp_path / "cuts"


def hard(backgrounds, out, *more):
    hard_backgrounds.main(["--backgrounds", str(backgrounds), "--out", str(out), *more])
    return {path.name for path in (out / "images").iterdir()}


def test_what_looks_like_a_spacecraft_is_copied(backgrounds, tmp_path, capsys):
    copied = hard(backgrounds, tmp_path / "hard", "--share", "0.4")
    assert copied == {path.name for path in sorted(DEMO.glob("*.png"))[:2]}
    assert "2 of 5 backgrounds" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("--backgrounds=none", "has no backgrounds"),
        ("--weights=none.onnx", "none.onnx does not exist"),
        (f"--weights={__file__}", "test_hard_backgrounds.py cannot be loaded"),
        ("--share=0", "--share must be above 0"),
        ("--share=1.5", "at most 1, not 1.5"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(wrong, told, backgrounds, tmp_path, capsys):
    with pytest.raises(SystemExit):
        hard(backgrounds, tmp_path / "hard", wrong)
    assert told in capsys.readouterr().err
    assert not (tmp_path / "hard").exists()


def test_nothing_is_written_over_something(backgrounds, tmp_path, capsys):
    before = hard(backgrounds, tmp_path / "hard", "--share", "0.01")
    assert len(before) == 1  # of five, the hardest is one
    with pytest.raises(SystemExit):
        hard(backgrounds, tmp_path / "hard")
    assert "exists already" in capsys.readouterr().err
    assert {path.name for path in (tmp_path / "hard/images").iterdir()} == before
