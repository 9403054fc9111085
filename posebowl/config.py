"""The settings: each declared once, read from flags, the environment and pyproject.toml.

What is typed as a flag wins over the variable POSEBOWL_NAME, that over NAME in the table
[tool.posebowl] of pyproject.toml, and that over the default.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, get_type_hints

from posebowl import kinds, paths
from posebowl.challenge import LIMITS, Limits, Variant
from posebowl.engines.base import EngineName, Limit
from posebowl.errors import UsageError
from posebowl.kinds import Kind
from posebowl.wording import show

PREFIX: Final = "POSEBOWL_"
FILE: Final = paths.ROOT / "pyproject.toml"
TABLE: Final = "[tool.posebowl]"


def _submission() -> str:
    return str(paths.SUBMISSION)


def _history() -> str:
    from posebowl.folder import MOST_RUNS

    return str(MOST_RUNS)


def _cache() -> str:
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return str(Path(base, "posebowl"))


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What a setting is, beside its name and its type in Python."""

    kind: Kind
    help: str
    unset: str
    """What holds where nobody sets it, for people."""
    default: str | Callable[[], str] = ""
    """The same as it would be typed; empty where it depends on the variant or the machine."""


def _folder(explain: str, unset: str, default: str | Callable[[], str] = "") -> Declared:
    return Declared(kind=kinds.FOLDER, help=explain, unset=unset, default=default)


def _truth(explain: str) -> Declared:
    return Declared(kind=kinds.TRUTH, help=explain, unset="false", default="false")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What holds for a command."""

    engine: Annotated[
        EngineName | None,
        Declared(kind=kinds.ENGINE, help="what executes a run", unset="auto", default=kinds.AUTO),
    ]
    variant: Annotated[
        Variant, Declared(kind=kinds.VARIANT, help="which image", unset="cpu", default="cpu")
    ]
    submission: Annotated[
        Path,
        _folder(
            "folder of submission.zip and of the results",
            "submission/",
            _submission,
        ),
    ]
    data: Annotated[Path | None, _folder("data folder", "data/, or data/demo while that is empty")]
    time_limit: Annotated[
        float | None, Declared(kind=kinds.DURATION, help="wall time of a run", unset="105m")
    ]
    memory: Annotated[
        int | None, Declared(kind=kinds.SIZE, help="memory of a run", unset="4g; 16g for gpu")
    ]
    cpus: Annotated[
        int | None, Declared(kind=kinds.WHOLE, help="processor cores of a run", unset="3")
    ]
    waive: Annotated[
        frozenset[Limit],
        Declared(kind=kinds.LIMITS, help="limits that need not hold", unset="none"),
    ]
    full: Annotated[
        bool, _truth("embedded engine: the whole cpu group, whatever the submission imports")
    ]
    allow_cpu: Annotated[bool, _truth("variant gpu: run without a GPU where there is none")]
    history: Annotated[
        int, Declared(kind=kinds.COUNT, help="runs that are kept", unset="50", default=_history)
    ]
    cache: Annotated[
        Path,
        _folder(
            "folder of the environments that the embedded engine makes",
            "~/.cache/posebowl",
            _cache,
        ),
    ]
    registry: Annotated[
        str | None,
        Declared(
            kind=kinds.REGISTRY, help="where images are pushed to and pulled from", unset="none"
        ),
    ]
    base_image: Annotated[
        str | None,
        Declared(
            kind=kinds.WORD,
            help="what images are built from",
            unset="debian:bookworm-slim, or what `invoke base` made",
        ),
    ]
    ca_bundle: Annotated[
        Path | None,
        Declared(
            kind=kinds.FILE, help="certificates that a build trusts", unset="that of SSL_CERT_FILE"
        ),
    ]
    mirror: Annotated[
        str | None,
        Declared(
            kind=kinds.WORD, help="Debian mirror for `invoke base`", unset="that of this host"
        ),
    ]

    @property
    def limits(self) -> Limits:
        """The variant's limits, with what is set of them."""
        changes: dict[str, Any] = {}
        if self.time_limit is not None:
            changes["wall_time_s"] = self.time_limit
        if self.memory is not None:
            changes["memory_bytes"] = self.memory
        if self.cpus is not None:
            changes["cpus"] = self.cpus
        return dataclasses.replace(LIMITS[self.variant], **changes)

    @property
    def image_engine(self) -> EngineName | None:
        """The engine that keeps images: the embedded one has none, so another is looked for."""
        return None if self.engine is EngineName.EMBEDDED else self.engine

    @property
    def archive(self) -> Path:
        """The zip that is made and run where none is named."""
        return self.submission / "submission.zip"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A setting by its name."""

    name: str
    declared: Declared

    @property
    def kind(self) -> Kind:
        """How it is written."""
        return self.declared.kind

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return PREFIX + self.name.upper()

    @property
    def flag(self) -> str:
        """The flag of the tasks that have one."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def default(self) -> str:
        """What is read where nobody sets it, as it would be typed."""
        made = self.declared.default
        return made() if callable(made) else made


SETTINGS: Final = {
    name: Setting(name=name, declared=hint.__metadata__[0])
    for name, hint in get_type_hints(Settings, include_extras=True).items()
}


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
        if not self.text:
            return frozenset() if self.setting.kind is kinds.LIMITS else None
        try:
            return self.setting.kind.read(self.text)
        except kinds.REFUSALS:
            raise _refusal(self.setting, self.origin, self.place, show(self.text)) from None

    def summary(self) -> dict[str, Any]:
        """Return what programs want to know of it; the value is null where nothing is set."""
        return {
            "value": self.value(),
            "text": self.text,
            "origin": self.origin,
            "place": self.place,
            "help": self.setting.declared.help,
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


def helps(*names: str) -> dict[str, str]:
    """Return the help of settings, for the flags of a task."""
    return {
        name: f"{SETTINGS[name].declared.help} ({SETTINGS[name].declared.unset})" for name in names
    }


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
        written = setting.kind.text(table[name])
        if written is None:
            raise _refusal(setting, Origin.TABLE, place, _toml(table[name]))
        if setting.kind.is_path and written:
            # Like all paths in a file, it does not depend on where the command is typed.
            written = str(FILE.parent / Path(written).expanduser())
        return Found(setting=setting, text=written, origin=Origin.TABLE, place=place)
    return Found(setting=setting, text=setting.default, origin=Origin.DEFAULT, place="")


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


def _refusal(setting: Setting, origin: Origin, place: str, shown: str) -> UsageError:
    kind = setting.kind
    words = shown.strip('"').split(",") if kind.toml is list else [shown.strip('"')]
    meant = ",".join(filter(None, (_near(word, kind.choices) for word in words))) or kind.example
    match origin:
        case Origin.ENVIRONMENT:
            fix = f"Type: export {setting.variable}={meant}"
        case Origin.TABLE:
            fix = f"Write {setting.name} = {kind.literal(meant)}"
        case _:
            fix = f"Type: {setting.flag} {meant}"
    return UsageError(f"{place} is {shown}.", why=f"It takes {kind.expects}.", fix=fix)


def _toml(value: object) -> str:
    """Show a value of a table, with its type where that is what is wrong with it."""
    if isinstance(value, str):
        return f"{show(value)}, a string"
    if isinstance(value, bool):
        return str(value).lower()
    names = {int: "a whole number", float: "a number", list: "an array", dict: "a table"}
    return f"{show(str(value))}, {names.get(type(value), type(value).__name__)}"


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Give the table of docs/configuration.md: name, what it takes, default, meaning."""
    for setting in SETTINGS.values():
        yield (
            f"`{setting.name}`",
            setting.kind.expects,
            setting.declared.unset,
            setting.declared.help,
        )
