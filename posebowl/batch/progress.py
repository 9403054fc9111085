"""What an evaluation shows: submissions, shards, machines and the time left."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from posebowl.batch.executor import Capacity, Completion
from posebowl.batch.plan import Plan
from posebowl.errors import Verdict
from posebowl.util.console import err, plain
from posebowl.util.text import counted, first_few
from posebowl.util.units import duration

_PLAIN_INTERVAL_S: Final = 30.0
_WIDEST: Final = max(map(len, Verdict))
_MOST_SHOWN: Final = 6
"""Runs under way: more would leave no room for what has ended."""


class Progress:
    """Prints each run that ends, and a status: live on a terminal, now and then elsewhere."""

    def __init__(
        self, plan: Plan, console: Console = err, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._now = now
        self._names: dict[str, list[str]] = defaultdict(list)
        for item, jobs in plan.jobs.items():
            for job in jobs:
                part = "" if len(jobs) == 1 else f" [{job.shard_index + 1}/{len(jobs)}]"
                self._names[job.key].append(item.name + part)
        self._left = {item: {job.key for job in jobs} for item, jobs in plan.jobs.items()}
        for item, (sampled, *_) in plan.checks.items():
            self._names[sampled.key].append(f"{item.name} [sample]")
            self._left[item].add(sampled.key)
        self._started_at = self._told_at = now()
        self._jobs = self._done = 0
        self._capacity = Capacity(nodes=0, slots=0)
        self._since: dict[str, float] = {}
        """When each job that runs was first seen to."""
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(get_renderable=self.shown, console=self._console, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def started(self, missing: frozenset[str], kept: int) -> None:
        """Print how much there is to do."""
        jobs = self._jobs = len(missing)
        for left in self._left.values():
            left.intersection_update(missing)
        self._started_at = self._now()
        kept_words = f"; {counted(kept, 'result')} kept" if kept else ""
        self._console.print(plain(f"{counted(jobs, 'run')} to do{kept_words}.", "dim"))

    def completed(self, completion: Completion, *, again: bool) -> None:
        """Print how an attempt ended."""
        key = completion.job.key
        self._since = {other: since for other, since in self._since.items() if other != key}
        names = self._names[key]
        name = first_few(names, len(names))
        output = completion.output
        if output is None:
            self._say("LOST", "yellow", name, completion.lost, again=again)
        else:
            found = output.result
            good = found.verdict is Verdict.OK
            told = found.message
            if good:
                told = f"IoU {found.score.mean_iou:.4f}" if found.score else "not scored"
            self._say(found.verdict, "green" if good else "red", name, told, again=again)
        if not again:
            self._done += 1
            for left in self._left.values():
                left.discard(key)

    def tick(self, capacity: Capacity) -> None:
        """Note the machines at work; without a terminal, print the status now and then."""
        self._capacity = capacity
        now = self._now()
        self._since = {key: self._since.get(key, now) for key in capacity.running}
        if self._live is None and now - self._told_at >= _PLAIN_INTERVAL_S:
            self._told_at = now
            self._console.print(self.shown())

    def shown(self) -> Group:
        """Return the status, and the runs under way, those first that began first."""
        lines = [self.status(), *self._under_way()]
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"
        return Group(*lines)

    def _under_way(self) -> Iterator[Text]:
        for key, since in sorted(self._since.items(), key=lambda item: item[1])[:_MOST_SHOWN]:
            names = self._names[key]
            told = f"{first_few(names, len(names), 2)} on {self._capacity.running.get(key, '')}"
            seconds = int(self._now() - since)
            span = duration(seconds) if seconds >= 60 else f"{seconds} s"
            yield Text.assemble((f"{span:>12}  ", "dim"), plain(told, "cyan"))
        if (more := len(self._since) - _MOST_SHOWN) > 0:
            yield Text(f"{'':>14}and {more:,} more", "dim")

    def status(self) -> Text:
        """Return one line: submissions, runs, machines, time so far and expected."""
        whole = sum(not left for left in self._left.values())
        elapsed = self._now() - self._started_at
        parts = [
            f"{whole:,} of {counted(len(self._left), 'submission')}",
            f"{self._done:,} of {counted(self._jobs, 'run')}",
            counted(self._capacity.nodes, "machine"),
            duration(elapsed),
        ]
        if self._done and self._done < self._jobs:
            left = elapsed / self._done * (self._jobs - self._done)
            parts.append(f"about {duration(left)} left")
        return Text(" · ".join(parts), style="cyan")

    def _say(self, word: str, colour: str, name: str, told: str, *, again: bool) -> None:
        rest = " (again)" if again else ""
        self._console.print(
            Text.assemble((f"{word:<{_WIDEST}}", colour), " ", plain(f"{name}  {told}{rest}"))
        )
