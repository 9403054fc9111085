"""The tasks as people type them: help for everything, errors in words, never a traceback."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from posebowl import paths
from posebowl.cli.catalog import TASKS
from posebowl.cli.task import Task
from posebowl.errors import Verdict
from posebowl.util.options import Option
from tests.typed import invoke

NAMES = [
    "test", "new", "base", "build", "check", "clean", "config", "doctor", "evaluate",
    "pack", "packages", "pull", "push", "run", "score", "shell", "benchmark.export",
    "benchmark.narrow", "benchmark.train", "data.check", "data.format", "data.manifest",
    "data.render", "data.unpack",
]  # fmt: skip


@cache
def tasks() -> ModuleType:
    sys.path.insert(0, str(paths.ROOT))
    return pytest.importorskip("tasks")


def collected(collection: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, task in collection.tasks.items():
        yield f"{prefix}{name}", task
    for name, inner in collection.collections.items():
        yield from collected(inner, f"{prefix}{name}.")


def start(
    *words: str, cwd: Path = paths.ROOT, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Type a command line in a process of its own."""
    argv = [sys.executable, "-m", "invoke", "--search-root", str(paths.ROOT), *words]
    env = {**os.environ, "COLUMNS": "200", **variables}
    done = subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr + done.stdout
    return done


def test_the_tasks_that_people_type() -> None:
    assert {name for name, _ in collected(tasks().ns)} >= set(NAMES)


def test_every_task_has_one_line_and_help_for_every_option() -> None:
    for task in TASKS:
        assert task.summary.endswith("."), task.name
        assert "\n" not in (inspect.getdoc(task.function) or ""), task.name
        assert len(task.summary) <= 90, task.name
        parameters = inspect.signature(task.function).parameters
        assert "json" not in parameters or "json" in {option.name for option in task.options}
        assert all(option.help for option in task.options), task.name


def test_what_python_compiles_is_kept_unless_the_user_says_otherwise(tmp_path: Path) -> None:
    """Left to invoke, each command would compile everything again: half a second of a run."""
    where = {"PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}
    assert start("config", "--json", **where).returncode == 0
    compiled = list(tmp_path.rglob("config.*.pyc"))
    assert compiled
    for file in compiled:
        file.unlink()
    where["PYTHONDONTWRITEBYTECODE"] = "1"
    assert start("config", "--json", **where).returncode == 0
    assert not list(tmp_path.rglob("config.*.pyc"))


def test_the_documentation_names_every_task_that_prints_json() -> None:
    text = (paths.ROOT / "docs" / "cli.md").read_text()
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([\w.]+)`", row)}
    offering = {task.name for task in TASKS if "json" in {option.name for option in task.options}}
    assert named == offering


def test_list_and_help() -> None:
    listed = start("--list")
    assert listed.returncode == 0
    words = {line.split()[0] for line in listed.stdout.splitlines() if line.strip()}
    assert set(NAMES) <= words
    helped = start("--help", "run")
    assert helped.returncode == 0
    for flag in ("--zip", "--data", "--variant", "--engine", "--time-limit", "--memory", "--cpus"):
        assert flag in helped.stdout
    assert "wall time of a run (105m)" in helped.stdout


@pytest.mark.parametrize("words", [(), ("data",), ("benchmark",)])
def test_without_a_task_there_is_a_list(words: tuple[str, ...], tmp_path: Path) -> None:
    done = invoke(*words, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    listed = set(re.findall(r"^  (\S+)", done.stdout, re.MULTILINE))
    if words:
        group = f"{words[0]}."
        expected = {
            task.name.removeprefix(words[0]) for task in TASKS if task.name.startswith(group)
        }
    else:
        expected = {task.name for task in TASKS}
    assert listed == expected


AFTER_MAIN = {"numpy", "pandas", "PIL", "jinja2", "rich.progress", "posebowl.report"}


HEAVY = (AFTER_MAIN - {"rich.progress"}) | {
    "polars", "msgspec", "psutil", "posebowl.run.pipeline", "posebowl.engines.base",
    "posebowl.results.history", "posebowl.scoring.metric", "posebowl.doctor.engines",
}  # fmt: skip


@pytest.mark.parametrize(
    ("module", "later"),
    [
        ("tasks", AFTER_MAIN | {"polars", "rich", "posebowl.run", "posebowl.cli.output"}),
        (
            (
                "posebowl.cli.output, posebowl.run.live_display, posebowl.run.pipeline, "
                "posebowl.cli.views.result"
            ),
            AFTER_MAIN | {"polars"},
        ),
        ("posebowl.run.pipeline, posebowl.data.checks, posebowl.results.history", {"numpy"}),
        ("posebowl.report; posebowl.report.load()", {"numpy"}),
    ],
)
def test_nobody_waits_for_what_is_needed_later(module: str, later: set[str]) -> None:
    line = f"import sys, {module}; print(*sys.modules)"
    argv = [sys.executable, "-c", line]
    done = subprocess.run(argv, cwd=paths.ROOT, capture_output=True, text=True, check=True)
    assert later & set(done.stdout.split()) == set()


@pytest.mark.parametrize(
    ("line", "later"),
    [
        ("pack --solution quickstart --out made.zip", HEAVY),
        ("check --zip here.zip", HEAVY),
        ("config", HEAVY),
    ],
)
def test_a_task_loads_only_what_it_needs(line: str, later: set[str], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "here.zip", "w") as file:
        file.writestr("main.sh", "true\n")
    code = (
        "import sys, runpy; sys.argv = ['invoke', '--search-root', *sys.argv[1:]]\n"
        "try: runpy.run_module('invoke', run_name='__main__')\n"
        "except SystemExit as ended: assert not ended.code, ended.code\n"
        "print('LOADED', *sys.modules)"
    )
    argv = [sys.executable, "-c", code, str(paths.ROOT), *line.split()]
    env = {**os.environ, "POSEBOWL_SUBMISSION": str(tmp_path)}
    done = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert later & set(done.stdout.partition("LOADED")[2].split()) == set()


WRONG = [
    ("pack", 2, "pack needs one solution."),
    ("test nowhere", 2, "There is no solution named nowhere."),
    ("test no/where", 2, "There is no folder no/where."),
    ("test --limit 0", 2, "--limit must be at least 1, got 0."),
    ("new", 2, "new needs NAME."),
    ("new my-net", 2, "cannot be the name of a solution."),
    ("new template", 2, "already exists."),
    ("new mine --from nowhere", 2, "There is no solution named nowhere."),
    ("history --restore nowhere", 2, '"nowhere" is neither'),
    ("pack mine --source .", 2, "pack needs one solution."),
    ("pack --solution nowhere", 2, "nowhere"),
    ("pack nowhere", 2, "There is no solution named nowhere."),
    ("pack no/where", 2, "There is no folder no/where."),
    ("check none.zip", 2, "none.zip does not exist."),
    ("run none.zip", 2, "none.zip does not exist."),
    ("check --zip none.zip", 2, "none.zip"),
    ("run --variant tpu", 2, '--variant must be cpu or gpu, got "tpu".'),
    ("run --engine lxc", 2, '--engine must be auto, docker, podman or embedded, got "lxc".'),
    (
        "run --time-limit soon",
        2,
        '--time-limit must be a duration, such as 90s, 10m or 1h, got "soon".',
    ),
    (
        "run --memory lots",
        2,
        '--memory must be a size of 16m or more, such as 512m or 4g, got "lots".',
    ),
    ("run --memory 15m", 2, "--memory must be at least 16m, got 15m."),
    ("run --cpus abc", 2, '--cpus must be a whole number of 1 or more, got "abc".'),
    ("run --cpus -1", 2, "--cpus must be at least 1, got -1."),
    ("run --waive [red]x[/]", 2, 'or system-calls, got "[red]x[/]".'),
    ("run --cpus 0", 2, "--cpus must be at least 1, got 0."),
    ("evaluate file --shards 0", 2, "--shards must be at least 1, got 0."),
    ("data.render --out x --workers 0", 2, "--workers must be at least 1, got 0."),
    ("data.render --out x --count 0", 2, "--count must be at least 1, got 0."),
    ("history --limit -1", 2, "--limit must be at least 0, got -1."),
    ("pack --solution template --out=", 2, '--out must be a path, got "".'),
    ("run --out file", 2, "file is not a folder."),
    ("run --zip none.zip", 2, "none.zip does not exist."),
    ("score none.csv none.csv", 2, "none.csv does not exist."),
    ("data.check --folder none", 2, "none is not a folder."),
    ("data.render --count x", 2, '--count must be a whole number of 1 or more, got "x".'),
    ("data.format --folder none", 2, "none is not a folder."),
    ("data.format --folder .", 23, ". has no train_labels.csv."),
    ("data.check --folder .", 2, ". is not a data folder"),
    ("data.unpack none.tar other.tar", 2, "none.tar does not exist."),
    ("data.unpack", 2, "data.unpack needs ARCHIVES."),
    ("compare last", 2, "compare needs AFTER."),
    ("compare last last --html .", 2, ". is a folder."),
    ("score", 2, "score needs PREDICTIONS, LABELS."),
    ("evaluate", 2, "evaluate needs PLACES."),
    ("twins none.zip", 2, "none.zip does not exist."),
    ("twins file", 2, "Only one submission was found, and it has nothing to be compared with."),
    ("twins .", 2, "  fix: Name zips, or folders that hold some."),
    ("base --mirror=", 2, "  fix: Type: --mirror https://mirror.example/debian"),
    ("compare x y", 2, '"x" is neither'),
    ("twins file --evaluation .", 2, ". does not hold an evaluation."),
    ("verify none.zip", 2, "none.zip does not exist."),
    ("verify file", 2, "file is not a seal."),
    ("evaluate none.zip", 2, "none.zip does not exist."),
    ("evaluate file --data none --address auto", 2, "none is not a folder."),
    ("evaluate file --data http://x", 2, "--data must be a folder or an address"),
    ("evaluate file --address bogus", 2, "--address must be local, auto or the address"),
    ("data.render --out x --held-out --family tug", 2, "--family and --held-out exclude"),
    ("data.render --out x --sheet none/x.png", 2, "none is not a folder."),
    ("data.render --out x --imagery none", 2, "none is not a folder."),
    ("data.render --out x --meshes none", 2, "none is not a folder."),
    ("data.render --out x --backdrops none", 2, "none is not a folder."),
    ("benchmark.export --weights none.pt", 2, "none.pt does not exist."),
    ("benchmark.narrow --images none --out x.onnx", 2, "none is not a folder."),
    ("benchmark.narrow --images .", 2, "benchmark.narrow needs --out."),
    ("benchmark.narrow --images . --out x.onnx --keep 2", 2, "--keep"),
    ("benchmark.evaluate --data none", 2, "none is not a folder."),
    ("benchmark.train --data . --val none --out x", 2, "none is not a folder."),
    ("benchmark.train", 2, "benchmark.train needs --val, --out."),
    ("benchmark.train --val . --out x", 2, "There is nothing to train on."),
    ("shell --zip none.zip --command true", 2, "none.zip does not exist."),
]


@pytest.mark.parametrize(("line", "code", "said"), WRONG, ids=[line for line, _, _ in WRONG])
def test_wrong_inputs_are_told_in_a_sentence(
    line: str, code: int, said: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    done = invoke(*line.split(" "), cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 4
    assert (tmp_path / "file").read_text() == "mine"


def test_what_a_task_does_is_a_line_of_80_columns() -> None:
    assert {task.name: task.summary for task in TASKS if len(task.summary) > 78} == {}


OPTIONS = [(task, option) for task in TASKS for option in task.options if not option.is_switch]


@pytest.mark.parametrize(
    ("task", "option"), OPTIONS, ids=[f"{task.name} {option.flag}" for task, option in OPTIONS]
)
def test_a_wrong_value_of_any_option_ends_with_2_and_touches_nothing(
    task: Task, option: Option, tmp_path: Path
) -> None:
    wrong = [""] + ["\0"] * option.kind.is_path + ["nonsense"] * bool(option.kind.choices)
    for text in wrong + ["-1", "x"] * (option.kind.toml in {int, float}):
        # Words can be given as flags too.
        done = invoke(
            task.name, f"{option.flag}={text}", cwd=tmp_path, POSEBOWL_SUBMISSION=str(tmp_path)
        )
        assert done.returncode == 2, (text, done.stderr)
        assert " must be " in done.stderr.splitlines()[0]
        assert not done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("line", ["run --nonsense", "run --zip", "nonsense", "check a b"])
def test_what_invoke_itself_refuses(line: str, tmp_path: Path) -> None:
    done = invoke(*line.split(), cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) <= 2
    told = invoke(*line.split(), "--json", cwd=tmp_path)
    assert json.loads(told.stdout)["error"]["exit_code"] == told.returncode == 2


def test_a_traceback_shows_only_with_debug(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "invoke", "--search-root", str(paths.ROOT), "--debug", "pack"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Traceback" in done.stderr
    assert "UsageError" in done.stderr


PURE = [
    "config",
    "doctor",
    "data.check",
    "check",
    "clean --folder .",
    "history --folder .",
    "score table.csv table.csv",
    "pack --source . --out other.zip",
    "pack . --out other.zip",
    "check here.zip",
    "pack --source . --out here.zip --keep",
    "data.format",
    "data.unpack photos.tar",
    "data.render",
    "benchmark.export",
    "compare last previous --folder .",
    "push --registry https://nowhere",
    "build --engine embedded --ca-bundle none.pem",
    "run --engine lxc",
]


@pytest.mark.parametrize("line", PURE)
def test_programs_read_one_json_document(line: str, tmp_path: Path) -> None:
    (tmp_path / "main.sh").write_text("true\n")
    (tmp_path / "table.csv").write_text("image_id,xmin,ymin,xmax,ymax\na,1,2,3,4\n")
    with zipfile.ZipFile(tmp_path / "here.zip", "w") as file:
        file.writestr("main.sh", "true\n")
    (tmp_path / "submission.zip").write_bytes((tmp_path / "here.zip").read_bytes())
    variables = {"POSEBOWL_SUBMISSION": str(tmp_path), "POSEBOWL_DATA": str(paths.DEMO_DATA)}
    done = invoke(*line.split(), "--json", cwd=tmp_path, **variables)
    document = json.loads(done.stdout)
    if "error" in document:
        assert set(document["error"]) == {"what", "why", "fix", "exit_code"}
        assert document["error"]["exit_code"] == done.returncode
        assert f"error: {document['error']['what']}" in done.stderr
    else:
        assert done.returncode in {0, 1}
        assert "error:" not in done.stderr


def test_a_bad_archive_ends_with_its_verdict(tmp_path: Path) -> None:
    name = "[red]x[/red].zip".replace("/", "")
    with zipfile.ZipFile(tmp_path / name, "w") as file:
        file.writestr("folder/main.sh", "true\n")
    checked = invoke("check", "--zip", name, cwd=tmp_path)
    assert checked.returncode == Verdict.BAD_ARCHIVE.exit_code
    ran = invoke("run", "--zip", name, "--out", "out", cwd=tmp_path)
    assert ran.returncode == Verdict.BAD_ARCHIVE.exit_code
    assert "\x1b" not in ran.stdout + ran.stderr
    told = invoke("run", "--zip", name, "--out", "out", "--json", cwd=tmp_path)
    assert told.returncode == Verdict.BAD_ARCHIVE.exit_code
    table = json.loads(told.stdout)
    assert (table["verdict"], table["archive"]) == ("BAD_ARCHIVE", {"path": name})
    assert told.stdout == (tmp_path / "out" / "result.json").read_text()


def test_a_solution_of_any_name_is_packed_and_checked(tmp_path: Path) -> None:
    source = tmp_path / "[red]x[" / "]:smile:"
    source.mkdir(parents=True)
    (source / "main.sh").write_text("true\n")
    packed = invoke("pack", "--source", str(source), "--out", "[b]o.zip", cwd=tmp_path)
    assert packed.returncode == 0, packed.stderr
    assert "[b]o.zip" in packed.stdout
    checked = invoke("check", "--zip", "[b]o.zip", cwd=tmp_path)
    assert checked.returncode == 0
    assert checked.stdout.startswith("OK [b]o.zip")
    again = invoke("pack", "--source", str(source), "--out", "[b]o.zip", cwd=tmp_path)
    assert again.returncode == 2
    assert "--force" in again.stderr


def test_a_folder_of_others_is_not_cleaned(tmp_path: Path) -> None:
    (tmp_path / "submission.csv").write_text("mine")
    done = invoke("clean", "--folder", str(tmp_path), cwd=tmp_path)
    assert done.returncode == 2
    assert "not a folder that a run wrote its results to" in done.stderr
    assert (tmp_path / "submission.csv").read_text() == "mine"


def test_no_colours_where_there_is_no_terminal(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    done = start("clean", "--folder", str(tmp_path), cwd=tmp_path, TERM="xterm-256color")
    assert done.returncode == 0
    assert done.stdout == "Nothing to remove.\n"
