"""Which engine executes a run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, assert_never

from posebowl.challenge import EngineName
from posebowl.engines.base import Engine, RunSpec, Watcher
from posebowl.errors import EngineError, LimitUnenforcedError

AUTO = (EngineName.DOCKER, EngineName.PODMAN, EngineName.EMBEDDED)
"""What `auto` tries, in this order."""


class EngineMaker(Protocol):
    """Makes the engine of a name."""

    def __call__(self, name: EngineName, *, full: bool = False, allow_cpu: bool = False) -> Engine:
        """Return the engine."""
        ...


def make(name: EngineName, *, full: bool = False, allow_cpu: bool = False) -> Engine:
    """Make the engine of a name."""
    match name:
        case EngineName.DOCKER | EngineName.PODMAN:
            from posebowl.engines.oci.engine import OciEngine

            return OciEngine(name, allow_cpu=allow_cpu)
        case EngineName.EMBEDDED:
            from posebowl.engines.embedded.engine import EmbeddedEngine

            return EmbeddedEngine(full=full, allow_cpu=allow_cpu)
        case _:
            assert_never(name)


def ask(name: EngineName | None, *, engine_of: EngineMaker = make) -> None:
    """Ask an engine what it is, or those that `auto` tries until one answers.

    The answer is kept, so `prepared` does not wait for it again.
    """
    for candidate in (name,) if name else AUTO:
        if engine_of(candidate).unavailable() is None:
            return


def prepared(
    name: EngineName | None,
    spec: RunSpec,
    watch: Watcher,
    *,
    full: bool = False,
    allow_cpu: bool = False,
    engine_of: EngineMaker = make,
) -> Engine:
    """Return an engine that is ready for a run: the named one, or the first that can do it here.

    Args:
        name: The user's choice; None takes the first of docker, podman and embedded that works,
            has its image, and can enforce the limits that are not waived.
        spec: What it is to run.
        watch: Told why an engine was passed over.
        full: The embedded engine's environment is to hold everything.
        allow_cpu: The gpu image may run without a GPU.
        engine_of: Makes the engine of a name.

    Raises:
        EngineError: The named engine does not work here, or none does.
        LimitUnenforcedError: An engine works, but cannot enforce the limits; no other works.
    """
    if name is not None:
        return _prepare(engine_of(name, full=full, allow_cpu=allow_cpu), spec, watch)
    passed_over: dict[EngineName, str] = {}
    without_limits: list[LimitUnenforcedError] = []
    for candidate in AUTO:
        try:
            engine = _prepare(engine_of(candidate, full=full, allow_cpu=allow_cpu), spec, watch)
        except _UnavailableError as error:
            passed_over[candidate] = error.why
        except EngineError as error:
            passed_over[candidate] = str(error)
        except LimitUnenforcedError as error:
            passed_over[candidate] = str(error)
            without_limits.append(error)
        else:
            _mention(passed_over, watch)
            return engine
    for unenforced in without_limits:
        raise unenforced
    reasons = "\n".join(f"{other}: {reason}" for other, reason in passed_over.items())
    raise EngineError("No engine works here.", why=reasons, fix="Type: invoke doctor")


def _prepare(engine: Engine, spec: RunSpec, watch: Watcher) -> Engine:
    if problem := engine.unavailable():
        raise _UnavailableError(
            f"{engine.name} cannot be used here.", why=problem, fix="Type: invoke doctor"
        )
    with ThreadPoolExecutor() as pool:
        # Both mostly wait for the engine.
        reaping = pool.submit(engine.reap)
        engine.prepare(spec, watch)
        reaping.result()
    return engine


class _UnavailableError(EngineError):
    """The engine cannot be used on this machine at all; `why` says what to do about it."""


def _mention(passed_over: dict[EngineName, str], watch: Watcher) -> None:
    """Print why engines were passed over, except those that nobody installed."""
    for engine, reason in passed_over.items():
        if "is not installed" not in reason:
            watch.note(f"passed over {engine}: {reason}")
