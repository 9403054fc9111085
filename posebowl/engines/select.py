"""Which engine executes a run."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import assert_never

from posebowl.challenge import EngineName
from posebowl.engines.base import Engine, RunSpec, Watcher
from posebowl.engines.embedded.engine import EmbeddedEngine
from posebowl.engines.oci.engine import OciEngine
from posebowl.errors import EngineError

AUTO = (EngineName.DOCKER, EngineName.PODMAN, EngineName.EMBEDDED)
"""What `auto` tries, in this order."""


def make(name: EngineName, *, full: bool = False, allow_cpu: bool = False) -> Engine:
    """Make the engine of a name."""
    match name:
        case EngineName.DOCKER | EngineName.PODMAN:
            return OciEngine(name, allow_cpu=allow_cpu)
        case EngineName.EMBEDDED:
            return EmbeddedEngine(full=full)
        case _:
            assert_never(name)


def ask(name: EngineName | None) -> None:
    """Ask an engine what it is, or those that `auto` tries until one answers.

    The answer is kept: whoever asks again, such as `prepared`, does not wait for it.
    """
    for candidate in (name,) if name else AUTO:
        if make(candidate).unavailable() is None:
            return


def prepared(
    name: EngineName | None,
    spec: RunSpec,
    watch: Watcher,
    *,
    full: bool = False,
    allow_cpu: bool = False,
) -> Engine:
    """Return an engine that is ready for a run: the named one, or the first that works here.

    Args:
        name: The user's choice; None takes docker if its daemon answers and its image is
            there, else podman likewise, else the embedded engine.
        spec: What it is to run.
        watch: Told why an engine was passed over.
        full: The embedded engine's environment is to hold everything.
        allow_cpu: The gpu image may run without a GPU.

    Raises:
        EngineError: The named engine, or none at all, works here.
    """
    if name is not None:
        return _prepare(make(name, full=full, allow_cpu=allow_cpu), spec, watch)
    reasons: list[str] = []
    for candidate in AUTO:
        try:
            engine = _prepare(make(candidate, full=full, allow_cpu=allow_cpu), spec, watch)
        except EngineError as error:
            reasons.append(f"{candidate}: {error.what} {error.why} {error.fix}")
            continue
        _say_passed_over(reasons, watch.note)
        return engine
    raise EngineError("No engine works here.", why="\n".join(reasons), fix="Type: invoke doctor")


def _prepare(engine: Engine, spec: RunSpec, watch: Watcher) -> Engine:
    if problem := engine.unavailable():
        raise EngineError(
            f"{engine.name} cannot be used here.", why=problem, fix="Type: invoke doctor"
        )
    with ThreadPoolExecutor() as pool:
        # Both mostly wait for the engine.
        reaping = pool.submit(engine.reap)
        engine.prepare(spec, watch)
        reaping.result()
    return engine


def _say_passed_over(reasons: list[str], note: Callable[[str], None]) -> None:
    """Mention only engines that are there but not ready; most people have one or none."""
    for reason in reasons:
        if "cannot be used here" not in reason:
            note(f"passed over {reason}")
