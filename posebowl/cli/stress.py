"""`invoke stress`: one zip on data that is out of the ordinary, compared with its plain run."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from posebowl.challenge import PREDICTIONS_FILE
from posebowl.cli import running
from posebowl.data import MANY, Stressed, folder as data_folder, stressed
from posebowl.errors import BadArchiveError, Verdict
from posebowl.results import PLATFORM, memory_growth
from posebowl.settings import Settings
from posebowl.submission import Inspected, inspected, open_archive
from posebowl.util import console

if TYPE_CHECKING:
    from posebowl.results import Result
    from posebowl.run import Request

Boxes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a solution did on one of the data folders."""

    name: str
    about: str
    images: int
    verdict: Verdict
    message: str
    compared: int
    """Predictions that should be those of the plain run."""
    changed: int
    """Those of them that are not."""
    seconds: float | None
    peak_memory_bytes: float | None
    memory_growth: float | None
    """Bytes a minute in the second half of the run; None if it did not grow steadily."""
    memory_full: bool
    """At this growth, memory would be full before the platform's time is up."""

    @property
    def differs(self) -> bool:
        """Return whether something is not as in the plain run."""
        return self.verdict is not Verdict.OK or self.changed > 0 or self.memory_full


def _run(request: Request) -> Result:
    from posebowl.run import Display, run

    return run(request, Display())


def stress(
    settings: Settings,
    archive: Path,
    *,
    count: int,
    many: int,
    carry_out: Callable[[Request], Result] = _run,
) -> list[Outcome]:
    """Run a zip on each folder of `posebowl.data.stressed`; return how it did, the plain run first.

    If the plain run does not pass, there is nothing to compare with and it is the only one.

    Args:
        settings: In force.
        archive: The zip.
        count: Images of most of the folders.
        many: Images of the last folder; 0 leaves it out.
        carry_out: Runs it.

    Raises:
        UsageError: There is no such zip or data folder.
        BadDataError: The data folder is incomplete.
    """
    open_archive(archive).close()  # a mistyped path ends here, before any data is made
    packed: Inspected | None = None
    with contextlib.suppress(BadArchiveError):  # which is the verdict on the plain run
        packed = inspected(archive)
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="posebowl-stress-") as name:
        scratch = Path(name)
        scratch.chmod(0o755)
        folder = data_folder.find(settings.data, scratch=scratch)
        plain: Boxes = {}
        for number, data in enumerate(stressed(folder, scratch, count=count, many=many)):
            console.note(f"{data.name}: {data.about}")
            out = scratch / f"out-{number}"
            request = dataclasses.replace(
                running.request(settings, archive, out=out, packed=packed),
                data=data.root,
                keep_runs=0,
                keep_zip_bytes=0,
                unscored=True,
            )
            result = carry_out(request)
            boxes = _boxes(out / PREDICTIONS_FILE) if result.verdict is Verdict.OK else {}
            plain = plain or boxes
            outcomes.append(_outcome(data, result, boxes, plain))
            if not plain or result.verdict is Verdict.INTERRUPTED:
                break
    return outcomes


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """Return the code of a run that was interrupted or of a plain one that failed; 1 for others."""
    first, last = outcomes[0].verdict, outcomes[-1].verdict
    if last is Verdict.INTERRUPTED or first is not Verdict.OK:
        return last.exit_code
    return int(any(one.differs for one in outcomes))


def _boxes(path: Path) -> Boxes:
    from posebowl.scoring import MAX_BYTES, parse, read_bounded

    frame = parse(read_bounded(path, max_bytes=MAX_BYTES), name=path.name).frame
    return {row[0]: row[1:] for row in frame.iter_rows()}


def _outcome(data: Stressed, result: Result, boxes: Boxes, plain: Boxes) -> Outcome:
    memory = result.meters.get("memory")
    growth = memory_growth(result.samples) if result.samples else None
    limit_s, limit = PLATFORM.wall_time_s, memory.limit if memory else PLATFORM.memory_bytes
    pairs = [(boxes[new], plain[old]) for new, old in data.same.items() if new in boxes]
    return Outcome(
        name=data.name,
        about=data.about,
        images=data.images,
        verdict=result.verdict,
        message=result.message,
        compared=len(pairs),
        changed=sum(one != two for one, two in pairs),
        seconds=result.timing.wall_s if result.timing else None,
        peak_memory_bytes=memory.used if memory else None,
        memory_growth=growth,
        # The other runs are too short to tell growth from the start.
        memory_full=data.name == MANY and growth is not None and growth * limit_s / 60 > limit,
    )
