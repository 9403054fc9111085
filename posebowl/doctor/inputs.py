"""The data and the zip that a run would take."""

from __future__ import annotations

from collections.abc import Iterator

from posebowl import config, data_folder
from posebowl.data import check
from posebowl.doctor.findings import Finding, State, of_error
from posebowl.errors import BadDataError, UsageError
from posebowl.files import human_bytes
from posebowl.settings import Settings


def data() -> Iterator[Finding]:
    """Look at the data that is in use."""
    try:
        report = check(data_folder.find(_settings().data))
    except (BadDataError, UsageError) as error:
        yield of_error("data", State.BAD, error)
        return
    yield Finding(name="data", state=State.GOOD, text=report.summary)


def archive() -> Iterator[Finding]:
    """Look for the zip."""
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
        return config.load()
    except UsageError:
        return config.defaults()
