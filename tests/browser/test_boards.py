"""The leaderboard and the page of the self-test in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pytest

from posebowl.batch import Twins, leaderboard, leaderboard_page, matrix_page, ranking
from posebowl.batch.result_store import ResultStore
from posebowl.challenge import EngineName, Variant
from posebowl.doctor.selftest import EngineTest, SelfTest
from posebowl.doctor.selftest_page import self_test_page
from posebowl.engines import Checked
from posebowl.errors import Verdict
from tests.browser.sound import PHONE, check_sound
from tests.browser.webdriver import ARROW_RIGHT, CHROMEDRIVER, CHROMIUM, Browser, browser
from tests.unit.batch.test_leaderboard import planned, put

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (CHROMIUM and CHROMEDRIVER),
        reason="needs Chromium: apt-get install chromium chromium-driver",
    ),
]

FAILED: Final = Checked(
    case="noterm",
    about="ignores SIGTERM",
    expected=Verdict.TIME_LIMIT,
    got=Verdict.OK,
    why="`killed` late",
    seconds=2.0,
)
SELFTEST: Final = SelfTest(
    at="2026-01-02T03:04:05+00:00",
    machine={"system": "Linux 6.1", "cpu": "Z80", "posebowl": "0.1.0"},
    variant=Variant.CPU,
    lock="ab" * 32,
    engines=(
        EngineTest(
            engine=EngineName.EMBEDDED,
            about="util-linux 2.38",
            rows=(FAILED, replace(FAILED, case="ok_min", got=Verdict.TIME_LIMIT, why="")),
        ),
        EngineTest(
            engine=EngineName.DOCKER, about="", problem="No daemon answers.", fix="Start it."
        ),
    ),
)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a leaderboard of 10,000 submissions, one with a very long name, and many that failed.

    Each row is that of a submission which was stored, with another name, score and verdict.
    """
    folder = tmp_path_factory.mktemp("board")
    made, store = planned(["team"]), ResultStore(folder)
    put(store, made, "team", Verdict.OK, 0.5, unenforced={"memory": "a watchdog checks it"})
    (row,) = leaderboard.rows(made, store)
    lines = [
        replace(
            row,
            submission=f"team-{i}" if i else "long" * 60,
            rank=i + 1 if i % 3 else None,
            verdict=Verdict.OK if i % 3 else Verdict.TIME_LIMIT,
            mean_iou=0.9 - i / 20_000 if i % 3 else None,
            images_per_second=i / 7 if i % 3 else None,
        )
        for i in range(10_000)
    ]
    path = folder / "leaderboard.html"
    path.write_text(leaderboard_page.render(made, lines))
    (folder / "few.html").write_text(leaderboard_page.render(made, lines[:12]))
    place = ranking.Standing(
        rank=12, rank_low=10, rank_high=12, beats_next=0.5, mean_iou=0.5, median_iou=0.5, moved=-10
    )
    split = [
        replace(line, team="t" * 60, subsets={"public": place, "p" * 40: place}, beats=(0.5,) * 10)
        for line in lines[:10]
    ]
    (folder / "split.html").write_text(leaderboard_page.render(made, split))
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, 1200])
def test_the_leaderboard_is_sound(chromium: Browser, board: Path, width: int, scheme: str) -> None:
    chromium.media(scheme=scheme, width=width, height=800)
    chromium.open(board.with_name("few.html"))
    check_sound(chromium, width)
    edges = chromium.run(
        "return [...document.querySelectorAll('.ranks tbody .mean')]"
        ".map((cell) => cell.getBoundingClientRect().right)"
    )
    assert len(edges) == 12
    assert max(edges) <= width
    name = "document.querySelector('.ranks tbody .name')"
    assert chromium.run(f"return {name}.title") == "long" * 60
    assert chromium.run(f"return {name}.scrollWidth > {name}.clientWidth")
    assert chromium.run("return document.querySelectorAll('.ranks tr .links a').length") == 24


@pytest.mark.parametrize(
    ("width", "columns"), [(PHONE, 0), (900, 0), (981, 0), (1101, 20), (1280, 20)]
)
def test_subsets_have_columns_where_there_is_room(
    chromium: Browser, board: Path, width: int, columns: int
) -> None:
    chromium.media(scheme="light", width=width, height=800)
    chromium.open(board.with_name("split.html"))
    check_sound(chromium, width)
    seen = (
        "return [...document.querySelectorAll('.ranks tbody {}')]"
        ".filter((cell) => cell.checkVisibility()).length"
    )
    assert chromium.run(seen.format(".part")) == columns
    assert chromium.run(seen.format(".place")) == 20 - columns
    edges = chromium.run(
        "return [...document.querySelectorAll('.ranks tbody .part, .ranks tbody .links')]"
        ".map((cell) => cell.getBoundingClientRect().right)"
    )
    assert max(edges) <= width


def test_a_leaderboard_of_10_000_is_sorted_and_searched(chromium: Browser, board: Path) -> None:
    chromium.media(scheme="light", width=1200, height=900)
    chromium.open(board)
    shown = "return document.getElementById('board-count').textContent"
    assert chromium.run(shown) == "10,000 submissions"
    column = (
        "return [...document.querySelectorAll('.ranks tbody tr:not([hidden]) .{}')]"
        ".map((cell) => cell.textContent)"
    )
    chromium.click("th[data-key='speed'] button")
    speeds = chromium.run(column.format("speed"))
    numbers = [float(text.replace(",", "")) for text in speeds if text != "-"]
    assert numbers == sorted(numbers)
    assert set(speeds[len(numbers) :]) == {"-"}
    chromium.click("th[data-key='speed'] button")
    assert float(chromium.run(column.format("speed"))[0].replace(",", "")) == max(numbers)
    chromium.click("#board-search")
    chromium.type("team-123")
    assert chromium.run(shown) == "11 of 10,000 submissions"
    assert all("team-123" in name for name in chromium.run(column.format("name")))
    assert chromium.console() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, 1200])
def test_the_page_of_the_self_test_is_sound(
    chromium: Browser, tmp_path: Path, width: int, scheme: str
) -> None:
    page = tmp_path / "selftest.html"
    page.write_text(self_test_page(SELFTEST))
    chromium.media(scheme=scheme, width=width, height=800)
    chromium.open(page)
    check_sound(chromium, width)


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a page of 12 submissions in groups of three, the last of which cannot be compared."""
    group = np.arange(12) % 4
    alike = np.where(np.equal.outer(group, group), 0.9, 0.2).astype(np.float32)
    alike[11] = alike[:, 11] = np.nan
    names = tuple("long" * 60 if at == 0 else f"team-{at}" for at in range(12))
    path = tmp_path_factory.mktemp("twins") / "twins.html"
    found = Twins(names=names, weights=alike, boxes=1 - alike / 10, code=alike, unread=("team-11",))
    path.write_text(matrix_page(found))
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, 1200])
def test_the_matrix_of_twins_is_sound(
    chromium: Browser, matrix: Path, width: int, scheme: str
) -> None:
    chromium.media(scheme=scheme, width=width, height=900)
    chromium.open(matrix)
    chromium.until("return document.getElementById('twins-cells').width === 12")
    check_sound(chromium, width)


def test_the_matrix_of_twins_is_read_with_keys_and_searched(
    chromium: Browser, matrix: Path
) -> None:
    chromium.media(scheme="light", width=1200, height=900)
    chromium.open(matrix)
    chromium.until("return document.getElementById('twins-cells').width === 12")
    colours = chromium.run(
        "const pixels = document.getElementById('twins-cells').getContext('2d')"
        ".getImageData(0, 0, 12, 12).data;"
        "return Array.from({length: 144}, (_, at) => pixels.slice(4 * at, 4 * at + 3).join());"
    )
    assert len({*colours}) == 4  # alike, not alike, not compared, the diagonal
    assert colours[1] == colours[2] == colours[12]  # the first group is a square
    assert colours[3] == colours[4] != colours[1]
    told = "return document.getElementById('twins-told').textContent"
    chromium.run("document.getElementById('twins-cells').focus()")
    chromium.press(ARROW_RIGHT)
    assert ": weights 90 %, boxes 91 %, code 90 %" in chromium.run(told)
    chromium.click("#twins-search")
    chromium.type("team-5")
    rows = "return [...document.querySelectorAll('#twins-pairs tbody tr')].map((r) => r.innerText)"
    found = chromium.run(rows)
    assert len(found) == 10
    assert all("team-5" in row.split() for row in found)
    assert {*found[0].split()[3:], *found[1].split()[3:]} == {"team-1", "team-5", "team-9"}
    assert chromium.console() == []
