"""Charts of a run over time: memory, cores, disk, and images per second."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Final

from posebowl.engines import Sample
from posebowl.report.charts import BOTTOM, LEFT, RIGHT, TOP, Chart, Scale, Tick, polyline, steps
from posebowl.util.units import duration, human_bytes

_MOST_SAMPLES: Final = 300
_SPANS: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
_ROWS: Final = 10
"""Steps of the table that accompanies a chart."""
_STRETCHES: Final = 40
"""The most parts into which a run is divided to count the images of each."""


def memory_over_time(samples: Sequence[Sample], *, limit: float | None) -> Chart | None:
    """Draw memory over time; None if there are too few samples."""
    if samples and not samples[-1].memory_bytes:
        samples = samples[:-1]  # taken after all processes had ended
    points = [(s.elapsed_s, float(s.memory_bytes)) for s in samples]
    peak = max((value for _, value in points), default=0.0)
    return _over_time(
        points,
        name="memory",
        title="Memory over time",
        summary=f"Memory over time; the highest sample is {human_bytes(peak)}.",
        y_label="memory",
        limit=limit,
        binary=True,
    )


def cpu_over_time(samples: Sequence[Sample], *, limit: float | None) -> Chart | None:
    """Draw busy processor cores over time; None if there are too few samples."""
    points = _rates([(sample.elapsed_s, sample.cpu_s) for sample in samples])
    peak = max((value for _, value in points), default=0.0)
    return _over_time(
        points,
        name="cpu",
        title="CPU over time",
        summary=f"Busy processor cores over time; at most {peak:.1f}.",
        y_label="busy cores",
        limit=limit,
        binary=False,
    )


def images_over_time(samples: Sequence[Sample]) -> Chart | None:
    """Draw images a second over time; None if they were not counted."""
    if not any(sample.images for sample in samples):
        return None
    # With few images in a stretch, the curve would show only when each was counted.
    stretches = min(_STRETCHES, max(4, samples[-1].images // 4))
    stretch = max(1, math.ceil(len(samples) / stretches))
    ends = [*samples[:-1:stretch], samples[-1]]
    points = _rates([(sample.elapsed_s, float(sample.images)) for sample in ends])
    peak = max((value for _, value in points), default=0.0)
    return _over_time(
        points,
        name="pace",
        title="Images per second over time",
        summary=f"Images per second over time; at most {peak:,.1f}.",
        y_label="images per second",
        limit=None,
        binary=False,
    )


def bytes_over_time(samples: Sequence[Sample]) -> Chart | None:
    """Draw how much was read and written so far; None if nothing was."""
    read = [(s.elapsed_s, float(s.read_bytes)) for s in samples]
    written = [(s.elapsed_s, float(s.write_bytes)) for s in samples]
    totals = [max((value for _, value in points), default=0.0) for points in (read, written)]
    if not any(totals):
        return None
    return _over_time(
        read,
        name="bytes",
        title="Read and written so far",
        summary=f"Bytes over time: {human_bytes(totals[0])} read, {human_bytes(totals[1])} "
        "written in all.",
        y_label="bytes",
        limit=None,
        binary=True,
        second=written,
        names=("read", "written"),
    )


def _rates(totals: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return how fast a total grew between its points, each at the later one.

    The last two points may be so close that the rate between them means nothing: if less than a
    quarter of the usual distance apart, they count as one.
    """
    if len(totals) > 3:
        gaps = [b[0] - a[0] for a, b in itertools.pairwise(totals)]
        if gaps[-1] < sorted(gaps)[len(gaps) // 2] / 4:
            totals = [*totals[:-2], totals[-1]]
    return [
        (b[0], max(0.0, (b[1] - a[1]) / (b[0] - a[0])))
        for a, b in itertools.pairwise(totals)
        if b[0] > a[0]
    ]


def _over_time(
    points: Sequence[tuple[float, float]],
    *,
    name: str,
    title: str,
    summary: str,
    y_label: str,
    limit: float | None,
    binary: bool,
    second: Sequence[tuple[float, float]] = (),
    names: tuple[str, ...] = (),
) -> Chart | None:
    points, second = (
        thin([(t, v) for t, v in some if math.isfinite(t) and math.isfinite(v)])
        for some in (points, second)
    )
    if len(points) < 2:
        return None
    peak = max(value for _, value in [*points, *second])
    # A limit far above what was used would flatten the curve: it is not drawn.
    near = limit is not None and 0 < limit <= 2.5 * peak
    top = max(peak, limit or 0.0) * 1.05 if near else peak * 1.15
    top = top or 1.0
    x = Scale(low=0, high=points[-1][0], start=LEFT, stop=RIGHT)
    y = Scale(low=0, high=top, start=BOTTOM, stop=TOP)
    line = polyline([(x(time), y(value)) for time, value in points])
    values = binary_steps(top) if binary else steps(top)
    return Chart(
        name=name,
        title=title,
        summary=f"{summary} The run took {duration(points[-1][0])}.",
        x_label="time since main.sh started",
        y_label=y_label,
        x_ticks=tuple(Tick(at=x(v), label=_label(v, duration)) for v in spans(points[-1][0])),
        y_ticks=tuple(
            Tick(at=y(v), label=_label(v, human_bytes) if binary else f"{v:g}") for v in values
        ),
        line=line,
        line2=polyline([(x(time), y(value)) for time, value in second]) if second else "",
        names=names,
        area=f"{line}V{BOTTOM}H{x(points[0][0])}Z",
        columns=("Time", *(name.capitalize() for name in names or (y_label,))),
        rows=_rows(points, second, binary=binary),
        levels=(Tick(at=y(limit), label="limit"),) if near and limit is not None else (),
    )


def _rows(
    points: Sequence[tuple[float, float]],
    second: Sequence[tuple[float, float]],
    *,
    binary: bool,
) -> tuple[tuple[str, ...], ...]:
    """Return a curve as a table of few rows, evenly spaced, with the last point."""
    chosen = sorted({round(i * (len(points) - 1) / _ROWS) for i in range(_ROWS + 1)})

    def word(value: float) -> str:
        return human_bytes(value) if binary else f"{value:,.2f}"

    return tuple(
        (duration(points[i][0]), word(points[i][1]), *([word(second[i][1])] if second else []))
        for i in chosen
    )


def thin(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the highest point of each of at most 300 stretches, so that peaks remain."""
    if len(points) <= _MOST_SAMPLES:
        return list(points)
    size = math.ceil(len(points) / _MOST_SAMPLES)
    chunks = (points[i : i + size] for i in range(0, len(points), size))
    return [max(chunk, key=lambda point: point[1]) for chunk in chunks]


def binary_steps(top: float, count: int = 4) -> list[float]:
    """Return round numbers of bytes 0..top: multiples of a power of two."""
    step = 2.0 ** math.ceil(math.log2(max(top / count, 1.0)))
    return [i * step for i in range(int(top / step) + 1)]


def spans(end: float, count: int = 5) -> list[float]:
    """Return round times 0..end, in seconds."""
    step = next((s for s in _SPANS if s * count >= end), end / count)
    return [round(i * step, 3) for i in range(int(end / step + 1e-9) + 1)] if step else [0.0]


def _label(value: float, word: Callable[[float], str]) -> str:
    """Return the label of a tick, without a needless `.0`."""
    return word(value).replace(".0 ", " ") if value else "0"
