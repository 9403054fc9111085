"""What mkdocs does besides: the commands' own help becomes a page of the site."""

from __future__ import annotations

from typing import Any

from docs import commands_reference as reference
from posebowl.cli.catalog import TASKS


def on_page_markdown(markdown: str, *, page: Any, **_: object) -> str:
    """Fill in docs/commands.md; every other page is as it is written."""
    if page.file.src_uri != "commands.md":
        return markdown
    return reference.fill(markdown, TASKS, reference.sessions())
