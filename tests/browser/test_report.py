"""The report in a real browser: headless Chromium, opened from disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl
import pytest

from posebowl import report
from posebowl.errors import Verdict
from posebowl.report import comparison
from posebowl.results import history
from posebowl.results.comparison import compare
from posebowl.results.history import Run
from posebowl.scoring.metric import score
from tests.browser.sound import PHONE, check_sound
from tests.browser.webdriver import (
    ARROW_DOWN,
    ARROW_RIGHT,
    CHROMEDRIVER,
    CHROMIUM,
    END,
    ENTER,
    ESCAPE,
    TAB,
    Browser,
    browser,
)
from tests.report_samples import names, paint, passed, shifted, table, truths

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (CHROMIUM and CHROMEDRIVER),
        reason="needs Chromium: apt-get install chromium chromium-driver",
    ),
]

ATTACK: Final = '"><img src=x onerror="document.title=1"><script>document.title=2</script>'


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write reports of runs that passed, had no labels, failed, and were hostile."""
    folder = tmp_path_factory.mktemp("pages")
    ids, truth = names(30), truths(30)
    images = paint(folder / "images", ids[:-1], truth[:-1])
    (images / f"{ids[-1]}.png").write_text("broken")
    predictions = table(ids, shifted(truth))
    scored = score(predictions, table(ids, truth))
    log = folder / "log.txt"
    log.write_text(f"{ATTACK}\n" + "Traceback (most recent call last):\nKeyError: 1\n" * 30)
    good = replace(passed(30), warnings=("One thing.",), unenforced={"memory": "no group"})
    failed = replace(
        passed(), verdict=Verdict.RUNTIME_ERROR, message="main.sh failed.", fix="Fix it.", meters={}
    )
    hostile = replace(good, message=ATTACK, fix=ATTACK, warnings=(ATTACK, "word" * 5000))
    strange = table([ATTACK, *ids[1:]], truth)
    for name, result, frame, found in (
        ("passed", good, predictions, scored),
        ("unlabelled", good, predictions, None),
        ("failed", failed, None, None),
        ("hostile", replace(hostile, engine=ATTACK), strange, score(strange, strange)),
    ):
        report.write(
            folder / f"{name}.html",
            result,
            log=log,
            images=images,
            predictions=frame,
            score=found,
        )
    before, after = (
        kept(folder, number, frame, images) for number, frame in ((1, strange), (2, predictions))
    )
    for name, one, two in (("compared", after, kept(folder, 3, table(ids, truth), images)),):
        comparison.write(folder / f"{name}.html", compare(one, two), one, two)
    comparison.write(folder / "strange.html", compare(before, before), before, before)
    return folder


def kept(folder: Path, number: int, frame: pl.DataFrame, images: Path) -> Run:
    """Keep a run of predictions, labelled with the true boxes, whose text is hostile."""
    truth = table(frame["image_id"].to_list(), truths(frame.height))
    result = replace(
        passed(frame.height),
        run_id=f"20240501-12000{number}-00000{number}",
        message=ATTACK,
        environment={"x": f"{ATTACK}{number}"},
        data={"root": str(images.parent), "images": frame.height},
    )
    history.keep(folder, result, score(frame, truth).frame)
    return history.find(result.run_id, folder)


@pytest.fixture
def passed_page(chromium: Browser, pages: Path) -> Browser:
    chromium.media(scheme="light", width=1200, height=900)
    chromium.open(pages / "passed.html")
    return chromium


def focused(chromium: Browser) -> str:
    return str(chromium.run("return document.activeElement.id || document.activeElement.className"))


def is_open(chromium: Browser) -> bool:
    return bool(chromium.run("return document.getElementById('viewer').open"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, 1200])
@pytest.mark.parametrize(
    "name", ["passed", "unlabelled", "failed", "hostile", "compared", "strange"]
)
def test_each_page_is_sound(
    chromium: Browser, pages: Path, name: str, width: int, scheme: str
) -> None:
    chromium.media(scheme=scheme, width=width, height=800)
    chromium.open(pages / f"{name}.html")
    check_sound(chromium, width)
    asked = [url for url in chromium.requests() if not url.startswith("data:")]
    assert asked == [(pages / f"{name}.html").as_uri()]


def test_hostile_text_runs_nothing(chromium: Browser, pages: Path) -> None:
    chromium.open(pages / "hostile.html")
    assert chromium.run("return document.title").startswith("Passed")
    assert chromium.run("return document.scripts.length") == 1
    chromium.click(".tile")
    assert chromium.run("return document.getElementById('viewer-title').textContent") != ""
    assert chromium.run("return document.title").startswith("Passed")
    assert chromium.console() == []


def test_every_picture_is_drawn(passed_page: Browser) -> None:
    widths = passed_page.run("return [...document.images].map((image) => image.naturalWidth)")
    assert len(widths) == 29
    assert min(widths) > 0
    assert passed_page.run("return document.querySelectorAll('.photo.none').length") == 1


def test_a_picture_is_enlarged_and_closed_by_escape(passed_page: Browser) -> None:
    tile = ".gallery li:nth-child(5) .tile"
    small = passed_page.run(f"return document.querySelector('{tile} img').clientWidth")
    passed_page.click(tile)
    assert is_open(passed_page)
    large = passed_page.run("return document.querySelector('#viewer-stage img').clientWidth")
    assert large > 3 * small
    assert passed_page.run("return document.querySelectorAll('#viewer-stage .boxes').length") == 2
    passed_page.press(ESCAPE)
    assert passed_page.until("return !document.getElementById('viewer').open")
    assert passed_page.until("return document.activeElement.className === 'tile'")
    assert passed_page.console() == []


def test_arrows_and_buttons_go_on_and_around(passed_page: Browser) -> None:
    count = "return document.getElementById('viewer-count').textContent"
    passed_page.click(".tile")
    assert passed_page.run(count) == "1 of 30"
    passed_page.press(ARROW_RIGHT)
    assert passed_page.run(count) == "2 of 30"
    passed_page.click("#viewer-previous")
    passed_page.click("#viewer-previous")
    assert passed_page.run(count) == "30 of 30"
    passed_page.click("#viewer-close")
    assert not is_open(passed_page)
    last = "return [...document.querySelectorAll('.tile')].at(-1) === document.activeElement"
    assert passed_page.until(last)


def test_a_click_beside_the_dialog_closes_it(passed_page: Browser) -> None:
    passed_page.click(".tile")
    passed_page.run("document.getElementById('viewer').click()")
    assert not is_open(passed_page)


def test_all_works_by_keyboard(passed_page: Browser) -> None:
    passed_page.press(TAB)
    assert focused(passed_page) == "skip"
    assert passed_page.run("return document.activeElement.getBoundingClientRect().left") >= 0
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert passed_page.run(outline) == "solid"
    passed_page.run("document.querySelector('.tile').focus()")
    passed_page.press(ENTER)
    assert is_open(passed_page)
    assert passed_page.run(
        "return document.getElementById('viewer').contains(document.activeElement)"
    )


def test_every_link_leads_to_its_section(passed_page: Browser) -> None:
    links = passed_page.run("return [...document.querySelectorAll('nav a')].map((a) => a.hash)")
    assert links == [
        "#platform",
        "#score",
        "#images",
        "#table",
        "#speed",
        "#warnings",
        "#environment",
        "#log",
    ]
    for link in links:
        passed_page.click(f"nav a[href='{link}']")
        top = passed_page.run(
            "return document.querySelector(location.hash).getBoundingClientRect().top"
        )
        assert passed_page.run("return location.hash") == link
        assert -1 <= top < 900


COUNT: Final = "return document.getElementById('images-count').textContent"
ROWS: Final = "return [...document.querySelectorAll('#images-rows tbody th button')]"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the report of 100,000 images."""
    path = tmp_path_factory.mktemp("many") / "report.html"
    count = 100_000
    ids = [f"{i * 2654435761 % 2**32:08x}{i:024x}" for i in range(count)]
    truth = truths(1000) * (count // 1000)
    near, exact = table(ids, shifted(truth)), table(ids, truth)
    result = replace(passed(count), data={"root": "x", "images": count})
    report.write(path, result, log=path, images=None, predictions=near, score=score(near, exact))
    return path


def ready(chromium: Browser, page: Path) -> None:
    chromium.open(page)
    assert chromium.until(f"{COUNT}.endsWith('images')")


def test_the_table_of_100_000_images_stays_small_and_quick(chromium: Browser, many: Path) -> None:
    assert many.stat().st_size < 5_000_000
    chromium.media(scheme="light", width=1200, height=900)
    ready(chromium, many)
    assert chromium.run(COUNT) == "100,000 images"
    assert chromium.run(f"{ROWS}.length") < 60
    height = "return document.getElementById('images-rows').scrollHeight"
    assert chromium.run(height) > 3_000_000
    ious = "return [...document.querySelectorAll('#images-rows tbody td:nth-child(2)')]"
    first = chromium.run(f"{ious}.slice(0, 5).map((cell) => Number(cell.textContent))")
    assert first == sorted(first)
    chromium.click("th[data-key='iou'] button")
    assert (
        chromium.run("return document.querySelector('th[data-key=iou]').ariaSort") == "descending"
    )
    assert float(chromium.run(f"{ious}[0].textContent")) > first[0]
    chromium.run("document.getElementById('images-rows').scrollTop = 1e9")
    assert chromium.until(
        "return document.querySelector('#images-rows tbody tr:nth-last-child(2)')"
        ".ariaRowIndex === '100001'"
    )
    chromium.click("#images-search")
    chromium.type("0000000000f")
    assert chromium.until(f"{COUNT} !== '100,000 images'")
    names = chromium.run(f"{ROWS}.map((button) => button.textContent)")
    assert names
    assert all("0000000000f" in name for name in names)
    assert chromium.console() == []


def test_paper_has_no_room_for_rows_that_are_not_in_view(chromium: Browser, many: Path) -> None:
    ready(chromium, many)
    assert 2 <= chromium.printed() <= 30
    assert chromium.console() == []


def test_the_rows_are_reached_by_keyboard(passed_page: Browser, pages: Path) -> None:
    ready(passed_page, pages / "passed.html")
    stops = "return document.querySelectorAll('#images-rows tbody [tabindex=\"0\"]').length"
    assert passed_page.run(stops) == 1
    passed_page.run("document.querySelector('#images-rows tbody [tabindex=\"0\"]').focus()")
    second = passed_page.run(f"{ROWS}[1].textContent")
    passed_page.press(ARROW_DOWN)
    focus = "return document.activeElement.textContent"
    assert passed_page.run(focus) == second
    passed_page.press(END)
    last = passed_page.run(focus)
    passed_page.press(ENTER)
    assert is_open(passed_page)
    assert passed_page.run("return document.getElementById('viewer-count').textContent") == (
        "30 of 30"
    )
    passed_page.press(ESCAPE)
    assert passed_page.until(f"{focus} === '{last}'")
    assert passed_page.run(stops) == 1


def test_bars_cells_and_dots_list_their_images(passed_page: Browser, pages: Path) -> None:
    ready(passed_page, pages / "passed.html")
    marks = "[...document.querySelectorAll('.chart svg [data-pick]')]"
    expected = passed_page.run(
        f"return {marks}.map((mark) => mark.querySelector('title').textContent)"
    )
    assert len(expected) > 5
    for number, label in enumerate(expected):
        passed_page.run(f"{marks}[{number}].dispatchEvent(new MouseEvent('click'))")
        images = label.removesuffix(" images").split()[-1]
        assert passed_page.run(COUNT) == f"{images} of 30 images", label
    passed_page.click("#images-pick")
    assert passed_page.run(COUNT) == "30 images"
    passed_page.run(f"{marks}[0].focus()")
    passed_page.press(ARROW_RIGHT)
    assert passed_page.run(f"return {marks}.indexOf(document.activeElement)") == 1
    passed_page.press(ENTER)
    assert passed_page.run(COUNT).endswith(" of 30 images")
    dot = """
const dots = document.querySelector(".dots");
const svg = dots.ownerSVGElement;
const [, x, y] = /M([0-9.]+) ([0-9.]+)h0/.exec(dots.getAttribute("d"));
const at = new DOMPoint(x, y).matrixTransform(svg.getScreenCTM());
svg.dispatchEvent(new MouseEvent("click", {clientX: at.x, clientY: at.y}));
"""
    passed_page.run(dot)
    assert passed_page.run("return document.getElementById('images-pick').textContent") == (
        "near that point of the chart \u2715"
    )
    assert passed_page.run(f"{ROWS}.length") >= 1
    assert passed_page.console() == []


def test_the_boxes_of_the_dialog_keep_their_colours(chromium: Browser, pages: Path) -> None:
    chromium.open(pages / "compared.html")
    chromium.click(".tile")
    colours = chromium.run(
        "return ['truth', 'before', 'pred'].map((name) =>"
        " ['.tile', '#viewer-stage .frame'].map((place) =>"
        " getComputedStyle(document.querySelector(`${place} .boxes .${name}`)))"
        ".map((style) => `${style.stroke} ${style.strokeDasharray}`))"
    )
    assert all(tile == dialog for tile, dialog in colours)
    assert len({tile for tile, _ in colours}) == 3


def test_the_dialog_fits_a_phone(chromium: Browser, pages: Path) -> None:
    chromium.media(scheme="dark", width=PHONE, height=740)
    chromium.open(pages / "passed.html")
    chromium.click(".tile")
    box = chromium.run(
        "const r = document.getElementById('viewer').getBoundingClientRect();"
        "return [r.left, r.right, r.top, r.bottom]"
    )
    assert box[0] >= 0
    assert box[1] <= PHONE
    assert box[2] >= 0
    assert box[3] <= 740
    assert chromium.run("return document.documentElement.scrollWidth") == PHONE


def test_a_comparison_is_clicked_through(chromium: Browser, pages: Path) -> None:
    chromium.media(scheme="light", width=1200, height=900)
    chromium.open(pages / "compared.html")
    links = chromium.run("return [...document.querySelectorAll('nav a')].map((a) => a.hash)")
    assert links == ["#figures", "#images", "#differences", "#runs"]
    for link in links:
        chromium.click(f"nav a[href='{link}']")
        assert chromium.run("return location.hash") == link
    chromium.click(".tile")
    assert is_open(chromium)
    drawn = "return document.querySelectorAll('#viewer-stage .frame .boxes :not(.halo)').length"
    assert chromium.run(drawn) == 3
    chromium.press(ARROW_RIGHT)
    chromium.press(ESCAPE)
    assert chromium.until("return !document.getElementById('viewer').open")
    assert chromium.run("return document.title").startswith("The score is better")
    assert chromium.console() == []


def test_charts_have_tables_that_open_by_keyboard(passed_page: Browser) -> None:
    assert passed_page.run("return document.querySelectorAll('.chart details').length") >= 3
    passed_page.run("document.querySelector('.chart summary').focus()")
    passed_page.press(ENTER)
    assert passed_page.until("return document.querySelector('.chart details').open")
    rows = "return document.querySelectorAll('.chart details[open] tbody tr').length"
    assert passed_page.run(rows) > 3
    assert passed_page.console() == []
