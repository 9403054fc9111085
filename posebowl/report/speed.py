"""What a report says about speed: images per second, what fits into the time, and charts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from posebowl.challenge import LIMITS, Variant
from posebowl.errors import Verdict
from posebowl.report import usage_charts
from posebowl.report.charts import Chart
from posebowl.results import Result, Source, steady_pace
from posebowl.util.units import duration, quantity

_PLATFORM_S: Final = LIMITS[Variant.CPU].wall_time_s
_SOURCES: Final = {
    Source.READS: "An image counts once its file was opened and closed, as the kernel saw it.",
    Source.LOG: "Images are counted by lines such as 120/500 that main.sh printed.",
    Source.NONE: "Images could not be counted over time: no image file was seen to be "
    "read, and no line such as 120/500 was printed. The bytes read are shown instead.",
}


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How fast it is."""

    rate: float | None
    forecast: str
    facts: tuple[tuple[str, str], ...]
    charts: tuple[Chart, ...]
    note: str
    """How images were counted over time."""


def speed_view(result: Result) -> Speed | None:
    """Return how fast a run was, and how many images fit into the platform's time."""
    timing = result.timing
    if timing is None:
        return None
    rate = timing.images_per_second
    if result.verdict is not Verdict.OK or rate is None or not 0 < rate < math.inf:
        rate = None
    memory, cpu = result.meters.get("memory"), result.meters.get("cpu")
    pace = usage_charts.images_over_time(result.samples)
    drawn = (
        pace,
        usage_charts.memory_over_time(result.samples, limit=memory.limit if memory else None),
        usage_charts.cpu_over_time(result.samples, limit=cpu.limit if cpu else None),
        usage_charts.bytes_over_time(result.samples),
    )
    charts = tuple(chart for chart in drawn if chart is not None)
    source = Source(result.images_from) if result.images_from in set(Source) else Source.NONE
    return Speed(
        rate=rate,
        forecast=_forecast(result, rate) if rate else "",
        facts=_facts(result),
        charts=charts,
        note=_SOURCES[source if pace else Source.NONE] if charts else "",
    )


def _forecast(result: Result, rate: float) -> str:
    text = (
        f"In {_PLATFORM_S / 60:.0f} minutes this solution can do about "
        f"{_rounded(rate * _PLATFORM_S):,} images on this machine."
    )
    if (there := result.on_platform) is None:
        return text
    return f"{text} All images of the platform would take {there.text}."


def _rounded(count: float) -> int:
    """Return a number rounded down to three digits: no machine is steadier than that."""
    unit: int = 10 ** max(0, math.floor(math.log10(max(count, 1))) - 2)
    return math.floor(count / unit) * unit


def _facts(result: Result) -> tuple[tuple[str, str], ...]:
    timing = result.timing
    assert timing is not None  # noqa: S101  # of a run that started: for the type checker
    facts = [("main.sh took", duration(timing.wall_s)), ("engine start", duration(timing.start_s))]
    if timing.cpu_s_per_image:
        facts.append(("CPU time of an image", duration(timing.cpu_s_per_image)))
    if steady := steady_pace(result.samples):
        facts.append(("to the first image", duration(steady[0])))
        facts.append(("from then on", f"{steady[1]:,.1f} images/s"))
    for name, label in (("memory", "peak memory"), ("cpu", "mean CPU")):
        if meter := result.meters.get(name):
            facts.append((label, quantity(meter.used, meter.unit)))
    if result.samples:
        last = result.samples[-1]
        facts.append(("read", quantity(last.read_bytes, "bytes")))
        facts.append(("written", quantity(last.write_bytes, "bytes")))
    return tuple(facts)
