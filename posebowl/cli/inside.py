"""`invoke shell` and `invoke debug`: on a terminal, where main.sh would run."""

from __future__ import annotations

import secrets
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl import paths
from posebowl.challenge import EngineName, Variant
from posebowl.data import DataFolder, folder as data_folder, sample
from posebowl.engines import RunSpec
from posebowl.engines.oci import Client, image as identity
from posebowl.errors import EngineError, UsageError
from posebowl.images import builder, shell as container_shell
from posebowl.settings import Settings
from posebowl.util import console
from posebowl.util.files import make_folder
from posebowl.util.process_identity import owned_folder

DEBUGGER: Final = "/opt/posebowl/debug"
"""On PYTHONPATH of `debug`: what Python loads from there opens pdb where an error ends it."""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What to do where main.sh would run."""

    settings: Settings
    archive: Path | None = None
    imports: frozenset[str] = frozenset()
    """Of the archive; they decide which environment the embedded engine takes."""
    command: str = ""
    """Empty: an interactive shell."""
    terminal: bool = False
    """Give the command this terminal; a shell has it anyway."""
    debugger: bool = False
    most_images: int | None = None

    def make(self) -> int:
        """Return the exit code of the command or shell.

        Raises:
            UsageError: It needs a terminal, and there is none.
            EngineError: The engine of the settings does not work here, or none does.
        """
        if (self.terminal or not self.command) and not sys.stdin.isatty():
            raise UsageError(
                f"{'A debugger' if self.debugger else 'A shell'} needs a terminal.",
                why="Stdin is not one.",
                fix="Type: invoke shell --command 'sh main.sh'",
            )
        with owned_folder(self.settings.cache / "shells") as scratch:
            found = data_folder.find(self.settings.data, scratch=scratch)
            if self.most_images is not None:
                found = sample(found, self.most_images, scratch)
            if client := self._client():
                return self._in_a_container(client, found)
            return self._embedded(found, scratch)

    def _client(self) -> Client | None:
        """Return the container engine to use; None for the embedded engine."""
        chosen, variant = self.settings.engine, self.settings.variant
        if chosen is EngineName.EMBEDDED and variant is Variant.CPU:
            return None
        try:
            client = builder.choose(self.settings.image_engine)
            identity.current(client, variant)
        except EngineError:
            if chosen is not None or variant is Variant.GPU:
                raise
            return None
        return client

    def _in_a_container(self, client: Client, found: DataFolder) -> int:
        return container_shell.shell(
            client,
            self.settings.variant,
            images=found.images,
            submission_format=found.submission_format,
            archive=self.archive,
            command=self.command,
            terminal=self.terminal,
            limits=self.settings.limits,
            variables=self._variables(),
            tools=self._tools(),
        )

    def _embedded(self, found: DataFolder, scratch: Path) -> int:
        from posebowl.engines.embedded import shell as embedded_shell

        folders = [make_folder(scratch / name) for name in ("output", "engine")]
        spec = RunSpec(
            run_id=f"shell-{secrets.token_hex(4)}",
            archive=(self.archive or paths.LOCK).resolve(),
            images=found.images,
            submission_format=found.submission_format,
            output=folders[0].resolve(),
            scratch=folders[1].resolve(),
            log=scratch / "log.txt",
            variant=Variant.CPU,
            limits=self.settings.limits,
            cache=self.settings.cache,
            imports=self.imports,
            hidden=(found.root,),
            variables=self._variables(),
        )
        script = container_shell.ENTER + (self.command or container_shell.INTERACTIVE)
        return embedded_shell.Visit(
            spec=spec,
            script=script,
            terminal=self.terminal or not self.command,
            has_archive=self.archive is not None,
            tools=self._tools(),
            note=console.note,
        ).make()

    def _tools(self) -> dict[str, Path]:
        files = (paths.RUNTIME / "debug").glob("*.py") if self.debugger else ()
        return {f"{DEBUGGER}/{file.name}": file for file in files}

    def _variables(self) -> dict[str, str]:
        return {"PYTHONPATH": DEBUGGER} if self.debugger else {}
