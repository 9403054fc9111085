"""The self-test: honest and hostile submissions, each with a known verdict, on each engine here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from posebowl.challenge import EngineName, Variant
from posebowl.doctor import engines as findings
from posebowl.engines import Checked, make, obstacle, self_check
from posebowl.engines.oci import client as oci_client, image
from posebowl.errors import PoseBowlError
from posebowl.settings import Settings
from posebowl.util import host


@dataclass(frozen=True, kw_only=True)
class EngineTest:
    """What one engine made of the cases."""

    engine: EngineName
    about: str
    """Its version, rights and control groups."""
    rows: tuple[Checked, ...] = ()
    problem: str = ""
    """Why it was not tested; empty if it was."""
    fix: str = ""

    @property
    def deviating(self) -> tuple[Checked, ...]:
        """The cases that did not end as they must."""
        return tuple(row for row in self.rows if not row.passed)


@dataclass(frozen=True, kw_only=True)
class SelfTest:
    """The whole table, and the machine that it is about."""

    at: str
    """When it began: ISO 8601, UTC."""
    machine: dict[str, str]
    variant: Variant
    lock: str
    engines: tuple[EngineTest, ...]

    @property
    def passed(self) -> bool:
        """Whether an engine was tested, and none deviated."""
        tested = [one for one in self.engines if not one.problem]
        return bool(tested) and not any(one.deviating for one in tested)


@dataclass(frozen=True, kw_only=True)
class TestWatcher:
    """Who is told of the test while it runs."""

    began: Callable[[EngineName, str], None] = lambda _engine, _about: None
    row: Callable[[Checked], None] = lambda _: None
    skipped: Callable[[EngineTest], None] = lambda _: None


def run_self_test(settings: Settings, watch: TestWatcher) -> SelfTest:
    """Run all cases on the engine of the settings, or on each engine that works here.

    Raises:
        PoseBowlError: The engine that was named cannot run anything here.
    """
    named = settings.engine
    at = datetime.now(UTC).isoformat(timespec="seconds")
    tests = [_test(name, settings, watch) for name in ((named,) if named else EngineName)]
    return SelfTest(
        at=at,
        machine=host.describe(),
        variant=settings.variant,
        lock=image.lock_hash(),
        engines=tuple(tests),
    )


def _test(name: EngineName, settings: Settings, watch: TestWatcher) -> EngineTest:
    engine = make(name, allow_cpu=settings.allow_cpu)
    cache, variant, runtime = settings.cache, settings.variant, settings.runtime or ""
    if problem := obstacle(engine, cache=cache, variant=variant, runtime=runtime):
        if settings.engine:
            raise problem
        skipped = EngineTest(engine=name, about="", problem=_reason(problem), fix=problem.fix)
        watch.skipped(skipped)
        return skipped
    about = _about(name) + (f", with --runtime {runtime}" if runtime else "")
    watch.began(name, about)
    rows = self_check(engine, cache=cache, variant=variant, runtime=runtime, told=watch.row)
    return EngineTest(engine=name, about=about, rows=rows)


def _reason(error: PoseBowlError) -> str:
    return f"{error.what} {error.why}".strip()


def _about(name: EngineName) -> str:
    """Return what the doctor says of an engine that works."""
    if name is EngineName.EMBEDDED:
        return next(findings.embedded(None)).text
    return findings.engine(oci_client.connect(name)).text
