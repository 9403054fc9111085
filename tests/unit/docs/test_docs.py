"""The pages say what the code says, and each can be reached."""

from __future__ import annotations

import dataclasses
import re

import pytest

from posebowl import paths
from posebowl.challenge import ARCHIVE_LIMITS, COLUMNS, LIMITS, Limit, Limits, Variant
from posebowl.errors import Verdict
from posebowl.util.units import duration, human_bytes

DOCS = paths.ROOT / "docs"
PAGES = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
PICTURES = sorted(DOCS.rglob("*.png"))


def rows(page: str) -> dict[str, list[str]]:
    """Read the tables of a page: first cell -> the other cells."""
    found = {}
    for line in (DOCS / page).read_text().splitlines():
        if line.startswith("| "):
            first, *rest = (cell.strip() for cell in line.strip("|").split("|"))
            found[first] = rest
    return found


def test_every_page_has_its_place_in_the_site() -> None:
    config = (paths.ROOT / "mkdocs.yml").read_text()
    assert sorted(re.findall(r"^ +- ([\w/-]+\.md)$", config, re.MULTILINE)) == PAGES


@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_one_title(page: str) -> None:
    text = re.sub(r"```.*?```", "", (DOCS / page).read_text(), flags=re.DOTALL)
    assert text.startswith("# ")
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1


def test_pictures_are_small_and_shown() -> None:
    text = "".join(path.read_text() for path in DOCS.rglob("*.md"))
    for picture in PICTURES:
        assert picture.stat().st_size < 200_000
        assert picture.name in text or picture.name == "favicon.png"


@pytest.mark.parametrize("page", PAGES)
def test_every_picture_of_a_page_exists(page: str) -> None:
    # The builder of the site checks links, but not pictures.
    path = DOCS / page
    named = re.findall(r"!\[[^]]*\]\(([^)#]+)\)", path.read_text())
    assert [name for name in named if not (path.parent / name).is_file()] == []


def test_every_verdict_has_its_section() -> None:
    sections = re.findall(r"^## (\w+)$", (DOCS / "how-to" / "debug.md").read_text(), re.MULTILINE)
    assert sections == list(Verdict)


def test_the_limits_of_a_run_are_these() -> None:
    page = rows("limits.md")
    shown = {
        "wall time": lambda limits: duration(limits.wall_time_s),
        "memory": lambda limits: human_bytes(limits.memory_bytes),
        "processor cores": lambda limits: str(limits.cpus),
        "all that": lambda limits: human_bytes(limits.output_bytes),
        "files and folders that": lambda limits: f"{limits.output_files:,}",
        "what is kept": lambda limits: human_bytes(limits.log_bytes),
        "processes": lambda limits: f"{limits.processes:,}",
        "size of submission.csv": lambda limits: human_bytes(limits.predictions_bytes),
        "between TERM": lambda limits: f"{limits.grace_s:.0f} s",
    }
    assert len(shown) == len(dataclasses.fields(Limits)) + 1  # files follow from bytes
    for begins, show in shown.items():
        (cells,) = (cells for first, cells in page.items() if first.startswith(begins))
        assert cells[:2] == [show(LIMITS[Variant.CPU]), show(LIMITS[Variant.GPU])]


def test_the_limits_of_an_archive_are_these() -> None:
    page, limits = rows("limits.md"), ARCHIVE_LIMITS
    assert page["size of the zip"] == [human_bytes(limits.archive_bytes)]
    assert page["size of one file in it"] == [human_bytes(limits.file_bytes)]
    assert page["all files unpacked"] == [human_bytes(limits.unpacked_bytes)]
    assert page["files and folders"] == [f"{limits.entries:,}"]
    assert [f"{limits.ratio}"] in page.values()


def test_the_names_of_limits_and_columns_are_these() -> None:
    text = (DOCS / "limits.md").read_text()
    (line,) = re.findall(r"The names are ([^.]+)\.", text)
    assert re.findall(r"`([\w-]+)`", line) == list(Limit)
    assert f"`{','.join(COLUMNS)}`" in text
