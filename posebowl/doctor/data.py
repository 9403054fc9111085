"""The data and the zip that a run would take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from posebowl import data as data_room
from posebowl.doctor.findings import Finding, State, of_error
from posebowl.errors import PoseBowlError
from posebowl.util.units import human_bytes


def data(named: Path | None) -> Iterator[Finding]:
    """Check the data that is in use; `named` is the folder that the settings name, if any."""
    try:
        report = data_room.check(data_room.folder.find(named))
    except PoseBowlError as error:
        yield of_error("data", State.BAD, error)
        return
    yield Finding(name="data", state=State.GOOD, text=report.summary)


def archive(path: Path) -> Iterator[Finding]:
    """Check whether the zip is packed."""
    if path.is_file():
        text = human_bytes(path.stat().st_size)
        yield Finding(name="submission.zip", state=State.GOOD, text=text)
    else:
        fix = "Type: invoke pack benchmark"
        text = "not packed yet"
        yield Finding(name="submission.zip", state=State.MISSING, text=text, fix=fix)
