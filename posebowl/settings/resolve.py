"""Where the values of settings come from: flags, the environment and pyproject.toml.

What is typed as a flag wins over the variable POSEBOWL_NAME, that over NAME in the table
[tool.posebowl] of pyproject.toml, and that over the default.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from posebowl import paths
from posebowl.errors import UsageError
from posebowl.settings import types
from posebowl.settings.schema import PREFIX, SETTINGS, Setting, Settings
from posebowl.util.text import show
from posebowl.util.values import UNREADABLE

FILE: Final = paths.ROOT / "pyproject.toml"
TABLE: Final = "[tool.posebowl]"


class Origin(StrEnum):
    """Where a value came from."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    TABLE = "table"
    DEFAULT = "default"


@dataclass(frozen=True, kw_only=True)
class Found:
    """A setting's value, and where it came from."""

    setting: Setting
    text: str
    """As it is typed; empty where nothing is set."""
    origin: Origin
    place: str
    """The flag, the variable, or the file and key."""

    def value(self) -> Any:
        """Read the text.

        Raises:
            UsageError: It is not of the setting's kind.
        """
        kind = self.setting.kind
        if not self.text:
            return frozenset() if kind is types.LIMITS else None
        try:
            return kind.read(self.text)
        except UNREADABLE as error:
            requirement = kind.requirement(error, self.text)
            raise _refusal(self.setting, self.origin, self.place, requirement, self.text) from None

    def summary(self) -> dict[str, Any]:
        """Return what programs want to know of it; the value is null where nothing is set."""
        return {
            "value": self.value(),
            "text": self.text,
            "origin": self.origin,
            "place": self.place,
            "help": self.setting.help,
        }


def load(**given: str | bool | None) -> Settings:
    """Return the settings that hold.

    Args:
        given: Flags as they were typed; empty text, False and None are no flag.

    Raises:
        UsageError: A key or variable is no setting, or a value is not of its kind.
    """
    return Settings(**{found.setting.name: found.value() for found in explain(**given)})


def defaults() -> Settings:
    """Return the settings as if nobody had set any."""
    found = (_find(setting, "", {}, {}) for setting in SETTINGS.values())
    return Settings(**{item.setting.name: item.value() for item in found})


def explain(**given: str | bool | None) -> tuple[Found, ...]:
    """Return each setting's value and where it came from, in the order of declaration.

    Raises:
        UsageError: As `load`.
    """
    table, variables = _table(FILE), _variables(os.environ)
    typed = {name: "true" if word is True else word or "" for name, word in given.items()}
    found = tuple(
        _find(setting, typed.get(setting.name, ""), variables, table)
        for setting in SETTINGS.values()
    )
    for item in found:
        item.value()
    return found


def _find(
    setting: Setting,
    given: str,
    variables: Mapping[str, str],
    table: Mapping[str, object],
) -> Found:
    name = setting.name
    if given:
        return Found(setting=setting, text=given, origin=Origin.FLAG, place=setting.flag)
    if text := variables.get(setting.variable, ""):
        origin = Origin.ENVIRONMENT
        return Found(setting=setting, text=text, origin=origin, place=setting.variable)
    if name in table:
        place = f"{name} in {TABLE} of {FILE}"
        written = setting.kind.from_table(table[name])
        if written is None:
            shown = _toml(table[name])
            requirement = f"must be {setting.kind.expects}, got {shown}"
            raise _refusal(setting, Origin.TABLE, place, requirement, shown)
        if setting.kind.is_path and written:
            # Like all paths in a file, it does not depend on where the command is typed.
            written = str(FILE.parent / Path(written).expanduser())
        return Found(setting=setting, text=written, origin=Origin.TABLE, place=place)
    return Found(setting=setting, text=setting.default_text, origin=Origin.DEFAULT, place="")


def _table(file: Path) -> dict[str, object]:
    """Read the table of settings; empty where there is none."""
    import tomllib

    try:
        tool = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{file} cannot be read.", why=f"It is no TOML: {error}.", fix="Correct that line."
        ) from None
    table = tool.get("posebowl", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise UsageError(
            f"tool.posebowl in {file} is no table.",
            why="The settings are keys of one table.",
            fix=f"Write {TABLE}, and below it lines such as cpus = 3.",
        )
    for key in table:
        if key not in SETTINGS:
            known = _near(key, SETTINGS)
            raise _unknown(
                f"{key} in {TABLE} of {file}",
                known,
                f"Write {known} instead." if known else "Take that line away",
            )
    return table


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are settings."""
    known = [setting.variable for setting in SETTINGS.values()]
    ours = {name: text for name, text in environ.items() if name.startswith(PREFIX)}
    for name, text in ours.items():
        if name not in known:
            near = _near(name.removeprefix(PREFIX).lower(), SETTINGS)
            meant = SETTINGS[near].variable if near else ""
            take = f"unset {shlex.quote(name)}"
            fix = f"Type: {take}; export {meant}={shlex.quote(text)}" if meant else f"Type: {take}"
            raise _unknown(f"The variable {show(name)}", meant, fix)
    return ours


def _near(word: str, known: Iterable[str]) -> str:
    import difflib

    return next(iter(difflib.get_close_matches(word, list(known), n=1)), "")


def _unknown(where: str, meant: str, fix: str) -> UsageError:
    return UsageError(
        f"{where} is no setting.",
        why=f"Did you mean {meant}?" if meant else "No setting has a name like that.",
        fix=fix if meant else f"{fix}; `invoke config` lists all that there are.",
    )


def _refusal(
    setting: Setting, origin: Origin, place: str, requirement: str, text: str
) -> UsageError:
    kind = setting.kind
    meant = kind.nearest(text)
    match origin:
        case Origin.ENVIRONMENT:
            fix = f"Type: export {setting.variable}={meant}"
        case Origin.TABLE:
            fix = f"Write {setting.name} = {kind.literal(meant)}"
        case _:
            fix = f"Type: {setting.flag} {meant}"
    return UsageError(f"{place} {requirement}.", fix=fix)


def _toml(value: object) -> str:
    """Show a value of a table, with its type where that is what is wrong with it."""
    if isinstance(value, str):
        return f"{show(value)}, a string"
    if isinstance(value, bool):
        return str(value).lower()
    names = {int: "a whole number", float: "a number", list: "an array", dict: "a table"}
    return f"{show(str(value))}, {names.get(type(value), type(value).__name__)}"
