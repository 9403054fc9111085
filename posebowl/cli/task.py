"""Tasks: functions with declared options, which `invoke` or a command line of their own calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from posebowl.settings import SETTINGS, Setting, resolve
from posebowl.util import options as declarations
from posebowl.util.options import REQUIRED, Option


@dataclass(frozen=True)
class Task:
    """What people type: a name, a function, and the options that it takes."""

    name: str
    """As it is typed: `data.check`."""
    function: Callable[..., int | None]
    settings: tuple[str, ...]
    """The settings that have a flag here."""

    @property
    def summary(self) -> str:
        """Return the line that says what it does."""
        return (self.function.__doc__ or "").partition("\n")[0]

    @property
    def usage(self) -> str:
        """Return the command with the words that it takes."""
        words = [option for option in self.options if option.positional]
        shown = (f"{option.place}{' ...' * option.many}" for option in words)
        required = (option.default is REQUIRED for option in words)
        named = (
            f" {text}" if needed else f" [{text}]"
            for text, needed in zip(shown, required, strict=True)
        )
        flags = " [options]" * (len(words) < len(self.options))
        return f"uv run invoke {self.name}{''.join(named)}{flags}"

    @cached_property
    def options(self) -> tuple[Option, ...]:
        """Return all options: those of settings, and its own."""
        own = declarations.declared(self.function)
        flags = (replace(SETTINGS[name], default=None) for name in self.settings)
        return (*flags, *(option for option in own if not isinstance(option, Setting)))

    def __call__(self, given: Mapping[str, Any]) -> int | None:
        """Run it, and return its exit code.

        Args:
            given: Name of an option -> what was typed: text, a list of texts, True or None.

        Raises:
            UsageError: A value is not of its kind, or is missing.
        """
        found = declarations.read(self.options, given, self.name)
        if "settings" in inspect.signature(self.function).parameters:
            flags = {name: given.get(name) for name in self.settings}
            found["settings"] = resolve.load(flags)
        return declarations.call(self.function, found)

    def argv(self, found: Mapping[str, Any]) -> list[str]:
        """Return the command line that gives the same task in another process these values."""
        return declarations.argv(self.options, found)


def task(name: str, *settings: str) -> Callable[[Callable[..., int | None]], Task]:
    """Return a decorator that makes a task of a function with keyword-only options.

    Args:
        name: As it is typed.
        settings: Those that have a flag; the function gets them all as `settings`.
    """
    return lambda function: Task(name, function, settings)
