"""Results under the keys of their jobs: whole or not there, and never run again."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from posebowl.batch.worker import Produced, machine_failed
from posebowl.errors import BadDataError, UsageError
from posebowl.results import RESULT_FILE, Result, held, result as results
from posebowl.util.files import write_text

PLAN_FILE: Final = "evaluation.json"
RESULTS: Final = "results"
ATTEMPTS_FILE: Final = "attempts.json"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try at a job."""

    node: str
    verdict: str
    reason: str
    """What went wrong with the machine; empty when all went well there."""


class Store:
    """The folder of an evaluation; use `opened`."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self._results = out / RESULTS

    def folder(self, key: str) -> Path:
        """Return where the files of a key lie, or would lie."""
        return self._results / key

    def result(self, key: str) -> Result | None:
        """Return the result of a key, or None where there is none."""
        path = self.folder(key) / RESULT_FILE
        with contextlib.suppress(BadDataError):
            return results.read(path) if path.is_file() else None
        return None

    def finished(self, key: str) -> bool:
        """Tell whether a key has a result that says something of its submission."""
        found = self.result(key)
        return found is not None and not machine_failed(found)

    def attempts(self, key: str) -> tuple[Attempt, ...]:
        """Return the tries that a key took."""
        try:
            table = json.loads((self.folder(key) / ATTEMPTS_FILE).read_text())
            return tuple(Attempt(**row) for row in table)
        except (OSError, ValueError, TypeError):
            return ()

    def put(self, key: str, produced: Produced, attempts: Sequence[Attempt]) -> None:
        """Keep the files of a job, whole or not at all; a failed try's are replaced."""
        with self.filling(key) as folder:
            for name, content in produced.files.items():
                (folder / name).write_bytes(content)
            write_text(folder / ATTEMPTS_FILE, json.dumps([asdict(item) for item in attempts]))

    @contextlib.contextmanager
    def filling(self, key: str) -> Iterator[Path]:
        """Give an empty folder that takes the place of a key when the block succeeds."""
        partial = self._results / f".{key}.part"
        _remove(partial)
        partial.mkdir(parents=True)
        yield partial
        _sync(partial)
        _remove(self.folder(key))
        partial.rename(self.folder(key))


@contextlib.contextmanager
def opened(out: Path, *, resume: bool) -> Iterator[Store]:
    """Hold the folder of an evaluation.

    Raises:
        UsageError: It holds an earlier one, which --resume was not given for.
        BusyError: Another evaluation is at work in it.
    """
    with held(out):
        if (out / PLAN_FILE).exists() and not resume:
            raise UsageError(
                f"{out} holds an evaluation already.",
                why="The results of two would lie side by side.",
                fix="Add --resume to go on with it, or give this one another folder with --out.",
            )
        (out / RESULTS).mkdir(exist_ok=True)
        yield Store(out)


def _sync(folder: Path) -> None:
    """Bring the files of a folder to the disk, before its name says that they are there."""
    for path in folder.iterdir():
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
