"""The documentation site in a real browser: headless Chromium, opened from disk."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from posebowl import paths
from tests.browser.webdriver import CHROMEDRIVER, CHROMIUM, Browser, browser

pytest.importorskip("mkdocs", reason="needs the docs group")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (CHROMIUM and CHROMEDRIVER),
        reason="needs Chromium: apt-get install chromium chromium-driver",
    ),
]

PAGES = ("index", "tutorial", "commands", "limits", "how-to/debug")
SEARCH = """
const query = document.querySelector("[data-md-component=search-query]");
query.focus();
query.value = arguments[0];
query.dispatchEvent(new Event("keyup", {bubbles: true}));
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("a site") / "built"
    argv = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        argv, cwd=paths.ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


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
    assert chromium.run("return document.documentElement.scrollWidth") == width
    colours = chromium.run("return document.body.dataset.mdColorScheme")
    assert colours == {"light": "default", "dark": "slate"}[scheme]
    assert chromium.run("return [...document.images].every((image) => image.naturalWidth > 0)")
    assert chromium.console() == []
    here = ("data:", site.as_uri())
    assert [url for url in chromium.requests() if not url.startswith(here)] == []


def test_the_search_works_from_disk(chromium: Browser, site: Path) -> None:
    chromium.media(scheme="light", width=1400, height=800)
    chromium.open(site / "how-to" / "gpu.html")
    chromium.run(SEARCH, "podman")
    found = "document.querySelectorAll('.md-search-result__link')"
    assert chromium.until(f"return {found}.length > 0")
    links = chromium.run(f"return [...{found}].map((link) => link.href)")
    assert any("images.html" in link for link in links)
    assert chromium.console() == []


def test_the_page_of_commands_is_filled(chromium: Browser, site: Path) -> None:
    chromium.open(site / "commands.html")
    ids = chromium.run("return [...document.querySelectorAll('h3')].map((title) => title.id)")
    assert {"invoke-run", "invoke-datarender"} <= set(ids)
