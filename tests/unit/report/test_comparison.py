"""The page of a comparison: what it says, and that untrusted text stays text."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from posebowl.errors import Verdict
from posebowl.report import comparison
from posebowl.report.compare_text import change
from posebowl.report.comparison import headline
from posebowl.results import history
from posebowl.results.comparison import compare
from posebowl.results.figures import Figure
from posebowl.results.history import Run
from posebowl.results.result import Meter
from tests.report_samples import Box, names, paint, passed, table, truths
from tests.unit.report.test_page import HOSTILE, Page, check_harmless
from tests.unit.results.test_comparison import moved, run_of

COUNT = 30


def page_of(before: Run, after: Run) -> str:
    return comparison.render(compare(before, after), before, after)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """Return two runs on photos that are at hand."""
    folder, truth = tmp_path_factory.mktemp("pair"), truths(COUNT)
    paint(folder / "data" / "images", names(COUNT), truth)
    data = {"root": str(folder / "data"), "images": COUNT}
    before = [*moved(truth[:20], 9), *truth[20:]]
    after = [*truth[:20], *moved(truth[20:], 4)]
    return (
        run_of(folder, 1, before, labels=truth, data=data, environment={"lock": "1"}),
        run_of(folder, 2, after, labels=truth, data=data, environment={"lock": "2"}),
    )


@pytest.fixture(scope="module")
def page(pair: tuple[Run, Run]) -> str:
    """Return the page of two runs with photos and labels."""
    return page_of(*pair)


def test_the_page_shows_figures_images_and_differences(page: str) -> None:
    parsed = Page(page)
    assert re.findall(r'<section id="(\w+)"', page) == [
        "figures",
        "images",
        "differences",
        "runs",
    ]
    assert page.count('class="tile"') == 22
    assert page.count('src="data:image/jpeg;base64,') >= 22
    assert len(re.findall(r"<img ", page)) == len(re.findall(r'<img [^>]*alt="[^"]+', page))
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {link[1:] for link in parsed.links if link.startswith("#")} <= set(parsed.ids)
    assert "unsafe" not in parsed.policy
    assert parsed.policy.startswith("default-src 'none'; img-src data:;")
    assert not re.search(r"https?://|@import|url\(", page)


def test_headlines(tmp_path: Path, pair: tuple[Run, Run]) -> None:
    before, after = pair
    failed = run_of(tmp_path, 3, None, verdict=Verdict.TIME_LIMIT)
    unlabelled = run_of(tmp_path, 4, truths(COUNT))
    for one, two, state, title in (
        (before, after, "pass", "The score is better"),
        (after, before, "fail", "The score is worse"),
        (before, before, "unsure", "The same score"),
        (before, failed, "fail", "It no longer passes"),
        (failed, before, "pass", "It passes now"),
        (failed, failed, "fail", "Neither run passed"),
        (unlabelled, unlabelled, "unsure", "Two runs compared"),
    ):
        assert headline(compare(one, two)) == (state, title)


def test_one_image_among_many_is_no_clear_change(tmp_path: Path) -> None:
    truth = truths(COUNT)
    before = run_of(tmp_path, 1, truth, labels=truth)
    after = run_of(tmp_path, 2, [*truth[1:2], *truth[1:]], labels=truth)
    assert headline(compare(before, after)) == ("unsure", "No clear change of the score")


def test_failed_runs_have_a_page(tmp_path: Path) -> None:
    failed = run_of(tmp_path, 3, None, verdict=Verdict.BAD_ARCHIVE, timing=None, meters={})
    page = page_of(failed, failed)
    assert 'id="images"' not in page
    assert "<script" not in page


def strange(folder: Path, text: str, number: int, boxes: list[Box], *, labelled: bool) -> Run:
    name = text.encode(errors="replace").decode()
    return run_of(
        folder,
        number,
        boxes,
        ids=[name, "b", "c"],
        labels=truths(3) if labelled else None,
        message=text,
        fix=text,
        engine=f"{number}{text}",
        archive={"path": text, "sha256": text},
        data={"root": text, "images": text},
        environment={text: f"{number}{text}", "lock": f"{number}{text}"},
        unenforced={f"{number}{text}": text},
        meters={"time": Meter(used=number, limit=number, unit="s")},
    )


@pytest.fixture(scope="module")
def known(page: str, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Return all elements that pages of comparisons have, with photos and with every note."""
    folder = tmp_path_factory.mktemp("known")
    before = run_of(folder, 1, truths(3), engine="a")
    after = run_of(folder, 2, moved(truths(3), 3), engine="b", data={"images": 3})
    return Page(page + page_of(before, after))


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text(tmp_path: Path, known: Page, text: str, labelled: bool) -> None:
    boxes = truths(3)
    before = strange(tmp_path, text, 1, boxes, labelled=labelled)
    after = strange(tmp_path, text, 2, moved(boxes, 3), labelled=labelled)
    renamed = replace(after, name=text)
    shown = page_of(before, renamed)
    # Lone surrogates become what they are called when the page is written.
    comparison.write(tmp_path / "page.html", compare(before, renamed), before, renamed)
    check_harmless((tmp_path / "page.html").read_text(encoding="utf-8"), known)
    assert len(shown) < 1_500_000


def test_hundred_thousand_images_stay_below_5_mb(tmp_path: Path) -> None:
    count = 100_000
    truth = truths(count)
    before = run_of(tmp_path, 1, moved(truth, 3), labels=truth)
    after = run_of(tmp_path, 2, truth, labels=truth)
    assert len(page_of(before, after)) < 5_000_000
    assert history.find("last", tmp_path).result == after.result


def test_a_page_needs_only_what_was_kept() -> None:
    run = Run(name="x", folder=Path("none"), result=passed())
    assert "What changed?" in page_of(run, run)
    assert table([], []).is_empty()


@pytest.mark.parametrize(
    ("unit", "before", "after", "words"),
    [
        ("IoU", 0.5, 0.25, "-0.2500"),
        ("s", 100.0, 19.0, "-81.0%"),
        ("s", 100.0, 150.0, "+50.0%"),
        ("images/s", 4.0, 21.2, "5.3 times"),
        ("s", 4.0, 4.0, "same"),
        ("s", 0.0, 4.0, ""),
        ("s", None, 4.0, ""),
    ],
)
def test_a_change_in_words(unit: str, before: float | None, after: float, words: str) -> None:
    assert change(Figure(name="x", unit=unit, good="less", before=before, after=after)) == words
