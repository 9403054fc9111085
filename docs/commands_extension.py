"""An extension of Markdown: fills the page of all commands when the site is built."""

from __future__ import annotations

from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor

from docs import commands_reference as reference
from posebowl.cli.catalog import TASKS

BEFORE_ALL: int = 1000
"""A priority above those of Markdown's own steps: what is filled in is Markdown too."""


class _Filled(Preprocessor):
    """Puts the commands where a page has the place for them."""

    def run(self, lines: list[str]) -> list[str]:
        if reference.PLACE not in lines:
            return lines
        page = reference.fill("\n".join(lines), TASKS, reference.sessions())
        return page.split("\n")


class Commands(Extension):
    """The extension that mkdocs.yml names."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  # Markdown's own name
        """Add the step."""
        md.preprocessors.register(_Filled(md), "commands", BEFORE_ALL)


def makeExtension() -> Commands:  # noqa: N802  # Markdown's own name
    """Return the extension, as Markdown asks for it."""
    return Commands()
