"""How long a submission would take on the platform, from times that the platform reported.

A point is a submission that ran in both places: the platform's time for all of its images, divided
by the time of one image here. That quotient holds the number of the platform's images and how much
slower or faster it is, so neither has to be known. The geometric mean of all points, times the time
of one image in a later run here, is the forecast.

Its interval is the one that holds the next time with 90 % confidence, if quotients are spread
log-normally: exp(+-1.645 s sqrt(1 + 1/n)). Few points cannot tell their spread, so a spread of 10 %
counts as if two more points had shown it: s^2 = (2 * 0.1^2 + sum of squares) / (2 + n - 1). One
point alone gives -21 % to +26 %.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from posebowl.errors import Verdict
from posebowl.results.reach import steady_pace
from posebowl.results.result import Forecast, Result
from posebowl.util.files import open_regular, write_text

FILE: Final = "calibration.json"
_ASSUMED_SPREAD: Final = 0.1
_ASSUMED_POINTS: Final = 2
_CONFIDENCE: Final = 1.645
_LARGEST: Final = 1 << 20
_SHORTEST_S: Final = 1e-6
_LONGEST_S: Final = 1e9
"""No time is outside of these, and what is made of them is a number."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """A submission that ran here and on the platform."""

    sha256: str
    submission: str
    platform_s: float
    """As the platform reported it."""
    image_s: float
    """Time of one image here."""
    machine: str

    @property
    def quotient(self) -> float:
        """Return how many images of here the platform's time is."""
        return self.platform_s / self.image_s


def machine_of(result: Result) -> str:
    """Return what a time depends on beside the submission: processor, variant, limit on cores."""
    cores = result.meters.get("cpu")
    limit = f", {cores.limit:g} cores" if cores else ""
    return f"{result.environment.get('cpu', '')}, {result.variant}{limit}"


def image_seconds(result: Result) -> float | None:
    """Return the time of one image of a run that passed, without the start where that is known."""
    if result.verdict is not Verdict.OK or result.timing is None:
        return None
    steady = steady_pace(result.samples)
    rate = steady[1] if steady else result.timing.images_per_second
    return 1 / rate if rate and math.isfinite(rate) else None


def make(results: Sequence[Result], platform_s: float) -> Point | None:
    """Return the point of a submission that ran here once or more often; None if none passed.

    The median of the runs counts that were made on the machine of the first.
    """
    if not results:
        return None
    here = machine_of(results[0])
    times = [image_seconds(result) for result in results if machine_of(result) == here]
    known = [time for time in times if time is not None]
    if not known:
        return None
    return Point(
        sha256=str(results[0].archive.get("sha256", "")),
        submission=results[0].submission,
        platform_s=platform_s,
        image_s=statistics.median(known),
        machine=here,
    )


def read(cache: Path) -> list[Point]:
    """Return the points that were kept; what cannot be read counts as none."""
    try:
        with open_regular(cache / FILE) as file:
            found = [Point(**item) for item in json.loads(file.read(_LARGEST))]
        return [point for point in found if _is_sound(point)]
    except (OSError, ValueError, TypeError, RecursionError):
        return []


def _is_sound(point: Point) -> bool:
    return all(_SHORTEST_S < value < _LONGEST_S for value in (point.platform_s, point.image_s))


def add(cache: Path, point: Point) -> list[Point]:
    """Keep a point in place of an earlier one of the same zip and machine; return all.

    Raises:
        OSError: It cannot be written.
    """
    same = (point.sha256, point.machine)
    points = [*(p for p in read(cache) if (p.sha256, p.machine) != same), point]
    cache.mkdir(parents=True, exist_ok=True)
    write_text(cache / FILE, json.dumps([asdict(p) for p in points], indent=2) + "\n")
    return points


def forecast(result: Result, points: Iterable[Point]) -> Forecast | None:
    """Return how long the platform would take for a run; None without points of this machine."""
    image_s = image_seconds(result)
    here = machine_of(result)
    logs = [math.log(point.quotient) for point in points if point.machine == here]
    if image_s is None or not logs:
        return None
    mean, n = statistics.fmean(logs), len(logs)
    squares = sum((value - mean) ** 2 for value in logs)
    spread2 = (_ASSUMED_POINTS * _ASSUMED_SPREAD**2 + squares) / (_ASSUMED_POINTS + n - 1)
    wide = math.exp(_CONFIDENCE * math.sqrt(spread2 * (1 + 1 / n)))
    seconds = math.exp(mean) * image_s
    return Forecast(seconds=seconds, low=seconds / wide, high=seconds * wide, points=n)
