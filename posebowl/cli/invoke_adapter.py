"""What invoke is made to do: read declared options, complete their values, explain its errors.

invoke finds tasks.py, reads the command line, lists and helps. It has no place of its own for the
rest: two steps of its `Program` are replaced here.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

import invoke
from invoke.exceptions import ParseError
from invoke.parser import Argument

from posebowl.cli import completion, official_runtime, suggest
from posebowl.cli.task import Task
from posebowl.errors import PoseBowlError
from posebowl.util import program
from posebowl.util.options import REQUIRED, SHORT, Option

_ANYWHERE: Final = ("complete", "debug", "help", "list", "version")
"""The flags of invoke itself that may also stand behind a task; elsewhere they are mistakes."""
_PRINTING: Final = ("complete", "help", "list", "print-completion-script", "version")
"""The flags of invoke itself that make it print something and end."""

_PARSE_TASKS: Final = invoke.Program.parse_tasks
_PARSE_CLEANUP: Final = invoke.Program.parse_cleanup


def collection(tasks: Iterable[Task]) -> Any:
    """Return what invoke takes for the content of tasks.py."""
    program.open_closed_streams()
    root = invoke.Collection()
    inner: dict[str, Any] = {}
    tasks = tuple(tasks)
    names = frozenset(task.name for task in tasks)
    for task in tasks:
        group, _, name = task.name.rpartition(".")
        place = inner.setdefault(group, invoke.Collection(group)) if group else root
        place.add_task(_InvokeTask(task, names), name=name)
    for found in inner.values():
        root.add_collection(found)
    return root


class _InvokeTask(invoke.Task):  # type: ignore[misc]  # invoke is not looked into
    """A task as invoke knows it; its arguments are the declared options.

    Args:
        task: As it is declared.
        names: Of all tasks.
    """

    def __init__(self, task: Task, names: frozenset[str]) -> None:
        self.declared = task
        self._names = names

        def body(_: invoke.Context, **given: Any) -> None:
            code = program.guard(
                lambda: task(given),
                as_json=bool(given.get("json")),
                debug=_debugging(sys.argv),
            )
            if code:
                sys.exit(code)

        body.__doc__ = f"{task.summary}\n\n{task.usage}"
        super().__init__(body, name=task.name.rpartition(".")[2], positional=[])

    def get_arguments(self, ignore_unknown_help: Any = None) -> list[Any]:  # noqa: ARG002
        """Return the arguments for invoke's parser.

        Words that were not typed are left out: the task itself reports what is missing.
        """
        options = self.declared.options
        expected = count_words(sys.argv, self.name, options, self._names)
        words = [option.name for option in options if option.positional][:expected]
        ordered = sorted(options, key=lambda option: not option.positional)
        return [_argument(option, expected, is_word=option.name in words) for option in ordered]


def _argument(option: Option, expected: int, *, is_word: bool) -> Any:
    names = [option.flag[2:]]
    if option.name in SHORT:
        names.append(SHORT[option.name])
    if is_word and option.many:
        return _Words(option, expected)
    return Argument(
        names=names,
        kind=bool if option.is_switch else list if option.many else str,
        default=False if option.is_switch else None,
        help=option.explained,
        positional=is_word,
        attr_name=option.name if "_" in option.name else None,
    )


class _Words(Argument):  # type: ignore[misc]
    """A positional list: invoke feeds a positional argument for as long as its value is None."""

    def __init__(self, option: Option, expected: int) -> None:
        self._value: list[str] = []
        self._expected = expected
        super().__init__(name=option.name, kind=list, help=option.explained, positional=True)

    @property
    def value(self) -> list[str] | None:
        """Return the words, once all are there."""
        return self._value if len(self._value) >= self._expected else None

    @value.setter
    def value(self, word: str) -> None:
        self.raw_value = word
        self._value = [*self._value, word]


def count_words(
    argv: Sequence[str], name: str, options: Sequence[Option], tasks: frozenset[str]
) -> int:
    """Count the words behind a task's name that are neither flags nor values of flags.

    Where words may be left out, the name of a task is none of them: `invoke pack mine check run`.
    Behind a flag that the task does not have, nothing is counted: invoke would read it as a word.
    """
    flags = {flag: option for option in options for flag in _flags(option)}
    takes = {flag for flag, one in flags.items() if not (one.is_switch or one.positional)}
    may_be_left_out = all(option.default is not REQUIRED for option in options if option.positional)
    words = list(itertools.dropwhile(lambda word: word.rpartition(".")[2] != name, argv))[1:]
    count = 0
    for before, word in zip(["", *words], words, strict=False):
        if before in takes:
            continue
        if word.startswith("-"):
            if word.partition("=")[0] not in flags:
                break
        elif may_be_left_out and word in tasks:
            break
        else:
            count += 1
    return count


def _flags(option: Option) -> list[str]:
    return [option.flag, *(f"-{letter}" for name, letter in SHORT.items() if name == option.name)]


def _debugging(argv: Sequence[str]) -> bool:
    """Return whether invoke was told to debug; behind a task's name, -d is not one of its flags."""
    own = itertools.takewhile(lambda word: word.startswith("-"), argv[1:])
    return "-d" in own or "--debug" in argv


def _parse_tasks(self: Any) -> None:
    """Read the command line behind invoke's own flags; first, complete the value of an option.

    Without a task, all are listed; with the name of a group of tasks, those of the group.
    """
    if self.args.complete.value:
        tasks = [self.collection[name].declared for name in self.collection.task_names]
        words = completion.candidates(self.core.remainder, tasks)
        if words is not None:
            print("\n".join(words))
            raise invoke.Exit
    if refused := official_runtime.variable(self.core.unparsed):
        _refuse(refused)
    typed = self.core.unparsed
    if not typed and not any(self.args[name].value for name in _PRINTING):
        self.args["list"].set_value(True, cast=False)  # what there is, rather than invoke's flags
    if len(typed) == 1 and typed[0] in self.collection.collections:
        self.args["list"].set_value(typed.pop(), cast=False)
    _explained(self, _PARSE_TASKS)
    for name, argument in self.core_via_tasks.args.items():
        if argument.got_value and name not in _ANYWHERE:
            _refuse(suggest.core_flag(argument.names, self.tasks, self.core.unparsed))


def _parse_cleanup(self: Any) -> None:
    """Print the list, help or completion; its reader, such as `head`, may end before it does."""
    try:
        try:
            _explained(self, _PARSE_CLEANUP)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        program.silence()
        raise invoke.Exit(code=1) from None
    except OSError as error:
        _refuse(_unprintable(error))


def _unprintable(error: OSError) -> PoseBowlError:
    from posebowl.util import console

    try:
        with console.results():
            raise error
    except PoseBowlError as explained:
        return explained


invoke.Program.parse_tasks = _parse_tasks
invoke.Program.parse_cleanup = _parse_cleanup


def _explained(self: Any, step: Any) -> None:
    try:
        step(self)
    except ParseError as error:
        names = self.collection.task_names
        better = suggest.advice(str(error.args[0]), error.context, names, sys.argv)
        if better is None:
            raise
        _refuse(better)


def _refuse(error: PoseBowlError) -> None:
    from posebowl.util import console

    console.show_error(error, as_json="--json" in sys.argv or "-j" in sys.argv)
    raise invoke.Exit(code=error.exit_code)
