"""The evidence of an evaluation as one zip, which anyone can check offline."""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
import polars as pl

from posebowl.batch import ranking
from posebowl.batch.leaderboard import metadata
from posebowl.batch.merge import IOU_FILE, key_of
from posebowl.batch.plan import Plan
from posebowl.batch.result_store import ATTEMPTS_FILE, PLAN_FILE, RESULTS, RUNS, ResultStore
from posebowl.batch.submissions import collect
from posebowl.challenge import PREDICTIONS_FILE
from posebowl.environments import digest
from posebowl.errors import PoseBowlError, UsageError, Verdict
from posebowl.paths import LOCK
from posebowl.results import LOG_FILE, RESULT_FILE
from posebowl.scoring import score_files
from posebowl.util.files import atomic_write
from posebowl.util.text import brief, counted, first_few

MANIFEST: Final = "seal.json"
_KIND: Final = "posebowl evaluation"
_BOARD: Final = ("leaderboard.csv", "leaderboard.json", "leaderboard.html", PLAN_FILE)
_OF_RESULTS: Final = (RESULT_FILE, IOU_FILE, PREDICTIONS_FILE)
_OF_RUNS: Final = (RESULT_FILE, ATTEMPTS_FILE, LOG_FILE, PREDICTIONS_FILE)
_THEN: Final = (1980, 1, 1, 0, 0, 0)
"""The time of all files, so that the same evaluation has the same seal."""
_CHUNK: Final = 1 << 20
_LARGEST: Final = 512 << 20
"""Of a file that is read whole."""
_EQUAL: Final = 1e-9
_DAMAGE: Final = (
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    PoseBowlError,
    RuntimeError,
    TypeError,
    ValueError,
    pl.exceptions.PolarsError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a seal raises that is not as it was made."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was checked."""

    what: str
    problem: str = ""
    """Empty if all is well."""


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What a seal is, and whether it holds."""

    sha256: str
    """Of the seal itself: whoever published it when it was made can prove that it is the same."""
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing contradicts it."""
        return not any(finding.problem for finding in self.findings)


def check_target(path: Path) -> None:
    """Check that a seal can be written to a path: nothing but an older seal is replaced.

    Raises:
        UsageError: There is something else, or no folder to write it to.
    """
    if path.exists() and not (path.is_file() and _is_seal(path)):
        raise UsageError(
            f"{path} exists, and is not a seal.",
            why="--seal replaces nothing but an older seal.",
            fix="Choose another name.",
        )
    if not path.parent.is_dir():
        raise UsageError(f"{path.parent} is not a folder.", fix="Make it, or choose another path.")


def write(path: Path, plan: Plan, store: ResultStore, extra: Mapping[str, Path]) -> None:
    """Write results, predictions, logs, the lock and the hashes of all this into one zip.

    Neither labels nor photos nor submissions are in it, but their hashes are.

    Args:
        path: The zip; an older one is replaced.
        plan: What was run.
        store: Of the runs.
        extra: Name -> file of what else belongs to it.
    """
    files = {
        **{name: store.out / name for name in _BOARD},
        LOCK.name: LOCK,
        **extra,
    }
    keys = {item.name: key_of(plan, item) for item in plan.submissions}
    for folder, names, found in (
        (RESULTS, _OF_RESULTS, keys.values()),
        (RUNS, _OF_RUNS, plan.distinct),
    ):
        for key in found:
            files |= {f"{folder}/{key}/{name}": store.out / folder / key / name for name in names}
    listed = {}
    with atomic_write(path) as target, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name in sorted(name for name, file in files.items() if file.is_file()):
            with files[name].open("rb") as source, made.open(_info(name), "w") as into:
                listed[name] = _digest(source, into.write)
        manifest = {"kind": _KIND, **metadata(plan), "results": keys, "files": listed}
        made.writestr(_info(MANIFEST), json.dumps(manifest, indent=1, default=str))


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _THEN)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _digest(source: IO[bytes], copy: Callable[[bytes], object] = len) -> str:
    whole = hashlib.sha256()
    while part := source.read(_CHUNK):
        whole.update(part)
        copy(part)
    return whole.hexdigest()


def _is_seal(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as sealed:
            return _KIND in sealed.read(MANIFEST)[:200].decode()
    except _DAMAGE:
        return False


def verify(path: Path, labels: Path | None = None, zips: Sequence[Path] = ()) -> Verified:
    """Check a seal, with nothing but what is in it, and labels and submissions if there are any.

    Args:
        path: The seal.
        labels: The labels: all predictions are scored again.
        zips: The submissions, or folders of them.

    Raises:
        UsageError: It is not a seal.
    """
    if not _is_seal(path):
        raise UsageError(
            f"{path} is not a seal.",
            why="evaluate --seal writes one.",
            fix="Name the zip that it wrote.",
        )
    with path.open("rb") as file:
        whole = _digest(file)
    with zipfile.ZipFile(path) as sealed, tempfile.TemporaryDirectory() as scratch:
        try:
            findings = [_on_files(sealed)]
            if not findings[0].problem:
                findings += _on_content(sealed, Path(scratch), labels, zips)
        except _DAMAGE as error:
            findings = [Finding(what="files", problem=f"It is damaged: {brief(str(error), 200)}.")]
    return Verified(sha256=whole, findings=tuple(findings))


def _on_files(sealed: zipfile.ZipFile) -> Finding:
    """Compare all files with their hashes."""
    listed = dict(json.loads(_read(sealed, MANIFEST))["files"])
    there = [name for name in sealed.namelist() if name != MANIFEST]
    wrong = sorted({*listed} ^ {*there})
    wrong += sorted({name for name in there if there.count(name) > 1})
    for name in sorted({*listed} & {*there}):
        with sealed.open(name) as file:
            if _digest(file) != listed[name]:
                wrong.append(name)
    problem = f"Not as sealed: {first_few(map(brief, wrong), len(wrong))}." if wrong else ""
    return Finding(what=f"{counted(len(listed), 'file')} as sealed", problem=problem)


def _read(sealed: zipfile.ZipFile, name: str) -> bytes:
    if sealed.getinfo(name).file_size > _LARGEST:
        raise ValueError(f"{name} is larger than any that is sealed")
    return sealed.read(name)


def _on_content(
    sealed: zipfile.ZipFile, scratch: Path, labels: Path | None, zips: Sequence[Path]
) -> Iterator[Finding]:
    """Check that leaderboard, results and predictions are of one evaluation."""
    manifest = json.loads(_read(sealed, MANIFEST))
    rows = json.loads(_read(sealed, "leaderboard.json"))["rows"]
    keys = dict(manifest["results"])
    store = _extracted(sealed, scratch, [*keys.values()])
    wrong = [row["submission"] for row in rows if not _agrees(row, store, keys)]
    wrong += [name for name in keys if name not in {row["submission"] for row in rows}]
    yield _finding("the leaderboard agrees with the results", wrong)
    ranked = [row for row in rows if row["rank"] is not None]
    yield _finding("the ranks follow from the IoU of each image", _misranked(ranked, store, keys))
    lock = scratch / LOCK.name
    lock.write_bytes(_read(sealed, LOCK.name))
    same = digest(lock) == manifest["lock"]
    yield Finding(what="the lock is that of the runs", problem="" if same else "It is another.")
    if labels is not None:
        known = hashlib.sha256(labels.read_bytes()).hexdigest() == manifest["labels_sha256"]
        yield Finding(what="the labels are those", problem="" if known else "They are others.")
        off = [row["submission"] for row in ranked if not _scores(row, store, keys, labels)]
        yield _finding("the predictions have these scores", off)
    if zips:
        given = {item.sha256 for item in collect(zips).submissions}
        absent = [row["submission"] for row in rows if row["sha256"] not in given]
        yield _finding("the submissions are those", absent)


def _finding(what: str, wrong: Sequence[str]) -> Finding:
    names = first_few(map(brief, wrong), len(wrong))
    return Finding(what=what, problem=f"Not so: {names}." if wrong else "")


def _extracted(sealed: zipfile.ZipFile, scratch: Path, keys: Sequence[str]) -> ResultStore:
    """Return a store of the results, of which nothing else is taken out of the zip."""
    names = {*sealed.namelist()}
    for key in keys:
        if len(key) != 64 or not key.isalnum():
            raise ValueError(f"{key} is not a key")
        (scratch / RESULTS / key).mkdir(parents=True, exist_ok=True)
        for name in _OF_RESULTS:
            if (inside := f"{RESULTS}/{key}/{name}") in names:
                (scratch / inside).write_bytes(_read(sealed, inside))
    return ResultStore(scratch, RESULTS)


def _agrees(row: Mapping[str, Any], store: ResultStore, keys: Mapping[str, str]) -> bool:
    found = store.result(keys[row["submission"]])
    if found is None:
        return bool(row["verdict"] == Verdict.ENGINE_ERROR)
    mean = found.score.mean_iou if found.score else None
    told = (row["verdict"], row["mean_iou"], row["sha256"])
    return told == (found.verdict, mean, found.archive.get("sha256"))


def _misranked(
    rows: Sequence[Mapping[str, Any]], store: ResultStore, keys: Mapping[str, str]
) -> list[str]:
    """Return the names of those whose mean, rank or range of ranks is not that of their images."""
    if not rows:
        return []
    files = [store.folder(keys[row["submission"]]) / IOU_FILE for row in rows]
    ious = np.array([pl.read_csv(file, columns=["iou"])["iou"].to_numpy() for file in files])
    found = ranking.standings(ious)
    means = [place.mean_iou for place in found]
    return [
        row["submission"]
        for at, (row, place) in enumerate(zip(rows, found, strict=True))
        if abs(row["mean_iou"] - place.mean_iou) > _EQUAL
        or (row["rank_low"], row["rank_high"]) != (place.rank_low, place.rank_high)
        or (at and means[at - 1] < means[at] - _EQUAL)
    ]


def _scores(
    row: Mapping[str, Any], store: ResultStore, keys: Mapping[str, str], labels: Path
) -> bool:
    predictions = store.folder(keys[row["submission"]]) / PREDICTIONS_FILE
    try:
        mean = score_files(predictions, labels).mean_iou
    except PoseBowlError:
        return False
    return bool(abs(mean - row["mean_iou"]) <= _EQUAL)
