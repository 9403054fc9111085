"""The command line of training: what it asks for is what the recipe says."""

import pytest

pytest.importorskip("cv2", reason="needs the lean group: uv run --group lean pytest")

from posebowl.errors import UsageError
from posebowl.training.copy_paste import CopyPaste
from posebowl.training.options import ROLES, TrainOptions
from posebowl.training.recipe import Recipe, recipe_of
from posebowl.util import program

NEEDED = ["--data", "a", "--val", "v", "--out", "o"]


def asked(*words: str) -> Recipe:
    return recipe_of(program.read(TrainOptions, [*NEEDED, *words], task="benchmark.train"))


def test_defaults_are_those_of_the_recipe():
    assert asked() == Recipe(data=("a",), val="v")


def test_options_reach_the_recipe():
    words = ["--data", "b", "--cutouts", "c", "--pasted", "0.2", "--rate", "1e-3"]
    recipe = asked(*words, "--start", "s.onnx", "--size", "64x96", "--steps", "7")
    assert (recipe.data, recipe.cutouts, recipe.start) == (("a", "b"), ("c",), "s.onnx")
    assert (recipe.paste.share, recipe.rate) == (0.2, 1e-3)
    assert (recipe.size, recipe.steps) == ((64, 96), 7)
    assert recipe.warm_up < Recipe.warm_up  # from trained weights
    assert asked("--large", "128x192").large == (128, 192)
    assert asked("--frozen", "3").frozen == 3
    several = asked("--processes", "2")
    assert (several.processes, several.device) == (2, "cpu")


def test_the_role_chooses_the_views():
    recipes = [asked("--role", role) for role in ROLES]
    assert ROLES == ("both", "search", "refine")
    assert [recipe.augmentation.close for recipe in recipes] == [0.4, 0, 1]
    assert [recipe.augmentation.mosaic for recipe in recipes] == [0.12, 0.06, 0]
    assert [recipe.paste.close for recipe in recipes] == [0.45, 0, 1]


def test_decoys_take_the_place_of_some_composites_of_a_refiner():
    words = ["--role", "refine", "--cutouts", "c", "--backgrounds", "b"]
    assert asked(*words).paste.empty < 0.1
    recipe = asked(*words, "--decoys", "search.onnx")
    assert recipe.decoys == "search.onnx"
    assert recipe.paste.empty == 0.3


@pytest.mark.parametrize("lacking", ["--cutouts", "--backgrounds", "--role"])
def test_decoys_where_nothing_would_show_them_are_refused(tmp_path, lacking):
    given = {"--cutouts": str(tmp_path), "--backgrounds": str(tmp_path), "--role": "refine"}
    given[lacking] = "search" if lacking == "--role" else ""
    words = [word for name, value in given.items() if value for word in (name, value)]
    folders = ["--data", str(tmp_path), "--val", str(tmp_path), "--out", str(tmp_path / "out")]
    options = program.read(
        TrainOptions, [*folders, *words, "--decoys", "s.onnx"], task="benchmark.train"
    )
    with pytest.raises(UsageError, match="--decoys is for close views among composites"):
        options.check()


def test_what_cannot_be_read_is_an_error_in_words():
    with pytest.raises(UsageError, match='--minutes must be a number greater than 0, got "soon"'):
        asked("--minutes", "soon")


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
        ("--processes", "0"),
        ("--size", "100x96"),
        ("--first", "0x96"),
        ("--second", "96x-32"),
        ("--seed", "-1"),
        ("--frozen", "-1"),
        ("--pasted", "1.5"),
        ("--pasted", "nan"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(words):
    with pytest.raises(UsageError, match=f"{words[0]} must be"):
        asked(*words)


def test_an_unknown_device_is_refused():
    with pytest.raises(UsageError, match="--device must be auto, cpu or cuda"):
        asked("--device", "zzz")


def test_several_processes_on_a_gpu_are_refused(tmp_path):
    folders = ["--data", str(tmp_path), "--val", str(tmp_path), "--out", str(tmp_path / "out")]
    words = [*folders, "--processes", "2", "--device", "cuda"]
    options = program.read(TrainOptions, words, task="benchmark.train")
    with pytest.raises(UsageError, match="Several processes train on the CPU alone"):
        options.check()


def test_an_earlier_run_and_missing_folders_are_named_before_anything_is_prepared(tmp_path):
    (tmp_path / "last.pt").touch()
    options = program.read(
        TrainOptions,
        ["--data", str(tmp_path), "--val", str(tmp_path), "--out", str(tmp_path)],
        task="benchmark.train",
    )
    with pytest.raises(UsageError, match="already has a training run"):
        options.check()
    gone = str(tmp_path / "gone")
    options = program.read(
        TrainOptions, ["--data", gone, "--val", gone, "--out", gone], task="benchmark.train"
    )
    with pytest.raises(UsageError, match=r"gone is not a folder"):
        options.check()
    for flag in ("--start", "--teacher"):
        words = ["--data", str(tmp_path), "--val", str(tmp_path), "--out", gone, flag, gone]
        options = program.read(TrainOptions, words, task="benchmark.train")
        with pytest.raises(UsageError, match=r"gone does not exist") as caught:
            options.check()
        assert flag in caught.value.fix


def test_there_is_something_to_train_on_and_a_pool_stands_alone(tmp_path):
    piece = tmp_path / "pool-1.zip"
    needed = ["--val", str(tmp_path), "--out", str(tmp_path / "out")]

    def check(*words):
        program.read(TrainOptions, [*needed, *map(str, words)], task="benchmark.train").check()

    with pytest.raises(UsageError, match="nothing to train on"):
        check("--cutouts", tmp_path)
    with pytest.raises(UsageError, match=r"pool-1\.zip does not exist"):
        check("--pool", piece)
    piece.touch()
    check("--pool", piece)
    for words in (["--data", tmp_path], ["--backgrounds", tmp_path], ["--processes", 2]):
        with pytest.raises(UsageError, match="--pool stands alone"):
            check("--pool", piece, *words)


def test_of_a_pool_a_refiner_sees_the_decoys():
    for role, share in (("refine", 0.3), ("search", CopyPaste.empty), ("both", CopyPaste.empty)):
        words = ["--val", "v", "--out", "o", "--pool", "pool-1.zip", "--role", role]
        recipe = recipe_of(program.read(TrainOptions, words, task="benchmark.train"))
        assert (recipe.pool, recipe.paste.empty) == (("pool-1.zip",), share)
