"""What is shown during a run: the log as it is written, and one live line below it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.text import Text

from posebowl.challenge import Limits
from posebowl.engines import Sample, Watcher
from posebowl.util.console import err, plain
from posebowl.util.units import duration, human_bytes, rate

_PLAIN_INTERVAL_S: Final = 30.0


class Display:
    """Shows a run, with a status: a live line on a terminal, elsewhere a line now and then."""

    def __init__(
        self,
        console: Console = err,
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._quiet = quiet
        self._clock = clock

    @contextlib.contextmanager
    def watching(self, limits: Limits, images: Callable[[], int]) -> Iterator[Watcher]:
        """Show what a run prints and uses until the block ends.

        Args:
            limits: What it may use.
            images: Returns how many the data has; called once main.sh runs.
        """
        if self._quiet:
            yield Watcher()
            return
        panel = _Panel(self._console, limits, images, self._clock)
        if not self._console.is_terminal:
            yield Watcher(line=panel.line, sample=panel.plain, note=panel.note)
            return
        live = Live(console=self._console, transient=True, auto_refresh=False)

        def sample(taken: Sample) -> None:
            live.start()  # only now: the steps before may show a progress bar
            live.update(panel.status(taken), refresh=True)

        try:
            yield Watcher(line=panel.line, sample=sample, note=panel.note)
        finally:
            live.stop()


class _Panel:
    def __init__(
        self,
        console: Console,
        limits: Limits,
        images: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._limits = limits
        self._images = images
        self._last: Sample | None = None
        self._clock = clock
        self._told_at = clock()

    def line(self, text: str) -> None:
        self._console.print(Text.assemble(("│", "dim"), " ", plain(text)))

    def note(self, text: str) -> None:
        self._console.print(plain(text, "dim"))

    def plain(self, taken: Sample) -> None:
        now = self._clock()
        if now - self._told_at >= _PLAIN_INTERVAL_S:
            self._told_at = now
            self._console.print(self.status(taken))

    def status(self, taken: Sample) -> Text:
        """Return the line: elapsed and limit, memory and limit, cores in use, images so far."""
        before, self._last = self._last, taken
        cores = None
        if before is not None:
            cores = rate(taken.cpu_s - before.cpu_s, taken.elapsed_s - before.elapsed_s)
        parts = [
            f"{duration(taken.elapsed_s)} of {duration(self._limits.wall_time_s)}",
            f"memory {human_bytes(taken.memory_bytes)} of {human_bytes(self._limits.memory_bytes)}",
            f"{max(cores or 0.0, 0.0):.1f} of {self._limits.cpus} cores",
        ]
        if taken.images:
            parts.append(f"{taken.images:,} of {self._images():,} images")
        return Text(" · ".join(parts), style="cyan")
