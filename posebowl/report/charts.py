"""Charts as plain geometry: numbers in, coordinates of an SVG of WIDTH by HEIGHT out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

WIDTH: Final = 360
HEIGHT: Final = 200
LEFT, RIGHT, TOP, BOTTOM = 52.0, 350.0, 14.0, 168.0
"""The plotting area inside the SVG."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Maps values low..high to coordinates start..stop, linearly or by their logarithm."""

    low: float
    high: float
    start: float
    stop: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the coordinate of a value, kept within the ends."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.log:
            low, high, at = math.log(low), math.log(high), math.log(at)
        share = (at - low) / (high - low) if high > low else 0.0
        return round(self.start + share * (self.stop - self.start), 1)


@dataclass(frozen=True, kw_only=True)
class Tick:
    """A position on an axis, with its label."""

    at: float
    label: str


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A bar of a histogram; `label` describes in words what it counts."""

    x: float
    y: float
    width: float
    height: float
    label: str
    pick: str = ""
    """The images that it counts: names of what the table knows of each, each followed by the
    range low..high in which it lies (high not included), as in `iou 0.5 0.55`."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell of a heat map."""

    x: float
    y: float
    width: float
    height: float
    heat: float
    """Opacity of its colour: the lower the IoU, the stronger."""
    value: str
    count: str
    label: str
    pick: str
    row: tuple[str, ...]
    """The cell in the table that accompanies the chart."""


@dataclass(frozen=True, kw_only=True)
class Chart:
    """All that a template needs to draw one chart."""

    width: ClassVar = WIDTH
    height: ClassVar = HEIGHT
    left: ClassVar = LEFT
    right: ClassVar = RIGHT
    top: ClassVar = TOP
    bottom: ClassVar = BOTTOM

    name: str
    title: str
    summary: str
    """The chart in a sentence, for readers who cannot see it."""
    x_label: str
    y_label: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    bars: tuple[Bar, ...] = ()
    line: str = ""
    line2: str = ""
    """A second line, dashed; `names` then names both."""
    names: tuple[str, ...] = ()
    area: str = ""
    dots: str = ""
    near: str = ""
    """What the dots are placed by, for finding those near a point: for each axis its name,
    the two ends of its scale, and `log` or `linear`."""
    cells: tuple[Cell, ...] = ()
    marks: tuple[Tick, ...] = ()
    """Vertical lines with a label."""
    levels: tuple[Tick, ...] = ()
    """Horizontal lines with a label."""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    """The same as a table, for readers who cannot see the chart; its columns are `columns`."""


def polyline(points: Iterable[tuple[float, float]]) -> str:
    """Return the SVG path through points."""
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)


def steps(top: float, *, whole: bool = False, count: int = 4) -> list[float]:
    """Return round values 0..top in at most `count` steps: 1, 2 or 5 times a power of ten."""
    raw = top / count
    power = 10.0 ** math.floor(math.log10(raw)) if raw > 0 else 1.0
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= raw * 0.999)
    step = max(step, 1.0) if whole else step
    return [round(i * step, 10) for i in range(int(top / step + 1e-9) + 1)]
