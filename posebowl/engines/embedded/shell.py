"""A shell, or a program on a terminal, where main.sh of an embedded run would be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from posebowl import environments
from posebowl.challenge import CODE_EXECUTION
from posebowl.engines.base import RunSpec
from posebowl.engines.cgroups import manager
from posebowl.engines.embedded import namespaces
from posebowl.engines.embedded.engine import SANDBOX_FAILED, EmbeddedSandbox
from posebowl.engines.embedded.layout import Layout
from posebowl.errors import EngineError
from posebowl.util import terminal
from posebowl.util.text import visible

_ARCHIVE: Final = str(CODE_EXECUTION / "submission.zip")


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What to do where main.sh would run."""

    spec: RunSpec
    script: str
    """Of sh."""
    terminal: bool
    """Give it this terminal; otherwise its stdin is empty."""
    has_archive: bool = True
    tools: Mapping[str, Path] = field(default_factory=dict)
    """Path inside -> file of the host, copied there."""
    note: Callable[[str], None] = lambda _: None

    def make(self) -> int:
        """Run the script with the mounts, user and limits of a run, but for the time.

        Returns:
            Its exit code.

        Raises:
            EngineError: Namespaces are forbidden here, or the environment cannot be made.
        """
        if why := namespaces.problem():
            raise EngineError("embedded cannot be used here.", why=why, fix="Type: invoke doctor")
        spec = self.spec
        group = environments.choose(spec.imports, spec.cache).group
        environment = environments.ensure(group, spec.cache, note=self.note)
        code = self._run(Layout(spec=spec, environment=environment))
        if code is None:
            self.note("There is no overlay file system here: copying the environment instead.")
            code = self._run(Layout(spec=spec, environment=environment, copies=True))
        if code is None:
            raise EngineError("The environment cannot be copied.", fix="Type: invoke doctor")
        return code

    def _run(self, layout: Layout) -> int | None:
        """Return the exit code; None if the overlay cannot be mounted here."""
        group = manager.create(self.spec.run_id, self.spec.limits)
        try:
            return self._start(EmbeddedSandbox(layout=layout, group=group))
        finally:
            if group:
                group.remove()

    def _start(self, sandbox: EmbeddedSandbox) -> int | None:
        config = sandbox.config(["-c", self.script])
        config["devices"] += ["/dev/tty"] if self.terminal else []
        config["tools"] += [(str(source), inside) for inside, source in self.tools.items()]
        if not self.has_archive:
            config["binds"] = [item for item in config["binds"] if item[1] != _ARCHIVE]
        errors = self.spec.scratch / "errors.txt"
        with errors.open("wb") as said, os.fdopen(os.dup(sys.stderr.fileno()), "wb") as ours:
            # What fails before the script is told apart from what the script says.
            config |= {"terminal": self.terminal, "stderr": 1 if self.terminal else ours.fileno()}
            argv = sandbox.command(config)
            if self.terminal:
                code = terminal.run(argv, errors=said)
            else:
                code = subprocess.run(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stderr=said,
                    pass_fds=(ours.fileno(),),
                    cwd="/",
                    check=False,
                ).returncode
        failed = visible(errors.read_text(errors="replace")).strip()
        if code == SANDBOX_FAILED and "mount overlay" in failed:
            shutil.rmtree(self.spec.scratch / "layer")
            return None
        if failed and code:
            raise EngineError(
                "The embedded engine could not start the shell.",
                why=failed,
                fix="Type `invoke doctor`, or use another engine: --engine docker",
            )
        return code if code >= 0 else 128 - code
