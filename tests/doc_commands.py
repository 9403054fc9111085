"""The commands in the documentation: found, split into words, and parsed by the real programs."""

from __future__ import annotations

import contextlib
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from unittest import mock

from invoke.parser import Parser

from docs import commands_reference as reference
from posebowl import paths
from posebowl.cli.catalog import TASKS
from posebowl.cli.task import Task
from posebowl.render import RenderOptions
from posebowl.training import EvaluateOptions, ExportOptions, NarrowOptions, TrainOptions
from posebowl.util import options as declarations, program

PAGES: Final = tuple(
    sorted(
        str(path.relative_to(paths.ROOT))
        for pattern in ("*.md", "docs/**/*.md", "data/**/README.md", "solutions/*/README.md")
        for path in paths.ROOT.glob(pattern)
        if path.relative_to(paths.ROOT).parts[:2] != ("data", "images")
    )
)

OTHERS: Final = frozenset(
    {
        "apt-get",
        "aws",
        "cat",
        "cd",
        "chmod",
        "command",
        "cp",
        "docker",
        "export",
        "git",
        "gzip",
        "kubectl",
        "mkdir",
        "nvidia-ctk",
    }
    | {"pip", "pipx", "podman", "python3", "source", "tail", "tar", "uvx"}
)
"""Programs that are not this project's: their arguments are not checked."""

RUN: Final = (
    r"(cat|cp -r|python3 -c|tail) .*",
    r"uv run invoke (check|compare|doctor|history|new|pack|run|score|test)\b.*",
    r"uv run invoke data\.(check|render|unpack)\b.*",
    r"(pip install uv && )?uv run nox -s test_submission-cpu( .*)?",
)
"""What tests/container executes, as patterns; what is in NOT_RUN is left out."""

NOT_RUN: Final = {
    r"pip install uv|pipx install uv": "the tests already run with uv",
    r"sudo .*": "changes the machine",
    r"uv run nox -s (build|test_packages|test_submission-gpu)\S*( .*)?": (
        "takes a large image; CI calls it, and tests/container builds"
    ),
    r"uv run invoke run --engine (docker|podman).*": (
        "takes that engine and its image; tests/hostile runs programs on each engine"
    ),
    r"uv run invoke run --variant gpu .*": "takes the gpu image",
    r"uv run invoke test .*--(watch|open).*": "waits for an edit, or opens a browser",
    r"uv sync.*": "takes packages out of the environment of the tests",
    r"(RUNS_IN_A_ROW=\d+ )?uv run pytest .*": "these are the tests",
    r"uv run (--no-sync )?python -m (tests|benchmarks)\..*": (
        "takes minutes to hours; the tests do the same for less long"
    ),
    r"uv run nox -s (tests|lint|docs)": "CI calls it; `tests` is what runs this test",
    r"uv run invoke (shell|debug)( .*)?": "takes a terminal: tests/container/test_visits.py",
    r"uv run invoke (push|pull)( .*)?": (
        "takes an image and a registry: tests/container/test_images.py"
    ),
    r"uv run (--no-sync )?invoke evaluate .*|python -m posebowl\.cli evaluate .*": (
        "takes Ray, an engine's image or a bucket: tests/cluster"
    ),
    r"uv run invoke (verify|twins) .*": "takes an evaluation: tests/unit/batch",
    r"uv run invoke data\.manifest .*|aws s3 .*": "prepares a bucket: tests/cluster",
    r"git show main:.*|uv run invoke packages .*": "takes an image: tests/container/test_images.py",
    r"uv run --no-sync ray .*|chmod 600 ~/\.ray/.*|cd /srv/posebowl|kubectl .*|ray up .*": (
        "belongs to a cluster"
    ),
    r"docker (save|load) .*": "takes the image",
    r"docker (build|push) .*posebowl-node.*": (
        "takes a registry; tests/container/test_ray_image.py builds what enters the image"
    ),
    r"uv lock": "changes the lock where a newer package fits",
    r"uv run invoke clean": "tests/unit/results/test_cleaning.py cleans folders of its own",
    r"uv run invoke selftest( .*)?": "takes minutes: tests/container/test_self_check.py",
    r"uv run invoke calibrate .*": "takes the platform's time: tests/unit/cli/test_calibrate.py",
    r"uv run invoke stress( .*)?": "takes minutes: tests/unit/cli/test_stress.py",
    r"uv add .*": "takes a package index: tests/container/test_add_package.py",
    r"uvx pip download .*": "takes a package index",
    r"uv run invoke benchmark\.(train|evaluate|export|narrow) .*": (
        "takes PyTorch and minutes to hours: the session test_training does them in small"
    ),
    r"uv run nox -s test_machines": "boots a virtual machine, for an hour",
    r"UV_PROJECT_ENVIRONMENT=\.venv-gpu .*": "takes a GPU",
    r"uv run --group render .*": (
        "adds to the environment of the tests; they call the renderer itself"
    ),
    r"uv run invoke data\.render (.* )?--imagery .*": (
        "takes maps from packages: tests/unit/render/test_ground.py draws its own"
    ),
    r"tar czf .*|mkdir -p ~/uv-cache .*|export UV_CACHE_DIR.*": (
        "copies all of uv's cache, which is several GB on a developer's machine"
    ),
    r"source .*|invoke\(\) .*": "tests/unit/cli/test_completion.py does",
}
"""Commands that no test executes, as patterns of all of their text, each with the reason.

The real programs still parse them: a task, session or flag that no longer exists is found.
"""

_FENCE: Final = re.compile(r"^```(\w*)$")
_SPAN: Final = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_OWN: Final = re.compile(r"(uv|uvx) (?!run$).+|(uv run )?(invoke|nox) [^<]+")
_ASSIGNED: Final = re.compile(r"[A-Z_]+=\S*")
_STEP: Final = re.compile(r"\s*(?:- )?run: ([^|].*)")

OPTIONS: Final[dict[str, Any]] = {
    "posebowl.render": RenderOptions,
    "posebowl.training.train": TrainOptions,
    "posebowl.training.evaluate": EvaluateOptions,
    "posebowl.training.export": ExportOptions,
    "posebowl.training.narrow": NarrowOptions,
}
"""The arguments of modules that are also programs."""


class WrongCommandError(AssertionError):
    """A command that the program it names would refuse."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command as a page shows it."""

    page: str
    line: int
    text: str
    typed: bool
    """Meant to be typed: in a block of its own or in a table; otherwise mentioned in a sentence."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


@cache
def commands() -> tuple[Command, ...]:
    """Return all commands of all pages, in their order."""
    return tuple(
        command for page in PAGES for command in find(page, (paths.ROOT / page).read_text())
    )


def excused(command: Command) -> bool:
    """Return whether there is a reason that no test executes a command."""
    return any(re.fullmatch(pattern, command.text) for pattern in NOT_RUN)


def executed(command: Command) -> bool:
    """Return whether a test executes a command."""
    known = any(re.fullmatch(pattern, command.text) for pattern in RUN)
    return command.typed and known and not excused(command)


def find(page: str, text: str) -> Iterator[Command]:
    """Find commands: fences of sh, steps in fences of yaml, indented blocks, and code in lines."""
    language, lines = None, list(enumerate(text.splitlines(), start=1))
    block = False
    while lines:
        number, line = lines.pop(0)
        if fence := _FENCE.match(line.strip()):
            language = fence[1] if language is None else None
            continue
        indented = language is None and line.startswith("    ") and line.strip() != ""
        block = indented and (block or _program(line.split()) in OTHERS | {"uv"})
        if language in {"bash", "sh"} or block:
            while line.endswith("\\"):
                line = line[:-1].rstrip() + " " + lines.pop(0)[1].strip()
            if plain := _without_comment(line):
                yield Command(page=page, line=number, text=plain, typed=True)
        elif language == "yaml" and (step := _STEP.fullmatch(line)):
            yield Command(page=page, line=number, text=step[1], typed=True)
        elif language is None and not indented:
            for span in _SPAN.findall(line):
                if _OWN.fullmatch(span):
                    typed = line.startswith("|") and span.startswith("uv")
                    yield Command(page=page, line=number, text=span, typed=typed)


def read(line: str, *, typed: bool = True) -> None:
    """Let the programs that a line names parse it, without executing it.

    Args:
        line: As typed in a shell.
        typed: Commands that are only mentioned may omit arguments and values.

    Raises:
        WrongCommandError: One of them does not exist or would refuse its arguments.
    """
    for words in simple(line):
        if not typed and "invoke" in words[:3]:
            _speak(words[words.index("invoke") + 1 :], line)
        else:
            _read(words, line)


def simple(line: str) -> list[list[str]]:
    """Split a line of shell into the words of its commands; redirections are left out."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    words = iter(lexer)
    for word in words:
        if word in {"&&", "|", ";"}:
            found.append([])
        elif word == ">":
            next(words)
        else:
            found[-1].append(word)
    return [words for words in found if words]


def _read(words: Sequence[str], whole: str) -> None:
    words = _from_program(words)
    match words:
        case ["uv", "run", *rest]:
            _read_run(_after_options(rest), whole)
        case ["invoke", "()", *_] | ["}"]:  # a function of the shell
            pass
        case ["invoke", *rest]:
            _read_invoke(rest, whole)
        case ["nox", *rest]:
            _read_nox(rest, whole)
        case ["python", "-m", module, *rest]:
            _read_module(module, rest, whole)
        case ["uv", "add" | "cache" | "lock" | "pip" | "sync" | "self", *_] | []:
            pass
        case [program, *_] if program in OTHERS:
            pass
        case _:
            raise WrongCommandError(f"what is this? {whole}")


def _read_run(words: Sequence[str], whole: str) -> None:
    match words:
        case ["invoke" | "nox", *_]:
            _read(words, whole)
        case ["python", "-m", module, *rest]:
            _read_module(module, rest, whole)
        case ["pytest", *rest]:
            for word in rest:
                if word.startswith("tests") and not (paths.ROOT / word).exists():
                    raise WrongCommandError(f"no such test: {whole}")
        case ["mypy" | "ruff" | "ray", *_]:
            pass
        case _:
            raise WrongCommandError(f"what does uv run here? {whole}")


def _read_invoke(words: Sequence[str], whole: str) -> None:
    import tasks  # noqa: PLC0415  # the commands are found without it

    if words[0] in {"--list", "--help"}:
        _speak(words[1:], whole)
        return
    # How many words a list takes is read off the real command line.
    with mock.patch.object(sys, "argv", ["invoke", *words]), _refused(whole):
        parsed = Parser(contexts=tasks.ns.to_contexts()).parse_argv(list(words))
    if not parsed or parsed.unparsed:
        raise WrongCommandError(f"invoke does not take all of it: {whole}")
    for context in parsed:
        options = _tasks()[context.name].options
        with _refused(whole):
            declarations.read(options, context.as_kwargs, context.name, look=False)
        words_needed = [
            one for one in options if one.positional and one.default is declarations.REQUIRED
        ]
        if missing := [one.name for one in words_needed if not context.args[one.name].value]:
            raise WrongCommandError(f"{', '.join(missing)} missing: {whole}")


def _tasks() -> dict[str, Task]:
    return {task.name: task for task in TASKS}


def _speak(words: Sequence[str], whole: str) -> None:
    """Check that the task and the flags exist; the values of flags are not checked."""
    core = {"--debug", "--help", "--list", "--print-completion-script"}
    names = [word for word in words if word in _tasks()]
    flags = core | {option.flag for name in names for option in _tasks()[name].options}
    groups = {name.partition(".")[0] for name in _tasks() if "." in name}
    if words and not names and words[0] not in core | groups:
        raise WrongCommandError(f"no such task: {whole}")
    if odd := [word for word in words if word.startswith("--") and word not in flags]:
        raise WrongCommandError(f"no flag {odd}: {whole}")


def _read_nox(words: Sequence[str], whole: str) -> None:
    if words[:1] == ["--list"]:
        return
    option, session, *rest = words
    if option != "-s" or session not in nox_sessions():
        raise WrongCommandError(f"no such session: {whole}")
    if task := _task_of(session):
        if rest and rest[0] != "--":
            raise WrongCommandError(f"what is for the task stands behind --: {whole}")
        _read_invoke([task, *rest[1:]], whole)
    elif rest:
        raise WrongCommandError(f"session {session} takes nothing: {whole}")


@cache
def nox_sessions() -> dict[str, dict[str, Any]]:
    """Return all sessions by name, as nox describes them."""
    return {session["session"]: session for session in reference.sessions()}


def _task_of(session: str) -> str:
    """Return the task that gets what follows --."""
    name = session.rpartition("-")[0] or session
    return {"build": "build", "test_packages": "packages"}.get(
        name, "run" if name in {"test_submission", "test_solutions"} else ""
    )


def _read_module(module: str, words: Sequence[str], whole: str) -> None:
    folder = paths.ROOT.joinpath(*module.split("."))
    if not (folder.with_suffix(".py").is_file() or (folder / "__main__.py").is_file()):
        raise WrongCommandError(f"no such module: {whole}")
    if module in OPTIONS:
        with _refused(whole):
            program.read(OPTIONS[module], words, task=module)
    elif module == "posebowl.cli":
        _read_invoke(words, whole)


@contextlib.contextmanager
def _refused(whole: str) -> Iterator[None]:
    """Turn a parser's complaint into the error of this module."""
    try:
        yield
    except (Exception, SystemExit) as error:
        raise WrongCommandError(f"{whole}: {error}") from error


def _from_program(words: Sequence[str]) -> list[str]:
    left: list[Any] = list(words)
    while left and (left[0] == "sudo" or _ASSIGNED.fullmatch(left[0])):
        del left[0]
    return left


def _program(words: Sequence[str]) -> str:
    return next(iter(_from_program(words)), "")


def _after_options(words: Sequence[str]) -> list[str]:
    left = list(words)
    while left and left[0].startswith("-"):
        del left[: 2 if left[0] in {"--group", "--with"} else 1]
    return left


def _without_comment(line: str) -> str:
    return re.sub(r"(^|\s+)# .*$", "", line.strip())
