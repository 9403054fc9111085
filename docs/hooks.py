"""A hook of mkdocs: fills a page of the site with the help of all commands."""

from __future__ import annotations

from typing import Any

from docs import commands_reference as reference
from posebowl.cli.catalog import TASKS


def on_page_markdown(markdown: str, *, page: Any, **_: object) -> str:
    """Fill in docs/commands.md; leave every other page as it is."""
    if page.file.src_uri != "commands.md":
        return markdown
    return reference.fill(markdown, TASKS, reference.sessions())
