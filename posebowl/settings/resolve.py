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
_BUDGET: Final = "budget"
"""A table in that one, whose keys are the settings that begin so."""


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
        """Return the value.

        Raises:
            UsageError: It is not of the setting's kind.
        """
        kind = self.setting.kind
        if not self.text and (kind is types.LIMITS or self.origin is Origin.DEFAULT):
            return frozenset() if kind is types.LIMITS else None
        try:
            return kind.read(self.text)
        except UNREADABLE as error:
            requirement = kind.requirement(error, self.text)
            raise _refusal(self.setting, self.origin, self.place, requirement, self.text) from None

    def summary(self) -> dict[str, Any]:
        """Return it for programs; the value is null where nothing is set."""
        return {
            "value": self.value(),
            "text": self.text,
            "origin": self.origin,
            "place": self.place,
            "help": self.setting.help,
        }


def load(
    flags: Mapping[str, str | bool | None] | None = None,
    *,
    file: Path = FILE,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Return the settings that hold.

    Args:
        flags: Name -> text as it was typed; empty text, False and None are not set.
        file: The pyproject.toml that has the table.
        environ: The environment variables.

    Raises:
        UsageError: A key or variable is not a setting, or a value is not of its kind.
    """
    found = explain(flags, file=file, environ=environ)
    return Settings(**{item.setting.name: item.value() for item in found})


def defaults() -> Settings:
    """Return the settings as if nobody had set any."""
    return Settings(
        **{
            name: Found(
                setting=setting, text=setting.default_text, origin=Origin.DEFAULT, place=""
            ).value()
            for name, setting in SETTINGS.items()
        }
    )


def explain(
    flags: Mapping[str, str | bool | None] | None = None,
    *,
    file: Path = FILE,
    environ: Mapping[str, str] = os.environ,
) -> tuple[Found, ...]:
    """Return each setting's value and where it came from, in the order of declaration.

    Args:
        flags: As for `load`.
        file: As for `load`.
        environ: As for `load`.

    Raises:
        UsageError: As for `load`.
    """
    table, variables = _table(file), _variables(environ)
    found = tuple(
        _find(setting, flags or {}, variables, table, file) for setting in SETTINGS.values()
    )
    for item in found:
        item.value()
    return found


def _find(
    setting: Setting,
    flags: Mapping[str, str | bool | None],
    variables: Mapping[str, str],
    table: Mapping[str, object],
    file: Path,
) -> Found:
    name = setting.name
    if given := flags.get(name):
        text = "true" if given is True else given
        return Found(setting=setting, text=text, origin=Origin.FLAG, place=setting.flag)
    if text := variables.get(setting.variable, ""):
        origin = Origin.ENVIRONMENT
        return Found(setting=setting, text=text, origin=origin, place=setting.variable)
    if name in table:
        place = f"{_in_table(name)} of {file}"
        written = setting.kind.from_table(table[name])
        if written is None:
            shown = _toml(table[name])
            requirement = f"must be {setting.kind.expects}, got {shown}"
            raise _refusal(setting, Origin.TABLE, place, requirement, shown)
        if setting.kind.is_path and written:
            # Like all paths in a file, it does not depend on where the command is typed.
            written = str(file.parent / Path(written).expanduser())
        return Found(setting=setting, text=written, origin=Origin.TABLE, place=place)
    return Found(setting=setting, text=setting.default_text, origin=Origin.DEFAULT, place="")


def _table(file: Path) -> dict[str, object]:
    """Read the table of settings; an empty one if the file has none."""
    import tomllib

    try:
        tool = tomllib.loads(file.read_text(encoding="utf-8-sig")).get("tool", {})
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"Cannot read {file}.", why=f"It is not TOML: {error}.", fix="Correct that line."
        ) from None
    table = tool.get("posebowl", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise UsageError(
            f"tool.posebowl in {file} is not a table.",
            why="The settings are keys of one table.",
            fix=f"Write {TABLE}, and under it lines such as cpus = 3.",
        )
    table = _flat(table)
    for key in table:
        if key not in SETTINGS:
            known = _near(key.lower(), SETTINGS)
            meant = _in_table(known)
            raise _unknown(
                f"{_in_table(key)} of {file}",
                meant.partition(" ")[0],
                f"Write {meant.partition(' ')[0]} instead." if known else "Remove that line",
            )
    return table


def _in_table(name: str) -> str:
    """Return a key and its table: `cpus in [tool.posebowl]`; of no name, nothing."""
    if name.startswith(f"{_BUDGET}_"):
        return f"{name.removeprefix(f'{_BUDGET}_')} in {TABLE[:-1]}.{_BUDGET}]"
    return f"{name} in {TABLE}" if name else ""


def _flat(table: dict[str, object]) -> dict[str, object]:
    """Return the table with each key of the table `budget` in it as `budget_KEY`."""
    budget = table.get(_BUDGET)
    if not isinstance(budget, dict):
        return table
    rest = {key: value for key, value in table.items() if key != _BUDGET}
    return rest | {f"{_BUDGET}_{key}": value for key, value in budget.items()}


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
        f"{where} is not a setting.",
        why=f"Did you mean {meant}?" if meant else "No setting has a name like that.",
        fix=fix if meant else f"{fix}; `invoke config` lists all settings.",
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
            key = _in_table(setting.name).partition(" ")[0]
            fix = f"Write {key} = {kind.literal(meant)}"
        case _:
            fix = f"Type: {setting.flag} {meant}"
    return UsageError(f"{place} {requirement}.", fix=fix)


def _toml(value: object) -> str:
    """Return a value of a table as text, with its type where that is the mistake."""
    if isinstance(value, str):
        return f"{show(value)}, a string"
    if isinstance(value, bool):
        return str(value).lower()
    names = {int: "a whole number", float: "a number", list: "an array", dict: "a table"}
    return f"{show(str(value))}, {names.get(type(value), f'a {type(value).__name__}')}"
