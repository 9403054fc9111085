"""The command line of an evaluation, for a process that has Ray."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from posebowl.batch import JSON_FILE, EvaluationRequest, RunOptions, evaluate, is_uri
from posebowl.cli.views import leaderboard
from posebowl.errors import PoseBowlError, StoppedError
from posebowl.settings import resolve
from posebowl.util import console
from posebowl.util.parser import Parser

OUT: Final = "evaluation"
_TEXTS: Final = ("variant", "engine", "time_limit", "memory", "cpus", "waive", "registry")
_FLAGS: Final = ("full", "allow_cpu")


def parser() -> argparse.ArgumentParser:
    """Describe the command line; the flags are those of `invoke evaluate`."""
    make = Parser(task="evaluate", prog="posebowl.cli.evaluate_main", description=__doc__)
    make.add_argument("places", nargs="*", type=Path)
    for name in (*_TEXTS, "data", "out", "address"):
        make.add_argument(f"--{name.replace('_', '-')}", default="")
    make.add_argument("--shards", type=int, default=1)
    for name in (*_FLAGS, "await_nodes", "resume", "json"):
        make.add_argument(f"--{name.replace('_', '-')}", action="store_true")
    return make


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate as the command line says, and return the exit code.

    Raises:
        PoseBowlError: Something is wrong that a person can put right.
    """
    options = parser().parse_args(argv)
    try:
        done = evaluate(_asked(options))
    except KeyboardInterrupt:
        raise StoppedError(
            "Interrupted.",
            why="Ctrl-C, or a signal to end; what had ended is kept.",
            fix="Type the same command with --resume.",
        ) from None
    if options.json:
        print((done.out / JSON_FILE).read_text(), end="")
    else:
        leaderboard.leaderboard(done)
    failed = (row.verdict for row in done.rows if row.verdict.is_infrastructure_failure)
    return min((verdict.exit_code for verdict in failed), default=0)


def _asked(options: argparse.Namespace) -> EvaluationRequest:
    given = {name: getattr(options, name) for name in (*_TEXTS, *_FLAGS)}
    settings = resolve.load(data="" if is_uri(options.data) else options.data, **given)
    data = str(settings.data) if settings.data else None
    return EvaluationRequest(
        places=tuple(path.expanduser() for path in options.places),
        out=Path(options.out).expanduser() if options.out else settings.submission / OUT,
        data=options.data if is_uri(options.data) else data,
        cache=settings.cache,
        options=RunOptions(
            variant=settings.variant,
            engine=settings.engine,
            limits=settings.limits,
            waived=settings.waive,
            full=settings.full,
            allow_cpu=settings.allow_cpu,
        ),
        shards=options.shards,
        address=options.address,
        registry=settings.registry or "",
        resume=options.resume,
        await_nodes=options.await_nodes,
    )


def run() -> int:
    """Run as a program of its own."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)
    console.tolerate_odd_names()
    try:
        return main()
    except PoseBowlError as error:
        console.show_error(error, as_json="--json" in sys.argv)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(run())
