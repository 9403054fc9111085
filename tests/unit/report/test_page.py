from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image

from posebowl import report
from posebowl.engines.base import Sample
from posebowl.errors import Verdict
from posebowl.report import page as module, pictures
from posebowl.report.gallery import Item
from posebowl.report.page import render
from posebowl.results import history
from posebowl.results.result import Result, ScoreSummary
from posebowl.scoring.metric import Score, score
from tests.report_samples import names, paint, passed, shifted, table, truths

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</script></style></title><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% include 'x' %}",
    "`<b>code</b>` and one more `",
    "]]><!--",
    "a\u2028b\u2029c",
    "\x1b]0;title\x07\x00\r\x9b31m",
    "\u202egnp.exe",
    "\ud800 lone",
    "<" * 100_000,
    "word" * 50_000,
    "",
)


class Page(HTMLParser):
    """The elements and attributes of a page, and the text of its script and style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: set[tuple[str, str]] = set()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.policy = ""
        self.raw: dict[str, str] = {}
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes |= {(tag, name) for name, _ in attrs}
        values = dict(attrs)
        self.links += [v or "" for k, v in attrs if k in ("href", "src", "xlink:href")]
        self.ids += [v or "" for k, v in attrs if k == "id"]
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"] or ""
        self._inside = tag

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style") and self._inside not in self.raw:
            self.raw[self._inside] = data
        self.text.append(data)

    _inside = ""


def html(
    result: Result,
    *,
    log: Path = Path("absent"),
    images: Path | None = None,
    predictions: pl.DataFrame | None = None,
    scored: Score | None = None,
) -> str:
    return render(result, log=log, images=images, predictions=predictions, score=scored)


def scored_table(count: int) -> tuple[pl.DataFrame, Score]:
    truth = truths(count)
    predictions = table(names(count), shifted(truth))
    return predictions, score(predictions, table(names(count), truth))


def with_text(text: str) -> Result:
    """Put a text wherever a run's result holds any."""
    return replace(
        passed(),
        verdict=Verdict.RUNTIME_ERROR,
        run_id=text,
        message=text,
        fix=text,
        engine=text,
        variant=text,
        archive={"path": text, "sha256": text, "bytes": text, "entries": text},
        data={"root": text, "images": text, "demo": text},
        warnings=(text, text),
        unenforced={"memory": text, text: text},
        environment={"lock": text, text: text},
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = paint(tmp_path_factory.mktemp("images"), names(6), truths(6))
    predictions, scored = scored_table(6)
    result = replace(passed(), warnings=("Look out.",))
    return html(result, images=folder, predictions=predictions, scored=scored)


def test_the_parts_come_in_order(whole: str) -> None:
    sections = re.findall(r'<section id="(\w+)"', whole)
    assert sections == [
        "platform",
        "score",
        "images",
        "table",
        "speed",
        "warnings",
        "environment",
        "log",
    ]
    assert whole.count('src="data:image/jpeg;base64,') >= 6


def test_links_and_labels_lead_somewhere(whole: str) -> None:
    page = Page(whole)
    assert len(page.ids) == len(set(page.ids))
    targets = [link[1:] for link in page.links if link.startswith("#")]
    targets += " ".join(re.findall(r'aria-(?:labelled|described)by="([^"]+)"', whole)).split()
    assert set(targets) <= set(page.ids)
    assert all(link.startswith(("#", "data:")) for link in page.links)


def test_the_page_allows_only_its_own_style_and_script(whole: str) -> None:
    page = Page(whole)
    assert (page.tags["script"], page.tags["style"]) == (1, 1)
    for kind in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(page.raw[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in page.policy
    assert page.policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in page.policy
    assert not {name for _, name in page.attributes if name.startswith("on") or name == "style"}
    assert not re.search(r"https?://|@import|url\(", whole)


def test_every_picture_has_a_text(whole: str) -> None:
    assert len(re.findall(r"<img ", whole)) == len(re.findall(r'<img [^>]*alt="[^"]+', whole))


def test_a_failed_run_begins_with_its_log(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text("Traceback (most recent call last):\n  File x\nKeyError: 'a'\n")
    result = replace(
        passed(), verdict=Verdict.RUNTIME_ERROR, message="Failed.", fix="Type: `invoke check`"
    )
    page = html(result, log=log)
    assert re.findall(r'<section id="(\w+)"', page)[0] == "log"
    assert page.index("KeyError: &#39;a&#39;") < page.index("What next")
    assert "<code>uv run invoke check</code>" in page
    assert 'id="score"' not in page
    assert "<script" not in page


def test_a_run_that_never_started() -> None:
    result = replace(
        passed(),
        verdict=Verdict.BAD_ARCHIVE,
        archive={},
        data={},
        timing=None,
        exit_code=None,
        meters={},
        environment={},
        samples=(),
    )
    page = html(result)
    assert re.findall(r'<section id="(\w+)"', page) == ["platform", "environment"]


def test_without_labels_the_predictions_are_drawn(tmp_path: Path) -> None:
    folder = paint(tmp_path, names(3), truths(3))
    page = html(passed(), images=folder, predictions=table(names(3), truths(3)))
    assert 'id="score"' not in page
    assert page.count('class="pred"') >= 3
    assert 'class="truth"' not in page
    assert "The data has no labels" in page


def check_harmless(page: str, known: Page) -> None:
    """Assert that a page holds nothing that `known`, a page of honest text, does not hold."""
    parsed = Page(page)
    assert set(parsed.tags) <= set(known.tags)
    assert parsed.attributes <= known.attributes
    assert parsed.tags["script"] <= 1
    assert parsed.raw["style"] == known.raw["style"]
    assert parsed.raw.get("script", known.raw["script"]) == known.raw["script"]
    assert parsed.policy == known.policy
    assert all(re.match(r"#[\w-]+$|data:,$|data:image/jpeg;base64,", s) for s in parsed.links)
    allowed = {"\n", "\t"}
    assert not {c for c in set(page) - allowed if unicodedata.category(c) in ("Cc", "Cf", "Cs")}
    assert not {"\u2028", "\u2029"} & set(page)


@pytest.fixture(scope="module")
def known(whole: str, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Return a page that has every part a page can have."""
    folder = tmp_path_factory.mktemp("all")
    (folder / "log.txt").write_text("x\n" * 300 + "an error\n")
    predictions, scored = scored_table(6)
    failed = html(
        replace(with_text("`some` text"), oom_kills=1),
        log=folder / "log.txt",
        predictions=predictions,
        scored=scored,
    )
    return Page(whole.replace("</body></html>", "") + failed)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text(tmp_path: Path, known: Page, text: str) -> None:
    log = tmp_path / "log.txt"
    lines = f"{text}\nTraceback (most recent call last):\n{text}\n"
    log.write_bytes(lines.encode(errors="surrogatepass"))
    name = text.encode(errors="replace").decode()
    truth = [(1, 1, 9, 9), (2, 2, 9, 9), (2, 2, 9, 9)]
    predictions = table([name, "b", "c"], truth)
    path = tmp_path / "report.html"
    for scored in (None, score(predictions, table([name, "b", "c"], truth))):
        report.write(
            path,
            with_text(text),
            log=log,
            images=tmp_path,
            predictions=predictions,
            score=scored,
        )
        check_harmless(path.read_text(encoding="utf-8"), known)
        assert path.stat().st_size < 1_500_000


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=st.text(st.characters(codec=None), max_size=40))
def test_any_text_stays_text(known: Page, text: str) -> None:
    check_harmless(html(with_text(text)), known)


def test_what_was_written_can_be_read() -> None:
    text = '<a href="x">&amp;</a>'
    assert text in "".join(Page(html(with_text(text))).text)


def test_hundred_thousand_images_open_only_those_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 100_000
    predictions, scored = scored_table(count)
    folder = paint(tmp_path / "images", ["a"], [(5, 5, 99, 99)])
    for name in names(count)[:: count // 500]:
        (folder / f"{name}.png").hardlink_to(folder / "a.png")
    opened = []
    honest = pictures.load_one

    def counting(item: Item, images: Path | None, **how: Any) -> pictures.Picture:
        opened.append(item.image_id)
        return honest(item, images, **how)

    monkeypatch.setattr(pictures, "load_one", counting)
    page = html(passed(count), images=folder, predictions=predictions, scored=scored)
    assert len(opened) <= 40
    assert len(page) < 5_000_000


def test_pages_of_noise_stay_below_5_mb(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1024, 1280, 3), np.uint8)
    predictions, scored = scored_table(60)
    Image.fromarray(noise).save(tmp_path / "noise.png", compress_level=0)
    for name in names(60):
        (tmp_path / f"{name}.png").hardlink_to(tmp_path / "noise.png")
    result = replace(
        passed(60),
        warnings=("<" * 10_000,) * 1000,
        samples=tuple(
            Sample(elapsed_s=i / 2, memory_bytes=i << 16, cpu_s=i / 3) for i in range(2400)
        ),
    )
    log = tmp_path / "log.txt"
    log.write_text(("<" * 500 + "\n") * 2000)
    page = html(result, log=log, images=tmp_path, predictions=predictions, scored=scored)
    assert page.count("data:image/jpeg") >= 32
    assert len(page.encode()) < 5_000_000


def test_an_older_report_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    report.write(path, passed(), log=tmp_path / "none", images=None, predictions=None, score=None)
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [found.name for found in tmp_path.iterdir()] == ["report.html"]


def test_the_templates_bypass_no_escaping() -> None:
    templates = Path(module.__file__).parent / "templates"
    for template in templates.glob("*.j2"):
        assert not re.search(r"\|\s*safe|autoescape", template.read_text()), template.name


def test_the_change_against_earlier_runs_stands_in_words(tmp_path: Path) -> None:
    predictions, scored = scored_table(24)
    mean = scored.mean_iou
    for number, was in ((1, mean + 0.1), (2, mean)):
        summary = ScoreSummary(mean_iou=was, median_iou=was, images=24)
        run_id = f"20240501-12000{number}-00000{number}"
        history.keep(tmp_path, replace(passed(24), run_id=run_id, score=summary), None)
    result = replace(passed(24), score=ScoreSummary(mean_iou=mean, median_iou=mean, images=24))
    page = render(
        result,
        log=Path("absent"),
        images=None,
        predictions=predictions,
        score=scored,
        history=tmp_path,
    )
    assert "<b>No change</b> against the last run" in page
    assert '<b class="worse">-0.1000</b> against the best run' in page
    assert "mean IoU on 24 demo images" in page
