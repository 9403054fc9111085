"""Arguments that invoke does not read well: numbers, and as many files as a shell gives."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from typing import Any, Self

import invoke
from invoke.parser import Argument

from posebowl.errors import UsageError
from posebowl.util.text import show


def number(name: str, default: int) -> int:
    """Make a default whose type reads a flag, and refuses in words what is no whole number.

    Invoke takes the type of a flag from its default; plain int would raise ValueError.
    """

    class Number(int):
        def __new__(cls, text: str | int) -> Self:
            try:
                return super().__new__(cls, text)
            except ValueError:
                from posebowl.util import console

                flag = f"--{name.replace('_', '-')}"
                what = f"{flag} is {show(str(text))}."
                error = UsageError(what, why="It takes a whole number.", fix=f"Type: {flag} 1")
                console.show_error(error, as_json="--json" in sys.argv)
                raise invoke.Exit(code=error.exit_code) from None

    return Number(default)


class Task(invoke.Task):  # type: ignore[misc]  # invoke is not looked into
    """A task whose positional list takes all words, such as `images-*.tar` gives.

    Words that are not there are not asked for: the task says what it lacks. So -h and --help,
    which are no flags of a task, ask for help behind every one.
    """

    def get_arguments(self, ignore_unknown_help: Any = None) -> list[Any]:
        """Return the arguments for invoke's parser."""
        arguments = super().get_arguments(ignore_unknown_help)
        for argument in arguments:
            argument.names = tuple(name for name in argument.names if name != "h")
        given = count_words(sys.argv, self.name, arguments)
        expected = [argument for argument in arguments if argument.positional]
        for argument in expected[given:]:
            argument.positional = False
        return [
            _Words(argument, given) if argument.positional and argument.kind is list else argument
            for argument in arguments
        ]


class _Words(Argument):  # type: ignore[misc]
    """A positional list: invoke feeds a positional argument for as long as its value is None."""

    def __init__(self, plain: Any, expected: int) -> None:
        self._value: list[str] = []
        self._expected = expected
        super().__init__(names=plain.names, kind=list, help=plain.help, positional=True)

    @property
    def value(self) -> list[str] | None:
        """The words, once all are there."""
        return self._value if len(self._value) >= self._expected else None

    @value.setter
    def value(self, word: str) -> None:
        self.raw_value = word
        self._value = [*self._value, word]


def count_words(argv: Sequence[str], name: str, arguments: Sequence[Any]) -> int:
    """Count the words behind a task's name that are neither flags nor values of other flags."""
    takes = {
        f"{'-' if len(flag) == 1 else '--'}{flag}"
        for argument in arguments
        if argument.takes_value and not argument.positional
        for flag in argument.names
    }
    words = list(itertools.dropwhile(lambda word: word.rpartition(".")[2] != name, argv))[1:]
    pairs = zip(["", *words], words, strict=False)
    return sum(not word.startswith("-") and before not in takes for before, word in pairs)
