"""Results under the keys of their jobs: whole or absent, and never run again."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from posebowl.batch.worker import JobResult
from posebowl.errors import BadDataError, UsageError
from posebowl.results import RESULT_FILE, Result, held, result as results
from posebowl.util.files import atomic_folder, write_text

PLAN_FILE: Final = "evaluation.json"
RUNS: Final = "runs"
"""The folder of what machines returned: nothing in it depends on the labels."""
RESULTS: Final = "results"
"""The folder of what is made of it: merged, scored, with a report."""
ATTEMPTS_FILE: Final = "attempts.json"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One attempt at a job."""

    node: str
    verdict: str
    reason: str
    """How the machine failed; empty if it did not."""


class ResultStore:
    """The folder of an evaluation; use `opened`."""

    def __init__(self, out: Path, name: str = RUNS) -> None:
        self.out = out
        self._results = out / name

    @property
    def results(self) -> ResultStore:
        """Return the store of what is made of the runs."""
        return ResultStore(self.out, RESULTS)

    def folder(self, key: str) -> Path:
        """Return where the files of a key lie, or would lie."""
        return self._results / key

    def result(self, key: str) -> Result | None:
        """Return the result of a key, or None without one."""
        path = self.folder(key) / RESULT_FILE
        with contextlib.suppress(BadDataError):
            return results.read(path) if path.is_file() else None
        return None

    def finished(self, key: str) -> bool:
        """Return whether a key has a result that is the submission's own doing."""
        found = self.result(key)
        return found is not None and not found.verdict.is_infrastructure_failure

    def attempts(self, key: str) -> tuple[Attempt, ...]:
        """Return the attempts at a job."""
        try:
            table = json.loads((self.folder(key) / ATTEMPTS_FILE).read_text(encoding="utf-8"))
            return tuple(Attempt(**row) for row in table)
        except (OSError, ValueError, TypeError):
            return ()

    def save(self, key: str, output: JobResult, attempts: Sequence[Attempt]) -> None:
        """Keep the files of a job, whole or not at all; those of a failed attempt are replaced."""
        with self.writing(key) as folder:
            for name, content in output.files.items():
                (folder / name).write_bytes(content)
            write_text(folder / ATTEMPTS_FILE, json.dumps([asdict(item) for item in attempts]))

    def writing(self, key: str) -> AbstractContextManager[Path]:
        """Make an empty folder that becomes that of a key if the block succeeds."""
        return atomic_folder(self.folder(key))


@contextlib.contextmanager
def opened(out: Path, *, resume: bool) -> Iterator[ResultStore]:
    """Hold the folder of an evaluation.

    Raises:
        UsageError: It holds an earlier one, and --resume was not given.
        BusyError: Another evaluation is using it.
    """
    with held(out):
        if (out / PLAN_FILE).exists() and not resume:
            raise UsageError(
                f"{out} already holds an evaluation.",
                why="The results of two would lie side by side.",
                fix="Use --resume to continue it, or choose another folder with --out.",
            )
        for name in (RUNS, RESULTS):
            (out / name).mkdir(exist_ok=True)
        yield ResultStore(out)
