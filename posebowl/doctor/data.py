"""The data and the zip that a run would take."""

from __future__ import annotations

from collections.abc import Iterator

from posebowl.data import check, folder
from posebowl.doctor.findings import Finding, State, of_error
from posebowl.errors import BadDataError, UsageError
from posebowl.settings import Settings, resolve
from posebowl.util.units import human_bytes


def data() -> Iterator[Finding]:
    """Check the data that is in use."""
    try:
        report = check(folder.find(_settings().data))
    except (BadDataError, UsageError) as error:
        yield of_error("data", State.BAD, error)
        return
    yield Finding(name="data", state=State.GOOD, text=report.summary)


def archive() -> Iterator[Finding]:
    """Check whether the zip is packed."""
    path = _settings().archive
    if path.is_file():
        text = human_bytes(path.stat().st_size)
        yield Finding(name="submission.zip", state=State.GOOD, text=text)
    else:
        fix = "Type: invoke pack --solution benchmark"
        text = "not packed yet"
        yield Finding(name="submission.zip", state=State.MISSING, text=text, fix=fix)


def _settings() -> Settings:
    """Return the settings, or the defaults where they are wrong: a finding of its own."""
    try:
        return resolve.load()
    except UsageError:
        return resolve.defaults()
