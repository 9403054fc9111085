"""Two runs side by side, as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from posebowl.challenge import IMAGES_DIR
from posebowl.errors import Verdict
from posebowl.report import pictures
from posebowl.report.compare_text import amount, change, verdict_on
from posebowl.report.gallery import Group, Item
from posebowl.report.iou_charts import iou_differences, iou_pairs
from posebowl.report.page import fill
from posebowl.report.sections import State
from posebowl.results import Change, Comparison, Figure, Images, Run, paired_ious
from posebowl.util.files import write_text
from posebowl.util.text import counted, shorten

_PICTURES = 24
"""How many are drawn, of the gains and the losses together."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A figure of both runs in words."""

    name: str
    before: str
    after: str
    change: str
    mood: str


def write(path: Path, found: Comparison, before: Run, after: Run) -> None:
    """Write the page of a comparison, whole or not at all: one HTML file under 5 MB.

    Args:
        path: The page; an older one is replaced.
        found: The comparison.
        before: Its first run.
        after: Its second run; photos are taken from its data, if that still exists.

    Raises:
        OSError: The page cannot be written.
        PoseBowlError: Predictions that were kept cannot be read.
    """
    write_text(path, render(found, before, after))


def render(found: Comparison, before: Run, after: Run) -> str:
    """Return the HTML of a comparison; see `write`."""
    groups = _groups(found.images)
    ious = paired_ious(before, after)
    root = after.result.data.get("root")
    photos = Path(root) / IMAGES_DIR if isinstance(root, str) and root else None
    loaded = iter(pictures.load([item for group in groups for item in group.items], photos))
    state, title = headline(found)
    return fill(
        "comparison.html.j2",
        scripts=("viewer.js",),
        short=shorten,
        state=state,
        title=title,
        found=found,
        sentence=verdict_on(found.images) if found.images else "",
        lines=[_line(figure) for figure in found.figures],
        charts=(iou_pairs(*ious), iou_differences(*ious)) if ious else (),
        groups=[(group, [(item, next(loaded)) for item in group.items]) for group in groups],
    )


def headline(found: Comparison) -> tuple[State, str]:
    """Return in a few words whether the second run is better."""
    passed = [side.verdict == Verdict.OK for side in (found.before, found.after)]
    if passed == [True, False]:
        return "fail", "It no longer passes"
    if passed == [False, True]:
        return "pass", "It passes now"
    if passed == [False, False]:
        return "fail", "Neither run passed"
    if found.images is None or found.images.difference is None:
        return "unsure", "Two runs compared"
    return _of_scores(found.images, found.images.difference)


def _of_scores(images: Images, difference: float) -> tuple[State, str]:
    if not images.better and not images.worse:
        return "unsure", "The same score"
    if not images.significant:
        return "unsure", "No clear change of the score"
    if difference > 0:
        return "pass", "The score is better"
    return "fail", "The score is worse"


def _line(figure: Figure) -> Line:
    return Line(
        name=figure.name,
        before=amount(figure, figure.before),
        after=amount(figure, figure.after),
        change=change(figure),
        mood=figure.mood,
    )


def _groups(images: Images | None) -> list[Group]:
    if images is None:
        return []
    scored = images.difference is not None
    half = _PICTURES // 2
    parts = (
        ("losses", "What got worse" if scored else "What changed most", images.losses[:half]),
        ("gains", "What got better", images.gains[:half]),
    )
    note = "Largest change first" if scored else "Least overlap of the two boxes first"
    return [
        Group(
            name=name,
            title=title,
            note=f"{note}: {counted(len(changes), 'image')}.",
            items=_items(changes),
        )
        for name, title, changes in parts
        if changes
    ]


def _items(changes: Sequence[Change]) -> tuple[Item, ...]:
    return tuple(
        Item(
            image_id=change.image_id,
            pred=change.after,
            truth=change.truth,
            iou=change.iou_after,
            before=change.before,
            iou_before=change.iou_before,
            chips=() if change.truth else (f"overlap {change.overlap:.2f}",),
        )
        for change in changes
    )
