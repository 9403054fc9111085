"""What a run prints: drained through the handshake, and read for why main.sh did not start."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import IO, Final

from posebowl.challenge import CODE_EXECUTION, EngineName
from posebowl.engines.base import RunSpec
from posebowl.engines.handshake import Handshake
from posebowl.engines.log_capture import LogCapture
from posebowl.errors import BadArchiveError, BadDataError, EngineError, VerdictError
from posebowl.util.text import visible

UNPACK_REFUSED: Final = 3
"""Exit code of runtime/unpack.py for an archive that it refuses."""
UNREADABLE: Final = 72
"""Exit code of runtime/entrypoint.sh where the run may not read its own files."""
LACKS_PROGRAM: Final = 73
"""Exit code of a foreign image without a program that the entrypoint calls."""
_CHUNK: Final = 1 << 20


def drain(stdout: IO[bytes], handshake: Handshake, log: LogCapture) -> None:
    """Read the stream to its end, never slower than the run prints."""
    try:
        while chunk := stdout.read(_CHUNK):
            log.feed(handshake.feed(chunk))
        log.feed(handshake.finish())
    finally:
        handshake.finish()


def start_failure(
    engine: EngineName,
    spec: RunSpec,
    handshake: Handshake,
    exit_code: int | None,
    *,
    client_said: str = "",
) -> VerdictError:
    """Return why the run was never ready: the archive, files that it may not read, or the engine.

    Args:
        engine: Which engine.
        spec: What was to run.
        handshake: Holds what was printed inside before the first mark.
        exit_code: Of process 1.
        client_said: What the engine itself printed, safe to show.
    """
    said = visible(handshake.early.decode(errors="replace")).strip()
    if exit_code == UNPACK_REFUSED and said:
        return BadArchiveError(
            "submission.zip cannot be unpacked.", why=said, fix="Pack it again: invoke pack"
        )
    if exit_code == UNREADABLE and said:
        return _unreadable(spec, said.splitlines())
    if exit_code == LACKS_PROGRAM and spec.image and said:
        return EngineError(
            f"The image {spec.image} has no program {said}.",
            why="A run needs a shell, env, find, sort, wc, head, and Python named `python`.",
            fix="Leave --image out to run in the image that is made from uv.lock.",
        )
    other = EngineName.DOCKER if engine is EngineName.EMBEDDED else EngineName.EMBEDDED
    runtime = f" with the runtime {spec.runtime}" if spec.runtime else ""
    return EngineError(
        f"The engine {engine} could not start the run{runtime}.",
        why=said or client_said or f"It ended with exit code {exit_code} and printed nothing.",
        fix="Leave --runtime out, or type: invoke doctor"
        if runtime
        else f"Type `invoke doctor`, or use another engine: --engine {other}",
    )


def _unreadable(spec: RunSpec, lines: list[str]) -> VerdictError:
    """Return the error for files that the run may not read: how many, and the first of them."""
    on_host = {
        str(CODE_EXECUTION / "data/images"): spec.images,
        str(CODE_EXECUTION / "data/submission_format.csv"): spec.submission_format,
        str(CODE_EXECUTION / "submission.zip"): spec.archive,
    }
    count, *first = lines
    shown = []
    for line in first:
        inside = next((place for place in on_host if line.startswith(place)), "")
        shown.append(f"{on_host.get(inside, Path(line))}{line.removeprefix(inside)}")
    more = int(count) - len(shown)
    names = ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")
    parts = " ".join(
        shlex.quote(str(path))
        for place, path in on_host.items()
        if any(line.startswith(place) for line in first) or (more > 0 and path == spec.images)
    )
    only_archive = first == [str(CODE_EXECUTION / "submission.zip")]
    error = BadArchiveError if only_archive else BadDataError
    return error(
        f"The run may not read {names}.",
        why="It runs as an ordinary user, even where root starts it.",
        fix=f"Type: chmod -R a+rX {parts}",
    )
