"""The runs of a results folder, each kept with its predictions; the oldest are dropped."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from posebowl.challenge import COLUMNS, LABELS_FILE, PREDICTIONS_FILE
from posebowl.errors import PoseBowlError, UsageError
from posebowl.paths import SUBMISSION
from posebowl.results import result as results
from posebowl.results.folder import HISTORY_DIR, LOG_FILE, REPORT_FILE, RESULT_FILE, RUN_ID
from posebowl.results.result import Result
from posebowl.scoring import MAX_BYTES, parse, read_bounded, score_files
from posebowl.settings import MOST_RUNS
from posebowl.util.files import atomic_folder, atomic_write, open_regular
from posebowl.util.hints import flag
from posebowl.util.text import counted, first_few, show

MOST_BYTES: Final = 256 << 20
"""Of all runs in the history together; the newest is kept whatever its size."""
IMAGES_FILE: Final = "predictions.parquet"
"""image_id, the predicted box and, where there are labels, the true box and the IoU."""
LAST: Final = "last"
PREVIOUS: Final = "previous"

_PART: Final = re.compile(rf"\.{RUN_ID.pattern}\.part")


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run that is over, and the folder that holds its results."""

    name: str
    """The name of its folder in the history, or a path."""
    folder: Path
    result: Result
    note: str = ""
    """Why it was chosen for an ambiguous word, in a sentence."""

    @property
    def predictions(self) -> Path | None:
        """The file of its predictions: in the history, or as the run published them."""
        kept = self.folder / HISTORY_DIR / self.result.run_id / IMAGES_FILE
        places = (self.folder / IMAGES_FILE, kept, self.folder / PREDICTIONS_FILE)
        return next((path for path in places if path.exists()), None)

    def images(self) -> pl.DataFrame | None:
        """Read its predictions, with the IoU of each if there are labels; None without any.

        Raises:
            PoseBowlError: They exist but are broken.
        """
        path = self.predictions
        if path is None:
            return None
        if path.name == PREDICTIONS_FILE:
            return self._published(path)
        try:
            with open_regular(path) as file:
                return pl.read_parquet(file.read()).with_columns(pl.col(COLUMNS))
        except (OSError, ValueError, pl.exceptions.PolarsError) as error:
            raise PoseBowlError(
                f"{path} cannot be read.",
                why=str(error).partition("\n")[0],
                fix=f"Remove {path.parent}, or compare another run.",
            ) from None

    def _published(self, path: Path) -> pl.DataFrame:
        labels = Path(str(self.result.data.get("root", ""))) / LABELS_FILE
        if self.result.score is not None and labels.is_file():
            with contextlib.suppress(PoseBowlError):  # the data has changed since
                return score_files(path, labels).frame
        return parse(read_bounded(path, max_bytes=MAX_BYTES), name=path.name).frame


def keep(
    out: Path,
    result: Result,
    images: pl.DataFrame | None,
    *,
    most_runs: int = MOST_RUNS,
    most_bytes: int = MOST_BYTES,
) -> None:
    """Keep a run in its results folder, whole or not at all, and drop the oldest.

    Parquet keeps the predictions in a fifth of the size of CSV, with their types. Report and log
    are kept as well: they are below 13 MB, and the next run in the folder replaces them.

    Args:
        out: The results folder; report and log are taken from it.
        result: The run.
        images: Its predictions, with the IoU of each if there are labels.
        most_runs: How many are kept; 0 keeps none.
        most_bytes: How many bytes they may take together.

    Raises:
        OSError: It cannot be written; nothing of it is left.
    """
    place = out / HISTORY_DIR
    for left in place.iterdir() if place.is_dir() else ():
        if _PART.fullmatch(left.name):
            shutil.rmtree(left)
    if most_runs > 0:
        place.mkdir(exist_ok=True)
        _write(place, (out / REPORT_FILE, out / LOG_FILE), result, images)
    _drop(place, most_runs, most_bytes)


def _write(
    place: Path, files: tuple[Path, ...], result: Result, images: pl.DataFrame | None
) -> None:
    with atomic_folder(place / result.run_id) as part:
        results.write(result, part / RESULT_FILE)
        if images is not None:
            buffer = io.BytesIO()
            images.write_parquet(buffer, compression="zstd")
            with atomic_write(part / IMAGES_FILE) as file:
                file.write(buffer.getbuffer())
        for path in filter(Path.is_file, files):
            with atomic_write(part / path.name) as file, path.open("rb") as source:
                shutil.copyfileobj(source, file)


def _drop(place: Path, most_runs: int, most_bytes: int) -> None:
    """Drop the oldest of the runs that the user has not renamed."""
    total = 0
    newest_first = sorted(kept(place), key=lambda path: _age_key(path.name, path), reverse=True)
    for count, folder in enumerate(newest_first):
        files = (file for file in folder.iterdir() if file.suffix != ".zip")  # see zips
        total += sum(file.lstat().st_size for file in files)
        if count >= most_runs or (count and total > most_bytes):
            shutil.rmtree(folder)


def kept(place: Path) -> list[Path]:
    """Return the runs of a history that are the tool's: one that the user renamed is the user's."""
    if not place.is_dir():
        return []
    return [path for path in place.iterdir() if RUN_ID.fullmatch(path.name) and _is_folder(path)]


def runs(out: Path) -> tuple[list[Run], list[str]]:
    """Read all runs of a results folder, newest first, and the names of broken ones."""
    place, found, broken = out / HISTORY_DIR, [], []
    for folder in place.iterdir() if place.is_dir() else ():
        if folder.name.startswith(".") or not _is_folder(folder):
            continue
        try:
            result = results.read(folder / RESULT_FILE)
        except PoseBowlError:
            broken.append(folder.name)
        else:
            found.append(Run(name=folder.name, folder=folder, result=result))
    found.sort(key=lambda run: _age_key(run.result.run_id, run.folder), reverse=True)
    return found, sorted(broken)


def _age_key(run_id: str, folder: Path) -> tuple[str, int]:
    """Return a key that sorts runs by the second in their ids, then by when they were written."""
    return run_id.rpartition("-")[0], folder.stat().st_mtime_ns


def find(word: str, out: Path, *, usual: Path = SUBMISSION) -> Run:
    """Find the run that a user names.

    Args:
        word: `last` or `previous` (of the runs with predictions, if there are any), the beginning
            or the random end of a run's id, the name that a user gave its folder, or the path
            of a folder with a result.json.
        out: The results folder whose history is meant.
        usual: The results folder that commands use by default.

    Raises:
        UsageError: No run has this name, or more than one.
        BadDataError: Its result.json is broken.
    """
    if word in {LAST, PREVIOUS}:
        return _recent(word, out, usual)
    place = out / HISTORY_DIR
    names = [path.name for path in place.iterdir() if _is_folder(path)] if place.is_dir() else []
    fits = [word] if word in names else [name for name in names if _is_short_for(word, name)]
    if len(fits) == 1:
        folder = place / fits[0]
        return Run(name=fits[0], folder=folder, result=results.read(folder / RESULT_FILE))
    if len(fits) > 1:
        raise UsageError(
            f"{show(word)} fits {len(fits)} runs: {first_few(sorted(fits), len(fits))}.",
            fix="Type more of the id.",
        )
    path = Path(word).expanduser()
    folder = path.parent if path.name == RESULT_FILE else path
    if word and (folder / RESULT_FILE).is_file():
        return Run(name=word, folder=folder, result=results.read(folder / RESULT_FILE))
    kept = (
        f"one of {counted(len(names), 'kept run')}" if names else f"a run (none is kept in {out})"
    )
    listing = f"invoke history{flag('folder', out, usual)}"
    raise UsageError(
        f"{show(word)} is neither {kept} nor a folder with a {RESULT_FILE}.",
        fix=f"Type: {listing if names else 'invoke run' + flag('out', out, usual)}",
    )


def _recent(word: str, out: Path, usual: Path) -> Run:
    """Find a run by its age; a failed one leaves nothing to compare and is skipped."""
    found, _ = runs(out)
    comparable = [run for run in found if run.predictions is not None]
    usable = comparable or found
    at = 0 if word == LAST else 1
    if at >= len(usable):
        rest = f", {len(comparable)} with predictions" if comparable else ""
        raise UsageError(
            f"There is no {word} run: {counted(len(found), 'run')} kept in {out}{rest}.",
            fix=f"Type: invoke run{flag('out', out, usual)}",
        )
    chosen = usable[at]
    skipped = [run for run in found[: found.index(chosen)] if run not in usable]
    if not skipped:
        return chosen
    verdicts = ", ".join(dict.fromkeys(run.result.verdict for run in skipped))
    note = (
        f"{word} is {chosen.name}: {counted(len(skipped), 'newer run')} left no predictions "
        f"to compare ({verdicts})."
    )
    return replace(chosen, note=note)


def _is_short_for(word: str, name: str) -> bool:
    return (
        bool(word)
        and not name.startswith(".")
        and (
            name.startswith(word)
            or (RUN_ID.fullmatch(name) is not None and name.endswith(f"-{word}"))
        )
    )


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
