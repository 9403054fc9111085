"""The suite that any engine must pass: every case of `cases` run, and its verdict compared."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from posebowl.challenge import (
    COLUMNS,
    FORMAT_FILE,
    IMAGES_DIR,
    LIMITS,
    MAIN_SCRIPT,
    PREDICTIONS_FILE,
    Limit,
    Variant,
)
from posebowl.engines.base import Engine, Outcome, RunSpec, Watcher
from posebowl.engines.case import Case
from posebowl.engines.cases import CASES
from posebowl.errors import EngineError, PoseBowlError, Verdict, VerdictError
from posebowl.paths import DEMO_DATA
from posebowl.util.files import open_up, remove_tree
from posebowl.util.host import slowness

_PHOTOS: Final = 3
_WALL_TIME_S: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One row of the table: what an engine made of a case."""

    case: str
    about: str
    """What the submission does."""
    expected: Verdict
    got: Verdict
    seconds: float
    why: str = ""
    """What is wrong, in a sentence; empty if nothing is."""

    @property
    def passed(self) -> bool:
        """Whether the engine did with the case what it must."""
        return not self.why


def obstacle(
    engine: Engine, *, cache: Path, variant: Variant = Variant.CPU, runtime: str = ""
) -> PoseBowlError | None:
    """Return why an engine cannot run any case here, or None if it can."""
    if problem := engine.unavailable():
        return EngineError(
            f"{engine.name} cannot be used here.", why=problem, fix="Type: invoke doctor"
        )
    with _place(None) as place:
        data = _make_data(place / "data")
        try:
            spec = _spec(CASES[0], place / "case", data, cache, variant, runtime=runtime)
            engine.prepare(spec, Watcher())
        except VerdictError as error:
            return error
    return None


def self_check(
    engine: Engine,
    *,
    cache: Path,
    variant: Variant = Variant.CPU,
    runtime: str = "",
    cases: Iterable[Case] = CASES,
    folder: Path | None = None,
    told: Callable[[Checked], None] = lambda _: None,
) -> tuple[Checked, ...]:
    """Run the cases on an engine that is available, and return a row for each.

    Args:
        engine: Docker, podman, the embedded engine, or one of your own.
        cache: The folder of the setting `cache`, where the embedded engine keeps environments.
        variant: Which image or environment the cases run in.
        runtime: What starts a container, as the engine knows it.
        cases: What to run; a case that needs the kernel to limit memory has no row where only
            a watchdog does.
        folder: Where the runs take place; None makes a temporary folder.
        told: Given each row as soon as it is there.
    """
    rows = []
    with _place(folder) as place:
        data = _make_data(place / "data")
        for case in cases:
            work = place / f"{case.name}-{secrets.token_hex(3)}"
            if row := _check(
                engine, case, _spec(case, work, data, cache, variant, runtime=runtime)
            ):
                rows.append(row)
                told(row)
    return tuple(rows)


@contextlib.contextmanager
def _place(folder: Path | None) -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="posebowl-self-check-", dir=folder))
    try:
        yield place
    finally:
        remove_tree(place)


def _check(engine: Engine, case: Case, spec: RunSpec) -> Checked | None:
    started = time.monotonic()
    outcome, said = None, ""
    try:
        engine.prepare(spec, Watcher())
        outcome = engine.execute(spec, Watcher())
        got = outcome.verdict(spec.limits)
        if got is Verdict.OK:
            got, said = _read(spec)
    except VerdictError as error:
        got, said = error.verdict, str(error)
    except OSError as error:
        got, said = Verdict.ENGINE_ERROR, str(error)
    if case.kernel_memory and outcome and Limit.MEMORY in outcome.unenforced:
        return None
    log = spec.log.read_text(encoding="utf-8", errors="replace") if spec.log.exists() else ""
    why = _difference(case, got, outcome, log, said)
    seconds = time.monotonic() - started
    return Checked(
        case=case.name,
        about=case.about,
        expected=case.verdict,
        got=got,
        seconds=seconds,
        why=why,
    )


def _difference(case: Case, got: Verdict, outcome: Outcome | None, log: str, said: str) -> str:
    """Return how a run differs from its case, in a sentence; empty if it does not."""
    exit_code, signal = (outcome.exit_code, outcome.signal) if outcome else (None, None)
    if got is not case.verdict:
        return f"The verdict is {got} instead of {case.verdict}. {said or log[-500:]}".strip()
    if case.exit_code is not None and exit_code != case.exit_code:
        return f"The exit code is {exit_code} instead of {case.exit_code}."
    if got is Verdict.SIGNALED and signal != case.signal:
        return f"The signal is {signal} instead of {case.signal}."
    if outcome and outcome.wall_s < case.lasts_s:
        return f"It was billed {outcome.wall_s:.2f} s instead of {case.lasts_s} s or more."
    return "" if case.log in log else f"The log lacks {case.log!r}."


def _read(spec: RunSpec) -> tuple[Verdict, str]:
    """Read the predictions as a run does, and return the verdict with what is wrong."""
    from posebowl.scoring import read_bounded  # noqa: PLC0415  it loads polars

    open_up(spec.output)
    predictions = spec.output / PREDICTIONS_FILE
    content = read_bounded(predictions, max_bytes=spec.limits.predictions_bytes)
    if content != spec.submission_format.read_bytes():
        return Verdict.BAD_OUTPUT, f"{predictions} is not what main.sh wrote."
    return Verdict.OK, ""


def _spec(
    case: Case, work: Path, data: Path, cache: Path, variant: Variant, *, runtime: str
) -> RunSpec:
    for folder in (work, work / "output", work / "scratch"):
        folder.mkdir()
        folder.chmod(0o755)
    archive = work / "submission.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for name, content in {MAIN_SCRIPT: case.main, **case.files}.items():
            zipped.writestr(name, content)
    archive.chmod(0o644)
    changes = {"wall_time_s": _WALL_TIME_S * slowness(), **case.limits}
    return RunSpec(
        run_id=f"check-{os.getpid()}-{work.name}",
        archive=archive,
        images=data / IMAGES_DIR,
        submission_format=data / FORMAT_FILE,
        output=work / "output",
        scratch=work / "scratch",
        cache=cache,
        runtime=runtime,
        unpacked_bytes=len(case.main) + sum(map(len, case.files.values())),
        log=work / "log.txt",
        variant=variant,
        limits=dataclasses.replace(LIMITS[variant], **changes),
    )


def _make_data(folder: Path) -> Path:
    """Copy a few demo photos, and write their format."""
    images = folder / IMAGES_DIR
    images.mkdir(parents=True)
    photos = sorted((DEMO_DATA / IMAGES_DIR).glob("*.png"))[:_PHOTOS]
    for photo in photos:
        shutil.copyfile(photo, images / photo.name)
    rows = [",".join(COLUMNS), *(f"{photo.stem},0,0,0,0" for photo in photos)]
    (folder / FORMAT_FILE).write_text("\n".join(rows) + "\n", encoding="utf-8")
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder
