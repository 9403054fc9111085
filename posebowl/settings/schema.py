"""The settings: each declared once, with type, way of writing, and default."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from posebowl import paths
from posebowl.challenge import LIMITS, EngineName, Limit, Limits, Variant
from posebowl.settings import types
from posebowl.util import values
from posebowl.util.options import Option, declared

PREFIX: Final = "POSEBOWL_"
"""The environment variable of each starts with this."""


MOST_RUNS: Final = 50
"""Runs kept in the history of each folder."""
MOST_ZIP_BYTES: Final = 2 << 30
"""Of all zips together that the history of a folder keeps."""


# Functions, since a lambda within a mark is evaluated without the names of this module.
def _submission() -> str:
    return str(paths.SUBMISSION)


def _cache() -> str:
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # Its specification: a relative path is not valid, and is to be ignored.
    return str((base if base.is_absolute() else Path("~/.cache")) / "posebowl")


@dataclass(frozen=True)
class Setting(Option):
    """An option that can also be set by a variable, or in the table."""

    text: str | Callable[[], str] = ""
    """The default as it would be typed; empty where it depends on the variant or the machine."""

    @property
    def variable(self) -> str:
        """Return the name of its environment variable."""
        return PREFIX + self.name.upper()

    @property
    def default_text(self) -> str:
        """Return what is read where it is not set."""
        return self.text() if callable(self.text) else self.text


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings that hold for a command."""

    engine: Annotated[
        EngineName | None, Setting(types.ENGINE, "what executes a run", "auto", text=types.AUTO)
    ]
    variant: Annotated[Variant, Setting(types.VARIANT, "which image", "cpu", text="cpu")]
    submission: Annotated[
        Path,
        Setting(
            values.FOLDER,
            "folder of submission.zip and of the results",
            "submission/",
            text=_submission,
        ),
    ]
    data: Annotated[
        Path | None,
        Setting(values.FOLDER, "data folder", "data/, or data/demo while that is empty"),
    ]
    time_limit: Annotated[float | None, Setting(values.DURATION, "wall time of a run", "105m")]
    memory: Annotated[int | None, Setting(types.MEMORY, "memory of a run", "4g; 16g for gpu")]
    cpus: Annotated[int | None, Setting(types.CPUS, "processor cores of a run", "3")]
    waive: Annotated[
        frozenset[Limit],
        Setting(types.LIMITS, "limits that need not hold, separated by commas", "none"),
    ]
    runtime: Annotated[
        str | None,
        Setting(
            types.RUNTIME, "docker and podman: what starts the container", "that of the engine"
        ),
    ]
    full: Annotated[
        bool,
        Setting(
            values.TRUTH,
            "embedded engine: the whole cpu group, whatever the submission imports",
            "false",
            text="false",
        ),
    ]
    allow_cpu: Annotated[
        bool,
        Setting(
            values.TRUTH,
            "variant gpu: run without a GPU where there is none",
            "false",
            text="false",
        ),
    ]
    image: Annotated[
        str | None,
        Setting(
            values.word("registry.example/pose:1"),
            "any other image to run in, such as the official one",
            "that of the variant, made from uv.lock",
        ),
    ]
    history: Annotated[
        int, Setting(types.COUNT, "runs that are kept", str(MOST_RUNS), text=str(MOST_RUNS))
    ]
    history_zips: Annotated[
        int,
        Setting(types.ZIPS, "size of all zips together that the history keeps", "2g", text="2g"),
    ]
    budget_time: Annotated[
        float | None, Setting(types.SHARE, "share of the time limit that a run may use", "none")
    ]
    budget_memory: Annotated[
        float | None, Setting(types.SHARE, "share of the memory limit that a run may use", "none")
    ]
    budget_mean_iou: Annotated[
        float | None, Setting(types.SHARE, "mean IoU that a run must reach", "none")
    ]
    budget_drop: Annotated[
        float | None,
        Setting(types.DROP, "mean IoU that a run may lose against another one", "none"),
    ]
    budget_against: Annotated[
        str,
        Setting(
            values.TEXT,
            "that other run: last for the one before, or named as for compare",
            "last",
            text="last",
        ),
    ]
    cache: Annotated[
        Path,
        Setting(
            values.FOLDER,
            "folder of what is made once: environments for runs, small pictures for reports",
            "~/.cache/posebowl",
            text=_cache,
        ),
    ]
    registry: Annotated[
        str | None,
        Setting(types.REGISTRY, "where images are pushed to and pulled from", "none"),
    ]
    base_image: Annotated[
        str | None,
        Setting(
            values.word("debian:bookworm-slim"),
            "what images are built from",
            "debian:bookworm-slim, or what `invoke base` made",
        ),
    ]
    ca_bundle: Annotated[
        Path | None,
        Setting(values.FILE, "certificates that a build trusts", "that of SSL_CERT_FILE"),
    ]
    mirror: Annotated[
        str | None,
        Setting(
            values.word("https://mirror.example/debian"),
            "Debian mirror for `invoke base`",
            "that of this host",
        ),
    ]

    @property
    def limits(self) -> Limits:
        """Return the limits of the variant, with those that are set."""
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
        """Return the engine for images; the embedded one has none, so one is looked for."""
        return None if self.engine is EngineName.EMBEDDED else self.engine

    @property
    def archive(self) -> Path:
        """Return the zip that is made and run where none is named."""
        return self.submission / "submission.zip"


SETTINGS: Final[dict[str, Setting]] = {
    option.name: option for option in declared(Settings) if isinstance(option, Setting)
}


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Return the table of docs/configuration.md: name, what it takes, default, meaning."""
    for setting in SETTINGS.values():
        yield f"`{setting.name}`", setting.kind.expects, setting.unset, setting.help
