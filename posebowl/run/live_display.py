"""What is shown during a run: the log as it is written, and one live line below it.

All of it is drawn in a thread of its own: a terminal that is slow, or stopped, holds up neither the
drain of what the run prints nor the watchdog.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from posebowl.challenge import Limits
from posebowl.engines import Sample, Watcher
from posebowl.util.console import err, lines, plain
from posebowl.util.units import duration, human_bytes, rate

_PLAIN_INTERVAL_S: Final = 30.0
_INTERVAL_S: Final = 0.1
_SHORTEST_S: Final = 2.0
"""A pace that was seen for less says nothing of the rest."""
_MOST_WAITING: Final = 1000
_PATIENCE_S: Final = 5.0
"""For a screen that takes the last lines of a run that has ended."""


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
        live = Live(console=self._console, transient=True, auto_refresh=False)

        def on_terminal(taken: Sample, bar: Text | None) -> None:
            live.start()  # only now: the steps before may show a progress bar
            status = panel.status(taken)
            live.update(Group(bar, status) if bar else status, refresh=True)

        drawn = _Drawn(panel.print, on_terminal)

        def plainly(taken: Sample) -> None:
            if status := panel.now_and_then(taken):
                drawn.line(status)

        try:
            yield Watcher(
                line=drawn.log,
                sample=drawn.sample if self._console.is_terminal else plainly,
                note=lambda text: drawn.line(lines(text, "dim")),
            )
        finally:
            if drawn.close():
                live.stop()


class _Drawn:
    """Lines and samples on their way to the screen: whoever brings them never waits for it.

    What waits is bounded: of lines the last ones, of samples and of a line that is redrawn the
    last one.

    Args:
        show: Prints lines.
        status: Shows a sample, and the line that the run is redrawing, if it is.
    """

    def __init__(
        self,
        show: Callable[[list[Text]], None],
        status: Callable[[Sample, Text | None], None],
    ) -> None:
        self._show = show
        self._status = status
        self._moved = threading.Condition()
        self._lines: deque[Text] = deque(maxlen=_MOST_WAITING)
        self._sample: Sample | None = None
        self._bar: Text | None = None
        self._stale = False
        self._closed = False
        self._thread = threading.Thread(target=self._draw, name="screen", daemon=True)
        self._thread.start()

    def log(self, text: str) -> None:
        """Bring a line of the log; one that ends with a carriage return is still redrawn."""
        line = Text.assemble(("│", "dim"), " ", plain(text.rstrip("\r")))
        if not text.endswith("\r"):
            self.line(line)
            return
        line.no_wrap, line.overflow = True, "ellipsis"
        with self._moved:
            self._bar, self._stale = line, True
            self._moved.notify()

    def line(self, line: Text) -> None:
        """Bring a line."""
        with self._moved:
            self._lines.append(line)
            self._stale |= self._bar is not None
            self._bar = None
            self._moved.notify()

    def sample(self, taken: Sample) -> None:
        """Bring what the run uses."""
        with self._moved:
            self._sample, self._stale = taken, True
            self._moved.notify()

    def close(self) -> bool:
        """Let the rest be drawn; return whether the screen has taken all of it."""
        with self._moved:
            self._closed = True
            self._moved.notify()
        self._thread.join(_PATIENCE_S)
        return not self._thread.is_alive()

    def _draw(self) -> None:
        # Rich ends a program whose terminal or pipe has gone; a run goes on without.
        with contextlib.suppress(OSError, SystemExit):
            while not self._closed or self._lines or self._stale:
                with self._moved:
                    self._moved.wait_for(lambda: self._closed or self._lines or self._stale)
                    lines, stale = list(self._lines), self._stale
                    sample, bar = self._sample, self._bar
                    self._lines.clear()
                    self._stale = False
                if lines:
                    self._show(lines)
                if stale and sample:
                    self._status(sample, bar)
                with self._moved:
                    self._moved.wait_for(lambda: self._closed, _INTERVAL_S)


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
        self._first: Sample | None = None
        self._cores = 0.0
        self._clock = clock
        self._told_at = clock()

    def print(self, lines: list[Text]) -> None:
        self._console.print(Text("\n").join(lines))

    def now_and_then(self, taken: Sample) -> Text | None:
        """Return the line where it is due, on what is not a terminal."""
        now = self._clock()
        if now - self._told_at < _PLAIN_INTERVAL_S:
            return None
        self._told_at = now
        return self.status(taken)

    def status(self, taken: Sample) -> Text:
        """Return the line: elapsed and limit, memory, cores in use, images so far and time left.

        What matters least is left out where the terminal is narrow.
        """
        before = self._last
        if before is not None and before is not taken:
            used = rate(taken.cpu_s - before.cpu_s, taken.elapsed_s - before.elapsed_s)
            self._cores = max(used or 0.0, 0.0)
        self._last = taken
        limits = self._limits
        time = f"{duration(taken.elapsed_s)} of {duration(limits.wall_time_s)}"
        memory = f"memory {human_bytes(taken.memory_bytes)}"
        limited = f"{memory} of {human_bytes(limits.memory_bytes)}"
        cores = f"{self._cores:.1f} of {limits.cpus} cores"
        images = f"{taken.images:,} of {self._images():,} images" if taken.images else ""
        left = self._left(taken)
        for parts in (
            (time, limited, cores, images, left),
            (time, memory, cores, images, left),
            (time, memory, images, left),
            (time, images, left),
        ):
            line = " · ".join(filter(None, parts))
            if len(line) < self._console.width:
                break
        return Text(line, style="cyan", no_wrap=True, overflow="ellipsis")

    def _left(self, taken: Sample) -> str:
        """Return how long the rest will take at the pace since the first image, in words."""
        if self._first is None and taken.images:
            self._first = taken
        first, total = self._first, self._images()
        if first is None or not 0 < taken.images < total:
            return ""
        seen_s, done = taken.elapsed_s - first.elapsed_s, taken.images - first.images
        if seen_s < _SHORTEST_S or not done:
            return ""
        left_s = (total - taken.images) * seen_s / done
        late = taken.elapsed_s + left_s > self._limits.wall_time_s
        return f"{duration(left_s)} left" + (", over the limit" if late else "")
