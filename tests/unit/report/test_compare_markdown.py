"""The comparison of two runs as Markdown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from posebowl.report import compare_markdown
from posebowl.results import BudgetLine
from tests.unit.results.test_comparison import better_and_worse

HOSTILE = (
    "<img src=x onerror=alert(1)> | `x` **b** [a](http://e.com) @all #1 www.e.com\n# title \x1b[2J"
)


def test_all_that_changed_is_a_table(tmp_path: Path) -> None:
    found = better_and_worse(tmp_path)
    lines = compare_markdown.of(found).splitlines()
    assert lines[0].startswith("## 20240501-")
    assert "| Verdict | OK | OK |  |" in lines
    assert any(line.startswith("| Mean IoU | 0.") and "(better)" in line for line in lines)
    assert any("20 better, 4 worse, 6 equal of 30." in line for line in lines)
    gained = lines.index("| Most gained | Before | After |")
    assert len([line for line in lines[gained + 2 : gained + 5] if line.startswith("| ")]) == 3
    assert {line.count("|") for line in lines if line.startswith("|")} == {4, 5}


def test_the_budget_shows_what_was_exceeded(tmp_path: Path) -> None:
    budget = [BudgetLine(name="Time", kept=kept, text="So much.") for kept in (True, False, None)]
    shown = compare_markdown.of(better_and_worse(tmp_path), budget)
    for word in ("kept", "**exceeded**", "not checked"):
        assert f"| Time | {word} | So much. |" in shown


def test_nothing_that_a_submission_wrote_is_markup(tmp_path: Path) -> None:
    found = better_and_worse(tmp_path)
    side = replace(found.after, note=HOSTILE, submission=HOSTILE, name=HOSTILE)
    images = found.images
    assert images is not None
    gains = tuple(replace(item, image_id=HOSTILE) for item in images.gains)
    hostile = replace(found, after=side, images=replace(images, gains=gains), notes=(HOSTILE,))
    plain, shown = (compare_markdown.of(item).splitlines() for item in (found, hostile))
    assert len(shown) == len(plain) + 3  # the row of the note, and the list of one
    text = "\n".join(shown)
    for mark in ("<", "`", "*", "[", "@", "\x1b", "://", "www."):
        assert mark not in text
    assert {line.count("|") for line in shown if line.startswith("|")} == {4, 5}


@pytest.mark.parametrize("text", ["0.0310", "+5.6% (better)", "1.1 cores", "20261126-070630"])
def test_plain_words_stay_readable(text: str) -> None:
    assert compare_markdown.escaped(text) == text
