"""`invoke calibrate`: note the platform's time for a zip that ran here."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from posebowl.cli.tasks.results import calibrate
from posebowl.cli.views import result as summary
from posebowl.errors import UsageError, Verdict
from posebowl.results import Forecast, calibration, history
from posebowl.util import console
from tests.report_samples import passed

ZIP = b"some zip"
SHA256 = hashlib.sha256(ZIP).hexdigest()


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with two runs of one zip in its history, and one that failed."""
    monkeypatch.setenv("POSEBOWL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("POSEBOWL_SUBMISSION", str(tmp_path))
    timing = passed().timing
    assert timing is not None
    for number, rate in enumerate((1.0, 2.0)):
        result = replace(
            passed(),
            run_id=f"20240501-12000{number}-00000{number}",
            archive={"path": "a.zip", "sha256": SHA256},
            timing=replace(timing, images_per_second=rate),
        )
        history.keep(tmp_path, result, None)
    failed = replace(passed(), run_id="20240501-120009-000009", verdict=Verdict.TIME_LIMIT)
    history.keep(tmp_path, failed, None)
    (tmp_path / "a.zip").write_bytes(ZIP)
    return tmp_path


@pytest.mark.parametrize("how", ["000001", "zip"])
def test_a_run_or_a_zip_is_looked_up_by_its_hash(
    how: str, places: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(places / "a.zip") if how == "zip" else how
    calibrate({"run": run, "time": "46m"})
    (point,) = calibration.read(places / "cache")
    assert (point.sha256, point.platform_s) == (SHA256, 2760)
    assert point.image_s == 0.75  # the median of both runs
    assert "Noted 46 min for a.zip" in capsys.readouterr().out


@pytest.mark.parametrize("how", ["000009", "zip"])
def test_what_never_passed_here_cannot_be_compared(how: str, places: Path) -> None:
    (places / "b.zip").write_bytes(b"another")
    run = str(places / "b.zip") if how == "zip" else how
    with pytest.raises(UsageError, match="that passed is in the history"):
        calibrate({"run": run, "time": "46m"})
    assert calibration.read(places / "cache") == []


def test_the_platforms_time_stands_in_the_table_of_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = Forecast(seconds=4260, low=3720, high=5040, points=1)
    summary.show(replace(passed(), on_platform=there), tmp_path, console.out)
    shown = capsys.readouterr().out
    assert "about 1 h 11 min there (1 h 2 min to 1 h 24 min), by 1 submission" in shown
