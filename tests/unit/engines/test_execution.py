"""What is known of a run that has ended; runs themselves are in tests/container."""

from __future__ import annotations

import os
from pathlib import Path

from posebowl.engines.execution import End


def misplaced(workdir: Path | None) -> bool:
    return End(exit_code=0, workdir=workdir).misplaced


def test_predictions_in_the_working_directory_are_misplaced(tmp_path: Path) -> None:
    assert not misplaced(None)
    assert not misplaced(tmp_path / "none")
    assert not misplaced(tmp_path)
    (tmp_path / "submission.csv").symlink_to("nowhere")
    assert misplaced(tmp_path)


def test_a_working_directory_that_leads_elsewhere_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/submission.csv").touch()
    (tmp_path / "workdir").symlink_to(tmp_path / "elsewhere")
    assert not misplaced(tmp_path / "workdir")


def test_a_closed_working_directory_is_no_failure(tmp_path: Path) -> None:
    """A user who may use Docker may not look into the layers of its containers."""
    (tmp_path / "layer/workdir").mkdir(parents=True)
    (tmp_path / "layer/workdir/submission.csv").touch()
    tmp_path.joinpath("layer").chmod(0o000)
    if (child := os.fork()) == 0:
        try:
            if os.geteuid() == 0:  # who may look everywhere
                os.setresuid(65534, 65534, 65534)
            os._exit(int(misplaced(tmp_path / "layer/workdir")))
        finally:
            os._exit(9)
    _, status = os.waitpid(child, 0)
    tmp_path.joinpath("layer").chmod(0o700)
    assert os.waitstatus_to_exitcode(status) == 0
