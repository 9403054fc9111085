"""The texts of a report: verdict, platform, environment."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal

from posebowl.challenge import Variant
from posebowl.errors import Verdict
from posebowl.report.log_excerpt import get, signal_name
from posebowl.results import METERS, Meter, Result, kind_of
from posebowl.util.hints import typed
from posebowl.util.text import counted, shorten
from posebowl.util.units import quantity

State = Literal["pass", "fail", "unsure"]

_TITLES: Final = {
    Verdict.OK: "Passed",
    Verdict.BAD_ARCHIVE: "The archive is not acceptable",
    Verdict.TIME_LIMIT: "Out of time",
    Verdict.MEMORY_LIMIT: "Out of memory",
    Verdict.OUTPUT_LIMIT: "Wrote too much to disk",
    Verdict.RUNTIME_ERROR: "main.sh failed",
    Verdict.SIGNALED: "main.sh was killed",
    Verdict.BAD_OUTPUT: "No usable submission.csv",
    Verdict.INVALID_PREDICTIONS: "The predictions break the format",
    Verdict.ENGINE_ERROR: "The run could not be made",
    Verdict.BUSY: "Another run is in progress",
    Verdict.LIMIT_UNENFORCED: "A limit cannot be enforced here",
    Verdict.BAD_DATA: "The data is broken",
    Verdict.INTERRUPTED: "Interrupted",
}
_NAMES: Final = {
    "engine": "Engine version",
    "lock": "uv.lock SHA-256",
    "cpu": "CPU model",
    "cpu_model": "CPU model",
}
_TIGHT: Final = 0.8
"""A report warns from this share of a limit."""


@dataclass(frozen=True, kw_only=True)
class Headline:
    """How the run ended."""

    state: State
    verdict: str
    title: str
    message: str
    fix: str
    facts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Gauge:
    """One limit as a bar."""

    name: str
    state: Literal["fine", "tight", "over"]
    used: str
    limit: str
    share: float
    """Width of the bar, 0..100."""
    room: str
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Platform:
    """Whether the platform would reach the same verdict."""

    state: State
    answer: str
    reasons: tuple[str, ...]
    gauges: tuple[Gauge, ...]
    differences: tuple[str, ...]


def headline(result: Result) -> Headline:
    """Return how a run ended."""
    state: State = "fail"
    if result.verdict is Verdict.OK:
        state = "pass"
    elif result.verdict.is_infrastructure_failure:
        state = "unsure"
    facts = list(result.reached)
    if result.exit_code and "exit code" not in result.message:
        facts.append(f"main.sh ended with exit code {result.exit_code}")
    if result.signal is not None and "signal" not in result.message:
        facts.append(f"it died of {signal_name(result.signal)}")
    if result.oom_kills:
        facts.append(
            f"{counted(result.oom_kills, 'process', 'processes')} killed for lack of memory"
        )
    return Headline(
        state=state,
        verdict=result.verdict.value,
        title=_TITLES[result.verdict],
        message=shorten(typed(result.message), 2000),
        fix=shorten(typed(result.fix), 2000),
        facts=tuple(facts),
    )


def platform_view(result: Result) -> Platform:
    """Return whether the platform would end the run in the same way, and what is not known."""
    gauges = tuple(
        _gauge(name, result)
        for name in (*METERS, *sorted(set(result.meters) - set(METERS)))
        if name in result.meters
    )[:10]
    differences = _differences(result)
    beyond = [
        f"{kind.label} was {quantity(meter.used, meter.unit)}; the platform gives "
        f"{quantity(kind.on_platform, meter.unit)}."
        for name, kind in METERS.items()
        if (meter := result.meters.get(name))
        and kind.on_platform is not None
        and name != "cpu"
        and meter.used > kind.on_platform * 1.0001
    ]
    tight = [g.name.lower() for g in gauges if g.state != "fine" and g.name != METERS["log"].label]
    state, answer, reasons = _answer(result, beyond, tight)
    return Platform(
        state=state,
        answer=answer,
        reasons=tuple(reasons),
        gauges=gauges,
        differences=differences,
    )


def _answer(result: Result, beyond: list[str], tight: list[str]) -> tuple[State, str, list[str]]:
    stricter = _stricter(result)
    if result.verdict.is_infrastructure_failure:
        return "unsure", "Not known", ["This run says nothing about the submission."]
    if result.verdict is not Verdict.OK:
        if stricter:
            return "unsure", "Not known", [stricter]
        return "fail", "No", ["The platform would end this submission in the same way."]
    if beyond:
        return "fail", "No", beyond
    if result.variant == Variant.GPU:
        why = "This run could use a GPU; the platform has none. Run the cpu variant to find out."
        return "unsure", "Not known", [why]
    reasons = [f"Little head-room: {', '.join(tight)}."] if tight else []
    if result.unenforced:
        reasons.append("Some limits do not hold here as they do there; see below.")
    return "pass", "Very likely" if reasons else "Yes, as far as a run here can tell", reasons


def _stricter(result: Result) -> str:
    """Return which limit ended a run though the platform's is wider; empty if none did."""
    name = {
        Verdict.TIME_LIMIT: "time",
        Verdict.MEMORY_LIMIT: "memory",
        Verdict.OUTPUT_LIMIT: "output",
    }.get(result.verdict, "")
    meter, platform = result.meters.get(name), kind_of(name).on_platform
    if meter is None or platform is None or meter.limit >= platform:
        return ""
    return (
        f"This run was allowed {quantity(meter.limit, meter.unit)}, the platform gives "
        f"{quantity(platform, meter.unit)}."
    )


def _gauge(name: str, result: Result) -> Gauge:
    meter: Meter = result.meters[name]
    kind = kind_of(name)
    limit, platform = kind.limit, kind.on_platform
    share = meter.share if math.isfinite(meter.share) else 0.0
    notes = []
    if limit is not None and (why := result.unenforced.get(limit)):
        notes.append(f"Differs from the platform: {shorten(why)}.")
    if platform is not None and abs(meter.limit - platform) > 1e-6 * platform:
        notes.append(f"The platform's limit is {quantity(platform, meter.unit)}.")
    state: Literal["fine", "tight", "over"] = "fine"
    # A fast solution keeps all cores busy, and a long log is only cut.
    if name == "log" and share > 1:
        state = "tight"
        notes.append("What was printed beyond the limit was cut from the middle of the log.")
    elif name not in ("cpu", "log") and share >= _TIGHT:
        state = "over" if share >= 1 else "tight"
    return Gauge(
        name=kind.label,
        state=state,
        used=quantity(meter.used, meter.unit),
        limit=quantity(meter.limit, meter.unit),
        share=round(100 * min(max(share, 0.0), 1.0), 2),
        room=meter.room,
        notes=tuple(notes),
    )


def _differences(result: Result) -> tuple[str, ...]:
    if result.timing is None:
        return ()
    shown = {kind.limit for kind in METERS.values() if kind.limit is not None}
    seen = {kind_of(name).limit for name in result.meters}
    parts = [
        f"{str(limit).capitalize()}: {shorten(why)}."
        for limit, why in list(result.unenforced.items())[:20]
        if limit not in shown or limit not in seen
    ]
    if result.part:
        parts.append(
            f"It ran on only {result.part} (--limit), with IS_SMOKE_TEST=1: a quick look, not the "
            "score of all."
        )
    if result.data.get("demo"):
        count = result.data.get("images")
        number = f"the {count:,}" if isinstance(count, int) else "the"
        parts.append(
            f"It ran on {number} demo images: the platform has many more, so the time will be "
            "longer (see the speed below) and the score different."
        )
    if result.engine == "embedded":
        parts.append(
            "The embedded engine uses this machine's system libraries instead of the container "
            "image; the Python packages are those of the lock."
        )
    parts.append("The platform has another processor, so the speed can differ.")
    return tuple(parts)


def environment_rows(result: Result) -> tuple[tuple[str, str], ...]:
    """Return what a run ran on, as pairs of name and value."""
    archive, data = result.archive, result.data
    rows = [
        ("Run", shorten(result.run_id, 100)),
        ("Started", shorten(result.timing.started_at, 60) if result.timing else ""),
        ("Engine", shorten(result.engine, 60)),
        ("Variant", shorten(result.variant, 60)),
        ("Solution", get(archive, "solution")),
        ("Note", get(archive, "note")),
        ("Archive", get(archive, "path")),
        ("Archive SHA-256", get(archive, "sha256", 80)),
        ("Archive size", _bytes(archive.get("bytes"))),
        ("Unpacked", _bytes(archive.get("unpacked_bytes"))),
        ("Entries", get(archive, "entries", 20)),
        ("Data", get(data, "root")),
        ("Images", get(data, "images", 20)),
    ]
    own = [
        (_NAMES.get(key, shorten(key, 60).replace("_", " ").capitalize()), shorten(value))
        for key, value in list(result.environment.items())[:40]
    ]
    return tuple((name, value) for name, value in [*rows, *own] if value)


def _bytes(value: object) -> str:
    return quantity(float(value), "bytes") if isinstance(value, int | float) else ""
