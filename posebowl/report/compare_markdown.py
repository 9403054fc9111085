"""The comparison of two runs as Markdown, for the summary of a workflow or a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from posebowl.report.compare_text import amount, change, verdict_on
from posebowl.results import BudgetLine, Change, Comparison, Difference, Images
from posebowl.util.text import brief, shorten, visible

_ROWS: Final = 5
_SPECIAL: Final = re.compile(r"[\\`*_{}\[\]<>|#@~!&$:\"']|(?<=[wW]{3})\.")
"""What starts a mark, a tag, a mention or a link."""
_MARKS: Final = {True: "kept", False: "**exceeded**", None: "not checked"}


def of(found: Comparison, budget: Sequence[BudgetLine] = ()) -> str:
    """Return a comparison as GitHub's Markdown; nothing that a submission wrote is markup in it.

    Args:
        found: The comparison.
        budget: How the second run stands to the budget.
    """
    return "\n\n".join(_blocks(found, budget)) + "\n"


def escaped(text: str) -> str:
    """Return untrusted text for one cell or sentence of Markdown: it shows as it is written."""
    line = visible(text).replace("\n", " ").replace("\t", " ")
    return _SPECIAL.sub(lambda match: f"&#{ord(match[0])};", line)


def _blocks(found: Comparison, budget: Sequence[BudgetLine]) -> Iterator[str]:
    sides = found.before, found.after
    yield f"## {escaped(found.before.name)} → {escaped(found.after.name)}"
    rows = [
        ("Submission", *(f"{side.submission} {side.sha256[:8]}".strip() for side in sides), ""),
        ("Note", *(shorten(side.note, 200) for side in sides), ""),
        ("Verdict", *(side.verdict for side in sides), ""),
    ]
    for figure in found.figures:
        values = (amount(figure, value) for value in (figure.before, figure.after))
        mood = f" ({figure.mood})" if figure.mood else ""
        rows.append((figure.name, *values, f"{change(figure)}{mood}"))
    shown = [row for row in rows if any(row[1:])]
    yield _table(("", "Before", "After", "Change"), shown)
    if budget:
        yield _table(("Budget", "", ""), [(i.name, _MARKS[i.kept], i.text) for i in budget])
    if found.images is not None:
        yield from _images(found.images)
    for title, differences in (("Limits", found.limits), ("Environment", found.environment)):
        if differences:
            yield _differences(title, differences)
    if found.notes:
        yield "\n".join(f"- {escaped(note)}" for note in found.notes)


def _images(images: Images) -> Iterator[str]:
    if images.difference is not None:
        yield (
            f"{images.better:,} better, {images.worse:,} worse, {images.equal:,} equal of "
            f"{images.count:,}. {escaped(verdict_on(images))}"
        )
    else:
        yield escaped(verdict_on(images))
    for title, changes in (("Most gained", images.gains), ("Most lost", images.losses)):
        rows = [_change(item) for item in changes[:_ROWS] if item.iou_before is not None]
        if rows:
            yield _table((title, "Before", "After"), rows)


def _change(item: Change) -> tuple[str, str, str]:
    return brief(item.image_id, 60), f"{item.iou_before:.4f}", f"{item.iou_after:.4f}"


def _differences(title: str, found: Sequence[Difference]) -> str:
    return _table((title, "Before", "After"), [(i.name, i.before, i.after) for i in found])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [[escaped(cell) for cell in head], ["---"] * len(head)]
    lines += [[cell if cell in _MARKS.values() else escaped(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
