"""The settings: each declared once, with its type, how it is written, and what holds unset."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, get_type_hints

from posebowl import paths
from posebowl.challenge import LIMITS, EngineName, Limit, Limits, Variant
from posebowl.settings import types
from posebowl.settings.types import Kind

PREFIX: Final = "POSEBOWL_"
"""What the environment variable of each begins with."""


MOST_RUNS: Final = 50
"""Kept in the history of each folder."""


def _submission() -> str:
    return str(paths.SUBMISSION)


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
    return Declared(kind=types.FOLDER, help=explain, unset=unset, default=default)


def _truth(explain: str) -> Declared:
    return Declared(kind=types.TRUTH, help=explain, unset="false", default="false")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What holds for a command."""

    engine: Annotated[
        EngineName | None,
        Declared(kind=types.ENGINE, help="what executes a run", unset="auto", default=types.AUTO),
    ]
    variant: Annotated[
        Variant, Declared(kind=types.VARIANT, help="which image", unset="cpu", default="cpu")
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
        float | None, Declared(kind=types.DURATION, help="wall time of a run", unset="105m")
    ]
    memory: Annotated[
        int | None, Declared(kind=types.MEMORY, help="memory of a run", unset="4g; 16g for gpu")
    ]
    cpus: Annotated[
        int | None, Declared(kind=types.WHOLE, help="processor cores of a run", unset="3")
    ]
    waive: Annotated[
        frozenset[Limit],
        Declared(kind=types.LIMITS, help="limits that need not hold", unset="none"),
    ]
    full: Annotated[
        bool, _truth("embedded engine: the whole cpu group, whatever the submission imports")
    ]
    allow_cpu: Annotated[bool, _truth("variant gpu: run without a GPU where there is none")]
    history: Annotated[
        int,
        Declared(kind=types.COUNT, help="runs that are kept", unset="50", default=str(MOST_RUNS)),
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
            kind=types.REGISTRY, help="where images are pushed to and pulled from", unset="none"
        ),
    ]
    base_image: Annotated[
        str | None,
        Declared(
            kind=types.WORD,
            help="what images are built from",
            unset="debian:bookworm-slim, or what `invoke base` made",
        ),
    ]
    ca_bundle: Annotated[
        Path | None,
        Declared(
            kind=types.FILE, help="certificates that a build trusts", unset="that of SSL_CERT_FILE"
        ),
    ]
    mirror: Annotated[
        str | None,
        Declared(
            kind=types.WORD, help="Debian mirror for `invoke base`", unset="that of this host"
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


def helps(*names: str) -> dict[str, str]:
    """Return the help of settings, for the flags of a task."""
    return {
        name: f"{SETTINGS[name].declared.help} ({SETTINGS[name].declared.unset})" for name in names
    }


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Give the table of docs/configuration.md: name, what it takes, default, meaning."""
    for setting in SETTINGS.values():
        yield (
            f"`{setting.name}`",
            setting.kind.expects,
            setting.declared.unset,
            setting.declared.help,
        )
