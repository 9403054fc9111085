"""What all engines do with a run's output: drain it through the gate, and read failures in it."""

from __future__ import annotations

from typing import IO, Final

from posebowl.challenge import EngineName
from posebowl.engines.handshake import Gate
from posebowl.engines.log_capture import LogCapture
from posebowl.errors import BadArchiveError, EngineError, VerdictError
from posebowl.util.text import visible

UNPACK_REFUSED: Final = 3
"""Exit code of runtime/unpack.py for an archive that it does not take."""
_CHUNK: Final = 1 << 20


def drain(stdout: IO[bytes], gate: Gate, log: LogCapture) -> None:
    """Pass the stream on to its end; never slower than the run prints."""
    try:
        while chunk := stdout.read(_CHUNK):
            log.feed(gate.feed(chunk))
        log.feed(gate.finish())
    finally:
        gate.finish()


def early_words(gate: Gate) -> str:
    """Return what was said before the gate, safe to show: why main.sh could not be started."""
    return visible(gate.early.decode(errors="replace")).strip()


def start_failure(
    engine: EngineName, gate: Gate, exit_code: int | None, *, also_said: str = ""
) -> VerdictError:
    """Tell why the gate was never reached: the archive, or the engine.

    Args:
        engine: Which engine.
        gate: Holds what was said inside before its first mark.
        exit_code: Of process 1.
        also_said: What the engine's client said.
    """
    said = early_words(gate)
    if exit_code == UNPACK_REFUSED and said:
        return BadArchiveError(
            "submission.zip cannot be unpacked.", why=said, fix="Pack it again: invoke pack"
        )
    other = EngineName.DOCKER if engine is EngineName.EMBEDDED else EngineName.EMBEDDED
    return EngineError(
        f"The engine {engine} could not start the run.",
        why=said or also_said or f"It ended with code {exit_code} and said nothing.",
        fix=f"Type `invoke doctor`, or use another engine: --engine {other}",
    )
