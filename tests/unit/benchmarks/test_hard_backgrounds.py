"""Hard backgrounds are those in which the network sees a spacecraft."""

from __future__ import annotations

import shutil

import pytest
from PIL import Image

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


def test_what_looks_like_a_spacecraft_is_linked(backgrounds, tmp_path, capsys):
    linked = hard(backgrounds, tmp_path / "hard", "--share", "0.4")
    assert linked == {path.name for path in sorted(DEMO.glob("*.png"))[:2]}
    assert "2 of 5 backgrounds" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["empty", "twice"])
def test_nothing_is_written_for_nothing_or_over_something(wrong, backgrounds, tmp_path, capsys):
    out = tmp_path / "hard"
    if wrong == "twice":
        hard(backgrounds, out)
    with pytest.raises(SystemExit):
        hard(tmp_path if wrong == "empty" else backgrounds, out)
    told = {"empty": "has no backgrounds", "twice": "exists already"}[wrong]
    assert told in capsys.readouterr().err
    assert out.exists() == (wrong == "twice")
