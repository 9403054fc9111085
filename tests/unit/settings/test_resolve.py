"""Where settings come from, and what is said of those that are none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from posebowl import paths
from posebowl.challenge import LIMITS, EngineName, Limit, Variant
from posebowl.errors import UsageError
from posebowl.settings import resolve
from posebowl.settings.resolve import Origin
from posebowl.settings.schema import MOST_RUNS, PREFIX, SETTINGS, Settings


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the settings of whoever tests."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the file that has the table; it does not exist yet."""
    return tmp_path / "pyproject.toml"


def load(file: Path, **flags: str | bool | None) -> Settings:
    return resolve.load(flags, file=file)


def refusal(file: Path, **flags: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        load(file, **flags)
    return caught.value


@pytest.mark.parametrize("text", [None, "", "[tool.other]\nx = 1\n", "[tool.posebowl]\n"])
def test_defaults(file: Path, text: str | None) -> None:
    if text is not None:
        file.write_text(text)
    settings = load(file)
    assert settings.engine is None
    assert settings.variant is Variant.CPU
    assert settings.limits == LIMITS[Variant.CPU]
    assert settings.submission == paths.SUBMISSION
    assert settings.archive == paths.SUBMISSION / "submission.zip"
    assert (settings.data, settings.registry, settings.full) == (None, None, False)
    assert settings.waive == frozenset()
    assert {found.origin for found in resolve.explain(file=file)} == {Origin.DEFAULT}


def test_every_setting_can_be_given_in_all_three_ways(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, setting in SETTINGS.items():
        text = setting.kind.example
        file.write_text(f"[tool.posebowl]\n{name} = {setting.kind.literal(text)}\n")
        by_table = getattr(load(file), name)
        file.write_text("")
        by_flag = getattr(load(file, **{name: text}), name)
        monkeypatch.setenv(setting.variable, text)
        by_variable = getattr(load(file), name)
        monkeypatch.delenv(setting.variable)
        assert by_flag == by_variable == by_table, name
        assert by_flag is not None, name


def test_flags_win_over_variables_and_these_over_the_table(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('[tool.posebowl]\ncpus = 1\nmemory = "1g"\ntime_limit = 60\n')
    monkeypatch.setenv("POSEBOWL_CPUS", "2")
    monkeypatch.setenv("POSEBOWL_MEMORY", "2g")
    limits = load(file, cpus="4").limits
    assert (limits.cpus, limits.memory_bytes, limits.wall_time_s) == (4, 2 << 30, 60)
    found = {item.setting.name: item for item in resolve.explain({"cpus": "4"}, file=file)}
    assert (found["cpus"].origin, found["cpus"].place) == (Origin.FLAG, "--cpus")
    assert (found["memory"].origin, found["memory"].place) == (
        Origin.ENVIRONMENT,
        "POSEBOWL_MEMORY",
    )
    assert found["time_limit"].origin is Origin.TABLE
    assert str(file) in found["time_limit"].place
    assert found["engine"].origin is Origin.DEFAULT


def test_a_flag_that_was_not_typed_changes_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSEBOWL_ENGINE", "podman")
    monkeypatch.setenv("POSEBOWL_FULL", "yes")
    settings = load(file, engine="", full=False, data=None)
    assert settings.engine is EngineName.PODMAN
    assert settings.full
    assert load(file, engine="auto", full=True).engine is None


def test_an_empty_variable_is_none(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEBOWL_REGISTRY", "")
    assert load(file).registry is None


def test_a_file_of_notepad_and_an_empty_list_are_read(file: Path) -> None:
    file.write_text("[tool.posebowl]\ncpus = 2\nwaive = []\n", encoding="utf-8-sig")
    assert (load(file).cpus, load(file).waive) == (2, frozenset())


def test_limits_are_the_variant_s_unless_set(file: Path) -> None:
    assert load(file, variant="gpu").limits == LIMITS[Variant.GPU]
    changed = load(file, time_limit="10m", memory="512m", cpus="1").limits
    assert (changed.wall_time_s, changed.memory_bytes, changed.cpus) == (600, 512 << 20, 1)
    assert changed.output_bytes == LIMITS[Variant.CPU].output_bytes


def test_paths_of_the_table_start_at_its_file_and_others_where_one_is(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    file.write_text('[tool.posebowl]\ndata = "mine"\ncache = "~/c"\nsubmission = "/s"\n')
    settings = load(file)
    assert settings.data == tmp_path / "mine"
    assert settings.cache == tmp_path / "home" / "c"
    assert settings.submission == Path("/s")
    monkeypatch.setenv("POSEBOWL_DATA", "theirs")
    assert load(file).data == Path("theirs")
    assert load(file, data="~/d").data == tmp_path / "home" / "d"


def test_the_cache_is_the_user_s(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert load(file).cache == tmp_path / "xdg" / "posebowl"
    monkeypatch.setenv("HOME", str(tmp_path))
    for not_valid in ("", "cache", "~/cache"):
        monkeypatch.setenv("XDG_CACHE_HOME", not_valid)
        assert load(file).cache == tmp_path / ".cache" / "posebowl"


@pytest.mark.parametrize(
    ("line", "what", "said", "fix"),
    [
        ("cpu = 3", "cpu in", "Did you mean cpus?", "Write cpus instead."),
        ("CPUS = 3", "CPUS in", "Did you mean cpus?", "Write cpus instead."),
        ('submission = ""', 'got ""', "a folder", 'Write submission = "~/folder"'),
        ('engine = ""', 'got ""', "auto, docker, podman or", 'Write engine = "docker"'),
        ("time_limit = 1979-05-27", "a date", "a duration", 'Write time_limit = "10m"'),
        ("zzzz = 3", "zzzz in", "No setting", "invoke config"),
        ('cpus = "3"', '"3", a string', "a whole number", "Write cpus = 3"),
        ("cpus = 2.5", '"2.5", a number', "a whole number", "Write cpus = 3"),
        ("cpus = true", "got true", "a whole number", "Write cpus = 3"),
        ("cpus = 0", "got 0", "at least 1", "Write cpus = 3"),
        ("engine = 3", '"3", a whole number', "auto, docker, podman or", 'Write engine = "docker"'),
        ('engine = "podmann"', 'got "podmann"', "must be auto", 'Write engine = "podman"'),
        ('time_limit = "soon"', 'got "soon"', "a duration", 'Write time_limit = "10m"'),
        ("memory = [1]", "an array", "a size", 'Write memory = "4g"'),
        ('full = "yes"', "a string", "true or false", "Write full = true"),
        ('waive = "memory"', "a string", "of wall-time", 'Write waive = ["memory"]'),
        ("waive = [1]", "an array", "of wall-time", 'Write waive = ["memory", "cpus"]'),
        ('waive = ["memory", "cpu"]', "memory,cpu", "of wall-time", 'waive = ["memory", "cpus"]'),
        ('registry = "https://x"', "https://x", "no https:// in front", "Write registry ="),
        ('data = "a\\u0000b"', "data in", "a folder", "Write data ="),
    ],
)
def test_wrong_lines_of_the_table(line: str, what: str, said: str, fix: str, file: Path) -> None:
    file.write_text(f"[tool.posebowl]\n{line}\n")
    error = refusal(file)
    assert what in error.what
    assert str(file) in error.what
    assert said in f"{error.what} {error.why}"
    assert fix in error.fix


@pytest.mark.parametrize(
    ("name", "text", "said", "fix"),
    [
        ("POSEBOWL_CPUS", "three", "a whole number", "Type: export POSEBOWL_CPUS=3"),
        ("POSEBOWL_CPUS", "٣", "a whole number", "Type: export POSEBOWL_CPUS=3"),
        ("POSEBOWL_ENGINE", "dokcer", "must be auto", "Type: export POSEBOWL_ENGINE=docker"),
        ("POSEBOWL_FULL", "maybe", "true or false", "Type: export POSEBOWL_FULL=true"),
        ("POSEBOWL_WAIVE", "memory,cpu", "of wall-time", "Type: export POSEBOWL_WAIVE=memory,cpus"),
        ("POSEBOWL_MIRROR", "a b", "without spaces", "Type: export POSEBOWL_MIRROR="),
        (
            "POSEBOWL_CPU",
            "3 4",
            "Did you mean POSEBOWL_CPUS?",
            "Type: unset POSEBOWL_CPU; export POSEBOWL_CPUS='3 4'",
        ),
        ("POSEBOWL_QQQQ", "1", "No setting", "Type: unset POSEBOWL_QQQQ"),
    ],
)
def test_wrong_variables(name: str, text: str, said: str, fix: str, file: Path) -> None:
    with pytest.raises(UsageError) as caught:
        resolve.load(file=file, environ={name: text})
    error = caught.value
    assert name in error.what
    assert said in f"{error.what} {error.why}"
    assert fix in error.fix


@pytest.mark.parametrize(
    ("flag", "text", "said", "fix"),
    [
        ("time_limit", "soon", 'a duration, such as 90s, 10m or 1h, got "soon"', "10m"),
        ("memory", "0.1", 'a size of 16m or more, such as 512m or 4g, got "0.1"', "4g"),
        ("memory", "15m", "at least 16m, got 15m", "4g"),
        ("cpus", "-1", "at least 1, got -1", "3"),
        ("cpus", "0", "at least 1, got 0", "3"),
        ("cpus", "many", 'a whole number of 1 or more, got "many"', "3"),
        ("variant", "gqu", 'cpu or gpu, got "gqu"', "gpu"),
    ],
)
def test_wrong_flags(file: Path, flag: str, text: str, said: str, fix: str) -> None:
    error = refusal(file, **{flag: text})
    typed = f"--{flag.replace('_', '-')}"
    assert error.what == f"{typed} must be {said}."
    assert error.fix == f"Type: {typed} {fix}"


@pytest.mark.parametrize("text", ["[tool.posebowl", "\xff", "[tool]\nposebowl = 3\n"])
def test_files_that_hold_no_table(text: str, file: Path) -> None:
    file.write_bytes(text.encode("latin-1"))
    error = refusal(file)
    assert str(file) in error.what
    assert error.why
    assert error.fix


def test_as_many_runs_are_kept_as_the_history_keeps(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(file).history == MOST_RUNS
    assert SETTINGS["history"].unset == str(MOST_RUNS)
    monkeypatch.setenv("POSEBOWL_HISTORY", "0")
    assert load(file).history == 0
    monkeypatch.setenv("POSEBOWL_HISTORY", "-1")
    assert "must be at least 0, got -1." in refusal(file).what


def test_the_budget_has_a_table_of_its_own(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("[tool.posebowl]\ncpus = 2\n[tool.posebowl.budget]\nmean_iou = 0.4\ntime = 1\n")
    settings = load(file)
    assert (settings.cpus, settings.budget_mean_iou, settings.budget_time) == (2, 0.4, 1.0)
    assert (settings.budget_memory, settings.budget_against) == (None, "last")
    monkeypatch.setenv("POSEBOWL_BUDGET_MEAN_IOU", "0.5")
    assert load(file).budget_mean_iou == 0.5
    assert load(file, budget_mean_iou="0.6").budget_mean_iou == 0.6


@pytest.mark.parametrize(
    ("line", "what", "fix"),
    [
        ("mean_iuo = 0.4", "mean_iuo in [tool.posebowl.budget] of", "Write mean_iou instead."),
        ("drop = 2", "must be between 0 and 1, got 2", "Write drop = 0.01"),
        ("drop = nan", "must be a number between 0 and 1", "Write drop = 0.01"),
        ("drop = true", "drop in [tool.posebowl.budget] of", "Write drop = 0.01"),
    ],
)
def test_wrong_lines_of_the_budget(line: str, what: str, fix: str, file: Path) -> None:
    file.write_text(f"[tool.posebowl.budget]\n{line}\n")
    error = refusal(file)
    assert what in error.what
    assert fix in error.fix


def test_a_budget_is_a_table(file: Path) -> None:
    file.write_text("[tool.posebowl]\nbudget = 3\n")
    assert "budget in" in refusal(file).what


def test_lists_of_the_environment_are_words(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSEBOWL_WAIVE", "memory, wall-time,")
    assert load(file).waive == {Limit.MEMORY, Limit.WALL_TIME}
