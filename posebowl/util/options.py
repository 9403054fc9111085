"""Options, each declared once: as a mark on a parameter, or on the field of a dataclass.

    def pack(*, out: Annotated[Path | None, Option(FILE, "the zip to write")] = None) -> None: ...

The declaration gives the flag, its help, its check, the command line of a child process and, for
tasks, what `invoke` reads. A parameter that is a dataclass of options stands for all of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, is_dataclass, replace
from typing import Any, Final, TypeVar, get_type_hints

from posebowl.errors import UsageError
from posebowl.util import values
from posebowl.util.values import Kind

_T = TypeVar("_T")

SHORT: Final = {"force": "f", "json": "j", "out": "o"}
"""The letters that stand for options, the same for all tasks."""
REQUIRED: Final = inspect.Parameter.empty


@dataclass(frozen=True)
class Option:
    """Something that a person can set: how it is written, and what it means."""

    kind: Kind
    help: str
    unset: str = ""
    """What holds where it is not set, in words; without it, the default is shown."""
    many: bool = False
    """It may be given several times; positional, several words may be given."""
    positional: bool = False
    """A word of its own instead of a flag with a value."""
    name: str = ""
    """The name of the parameter that it marks."""
    default: Any = REQUIRED

    @property
    def flag(self) -> str:
        """Return the flag as it is typed."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def place(self) -> str:
        """Return how a usage line shows it: a word in capitals, or its flag."""
        return self.name.upper() if self.positional else self.flag

    @property
    def is_switch(self) -> bool:
        """Return whether it takes no value."""
        return self.kind.toml is bool

    @property
    def explained(self) -> str:
        """Return the help, with the words allowed and the default."""
        text = self.help
        if self.kind.choices:
            text += f": {values.either(self.kind.choices)}"
        if self.many and not self.positional:
            text += "; may be repeated"
        has_default = self.default is not REQUIRED and self.default not in (None, ())
        unset = self.unset or (self.kind.write(self.default) if has_default else "")
        return f"{text} ({unset})" if unset and not self.is_switch else text

    def read(self, given: Any) -> Any:
        """Return the value of what was given: text, several texts, True, or None for nothing.

        Raises:
            UsageError: A text is not of its kind.
        """
        if self.is_switch:
            return bool(given)
        if self.many:
            return tuple(self._one(text) for text in given or ())
        return None if given is None else self._one(given)

    def look(self, value: Any) -> None:
        """Check that there is something at a path where the option needs it.

        Raises:
            UsageError: It does not exist.
        """
        for path in value if self.many else (value,):
            if self.kind.must_exist and not path.exists():
                raise UsageError(f"{path} does not exist.", fix="Check the path.")

    def _one(self, text: str) -> Any:
        try:
            return self.kind.read(text)
        except values.UNREADABLE as error:
            before = "" if self.positional else f"{self.flag} "
            raise UsageError(
                f"{self.place} {self.kind.requirement(error, text)}.",
                fix=f"Type: {before}{self.kind.nearest(text)}",
            ) from None


def declared(target: Callable[..., Any]) -> tuple[Option, ...]:
    """Return the options of a function or dataclass in the order of its parameters."""
    found: list[Option] = []
    hints = get_type_hints(target, include_extras=True)
    for parameter in inspect.signature(target).parameters.values():
        hint = hints.get(parameter.name)
        marks = [mark for mark in getattr(hint, "__metadata__", ()) if isinstance(mark, Option)]
        if marks:
            # One that Python reserves, such as `from`, has a parameter with _ behind it.
            name = parameter.name.rstrip("_")
            found.append(replace(marks[0], name=name, default=parameter.default))
        elif isinstance(hint, type) and is_dataclass(hint):
            found += declared(hint)
    return tuple(found)


def read(
    options: Iterable[Option], given: Mapping[str, Any], task: str, *, look: bool = True
) -> dict[str, Any]:
    """Return the values of options; those that are not given are left out.

    Args:
        options: Of the task.
        given: Name -> text, texts, or True.
        task: For advice.
        look: Check that the paths exist that must.

    Raises:
        UsageError: A value is not of its kind, or one is missing that has no default.
    """
    options = tuple(options)
    typed = [option for option in options if given.get(option.name) not in (None, [], False)]
    found = {option.name: option.read(given[option.name]) for option in typed}
    required = [option for option in options if option.default is REQUIRED]
    if missing := [option for option in required if option.name not in found]:
        words = (
            one.place if one.positional else f"{one.flag} {one.kind.example}" for one in required
        )
        raise UsageError(
            f"{task} needs {', '.join(one.place for one in missing)}.",
            why="; ".join(f"{one.place} ({one.explained})" for one in missing) + ".",
            fix=f"Type: invoke {task} {' '.join(words)}",
        )
    for option in options if look else ():
        if option.name in found:
            option.look(found[option.name])
    return found


def call(target: Callable[..., _T], found: Mapping[str, Any]) -> _T:
    """Call a function or dataclass with the values of its options."""
    hints = get_type_hints(target, include_extras=True)
    arguments = {}
    for name in inspect.signature(target).parameters:
        hint = hints.get(name)
        if (option := name.rstrip("_")) in found:
            arguments[name] = found[option]
        elif isinstance(hint, type) and is_dataclass(hint):
            arguments[name] = call(hint, found)
    return target(**arguments)


def argv(options: Iterable[Option], found: Mapping[str, Any]) -> list[str]:
    """Return the command line that gives a child process these values."""
    flags: list[str] = []
    words: list[str] = []
    for option in options:
        value = found.get(option.name)
        if option.is_switch:
            flags += [option.flag] if value else []
        elif value is not None:
            written = [option.kind.write(one) for one in (value if option.many else (value,))]
            texts = [text for text in written if text]
            into = words if option.positional else flags
            into += texts if option.positional else [f"{option.flag}={text}" for text in texts]
    return [*flags, "--", *words] if words else flags


def argv_of(found: Any) -> list[str]:
    """Return the command line that gives a child process the values of a dataclass of options."""
    return argv(declared(type(found)), vars(found))
