"""The documentation site in a real browser: headless Chromium, opened from disk."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from posebowl import paths
from tests.browser.webdriver import CHROMEDRIVER, CHROMIUM, Browser, browser

pytest.importorskip("zensical", reason="needs the docs group")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (CHROMIUM and CHROMEDRIVER),
        reason="needs Chromium: apt-get install chromium chromium-driver",
    ),
]

PAGES = ("index", "tutorial", "commands", "limits", "how-to/debug")
DIALOG = "[...document.querySelectorAll('*')].find((one) => one.shadowRoot)?.shadowRoot"
TYPE = f"""
const query = {DIALOG}.querySelector("input");
query.value = arguments[0];
query.dispatchEvent(new Event("input", {{bubbles: true}}));
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # A site lies within its project: this one is a copy, so that the user's own is left alone.
    project = tmp_path_factory.mktemp("a project")
    shutil.copy(paths.ROOT / "mkdocs.yml", project)
    shutil.copytree(paths.ROOT / "docs", project / "docs")
    built = project / "site"
    for words in (["zensical", "build", "--strict"], ["docs.llms", str(built)]):
        done = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=project,
            env={**os.environ, "PYTHONPATH": str(paths.ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return built


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_sound(chromium: Browser, site: Path, page: str, width: int, scheme: str) -> None:
    chromium.media(scheme=scheme, width=width, height=800)
    chromium.open(site / f"{page}.html")
    assert chromium.run("return document.documentElement.scrollWidth") <= width
    colours = chromium.run("return document.body.dataset.mdColorScheme")
    assert colours == {"light": "default", "dark": "slate"}[scheme]
    assert chromium.run("return [...document.images].every((image) => image.naturalWidth > 0)")
    assert chromium.console() == []
    here = ("data:", site.as_uri())
    assert [url for url in chromium.requests() if not url.startswith(here)] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_is_accessible(chromium: Browser, site: Path, scheme: str) -> None:
    chromium.media(scheme=scheme, width=1400, height=800)
    chromium.open(site / "report.html")
    assert chromium.accessibility() == []
    assert chromium.console() == []


def test_the_search_works_from_disk(chromium: Browser, site: Path) -> None:
    chromium.media(scheme="light", width=1400, height=800)
    chromium.open(site / "how-to" / "gpu.html")
    chromium.run("document.querySelector('.md-search__button').click()")
    assert chromium.until(f"return Boolean({DIALOG}?.querySelector('input'))")
    chromium.run(TYPE, "podman")
    found = f"{DIALOG}.querySelectorAll('a')"
    assert chromium.until(f"return {found}.length > 0")
    links = chromium.run(f"return [...{found}].map((link) => link.href)")
    assert any("images.html" in link for link in links)
    assert chromium.console() == []


def test_the_page_of_commands_is_filled(chromium: Browser, site: Path) -> None:
    chromium.open(site / "commands.html")
    ids = chromium.run("return [...document.querySelectorAll('h3')].map((title) => title.id)")
    assert {"invoke-run", "invoke-datarender"} <= set(ids)


def test_language_models_find_every_page(site: Path) -> None:
    index, full = ((site / name).read_text() for name in ("llms.txt", "llms-full.txt"))
    links = re.findall(r"^- \[[^]]+\]\(([^)]+)\): \S.*\.$", index, re.MULTILINE)
    pages = {str(page.relative_to(site)) for page in site.rglob("*.html")}
    assert set(links) == pages - {"404.html"}
    assert len(links) == len(set(links))
    titles = [
        (paths.ROOT / "docs" / f"{link[:-5]}.md").read_text().split("\n")[0] for link in links
    ]
    assert all(f"\n{title}\n" in full for title in titles)
    assert "### invoke data.render\n" in full
