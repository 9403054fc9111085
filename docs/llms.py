"""The site for language models: llms.txt lists the pages, llms-full.txt holds all of them.

The form is that of llmstxt.org: a title, a quoted summary, and a list of links for each section.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from docs import commands_reference as reference
from posebowl import paths
from posebowl.cli.catalog import TASKS

DOCS: Final = paths.ROOT / "docs"


def write(site: Path) -> None:
    """Write both files into the folder of a site."""
    config = _config()
    head = f"# {config['site_name']}\n\n> {config['site_description']}\n"
    index, full = [head], [head]
    for section in config["nav"]:
        for title, pages in section.items():
            index.append(f"\n## {title}\n\n")
            for page in pages:
                text = _text(page)
                index.append(f"- [{_title(text)}]({page[:-3]}.html): {_opening(text)}\n")
                full.append(f"\n{text.strip()}\n")
    (site / "llms.txt").write_text("".join(index), encoding="utf-8")
    (site / "llms-full.txt").write_text("".join(full), encoding="utf-8")


def _config() -> Any:
    return yaml.safe_load((paths.ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def _text(page: str) -> str:
    """Return the Markdown of a page, with the commands where they belong."""
    text = (DOCS / page).read_text(encoding="utf-8")
    if reference.PLACE in text:
        text = reference.fill(text, TASKS, reference.sessions())
    return text


def _title(text: str) -> str:
    return text.partition("\n")[0].removeprefix("# ").strip()


def _opening(text: str) -> str:
    """Return the first sentence of a page, as plain words."""
    prose = " ".join(next(_prose(text), "").split())
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", prose)
    return re.split(r"(?<=[.:])\s", plain, maxsplit=1)[0].rstrip(".:") + "."


def _prose(text: str) -> Iterator[str]:
    """Yield the paragraphs that are neither titles, code, tables, pictures nor lists."""
    for block in re.sub(r"```.*?```", "", text, flags=re.DOTALL).split("\n\n"):
        if re.match(r"\s*[\w`*\[]", block) and not re.match(r"\s*(\d+\.|\* )", block):
            yield block


if __name__ == "__main__":
    write(Path(sys.argv[1]))
