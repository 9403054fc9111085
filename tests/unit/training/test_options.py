"""The command line of training: what it asks for is what the recipe says."""

import pytest

pytest.importorskip("cv2", reason="needs the lean group: uv run --group lean pytest")

from posebowl.errors import UsageError
from posebowl.training.options import Recipe, asked, parse

NEEDED = ["--data", "a", "--val", "v", "--out", "o"]


def test_what_is_not_said_is_the_recipe_s():
    assert asked(parse(NEEDED)) == Recipe(data=("a",), val="v")


def test_what_is_said_holds():
    words = [*NEEDED, "--data", "b", "--cutouts", "c", "--pasted", "0.2", "--rate", "1e-3"]
    recipe = asked(parse([*words, "--start", "s.onnx", "--imgsz", "64", "96", "--steps", "7"]))
    assert (recipe.data, recipe.cutouts, recipe.start) == (("a", "b"), ("c",), "s.onnx")
    assert (recipe.paste.share, recipe.rate) == (0.2, 1e-3)
    assert (recipe.size, recipe.steps) == ((64, 96), 7)


def test_what_cannot_be_read_is_an_error_in_words():
    with pytest.raises(UsageError, match="--minutes: invalid float value: 'soon'"):
        parse([*NEEDED, "--minutes", "soon"])


@pytest.mark.parametrize(
    "words",
    [
        ("--minutes", "-3"),
        ("--minutes", "nan"),
        ("--every-minutes", "0"),
        ("--steps", "0"),
        ("--batch", "-1"),
        ("--rate", "0"),
        ("--threads", "0"),
        ("--imgsz", "100", "96"),
        ("--first", "0", "96"),
        ("--second", "96", "-32"),
        ("--seed", "-1"),
        ("--pasted", "1.5"),
        ("--pasted", "nan"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(words):
    with pytest.raises(UsageError, match=words[0]):
        asked(parse([*NEEDED, *words]))


def test_a_device_that_is_none_is_refused():
    with pytest.raises(UsageError, match="--device"):
        parse([*NEEDED, "--device", "zzz"])
