"""Why a run did not start, and what to type then."""

from __future__ import annotations

from pathlib import Path

import pytest

from posebowl.challenge import EngineName, Limits, Variant
from posebowl.engines.base import RunSpec
from posebowl.engines.handshake import Handshake
from posebowl.engines.output_stream import start_failure


@pytest.mark.parametrize(
    ("engine", "runtime", "what", "fix"),
    [
        ("docker", "", "run.", "--engine embedded"),
        ("embedded", "", "run.", "--engine docker"),
        ("podman", "crun", "run with the runtime crun.", "Leave --runtime out"),
    ],
)
def test_the_advice_is_for_what_was_typed(
    tmp_path: Path, engine: str, runtime: str, what: str, fix: str
) -> None:
    spec = RunSpec(
        run_id="r",
        archive=tmp_path / "submission.zip",
        images=tmp_path / "images",
        submission_format=tmp_path / "submission_format.csv",
        output=tmp_path,
        scratch=tmp_path,
        log=tmp_path / "log.txt",
        variant=Variant.CPU,
        limits=Limits(),
        cache=tmp_path,
        runtime=runtime,
    )
    error = start_failure(EngineName(engine), spec, Handshake(), 126, client_said="no such thing")
    assert error.what == f"The engine {engine} could not start the {what}"
    assert error.why == "no such thing"
    assert fix in error.fix
    assert ("--engine" in error.fix) != bool(runtime)
