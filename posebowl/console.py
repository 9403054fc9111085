"""What people see: one console for results, one for everything that is said on the way.

Results go to stdout, notes, progress and errors to stderr, so that `--json` can be piped.
Rich leaves out colours where there is no terminal or NO_COLOR is set.
"""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from posebowl.errors import PoseBowlError

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def note(text: str) -> None:
    """Say something on the way; the text is shown as it is, never as markup."""
    err.print(escape(text), style="dim")


def warn(text: str) -> None:
    """Say something that the user should read though all went on."""
    err.print(f"[yellow]warning:[/] {escape(text)}")


def show_error(error: PoseBowlError) -> None:
    """Show an error in three parts: what, why, what to do."""
    err.print(f"[bold red]error:[/] {escape(error.what)}")
    if error.why:
        err.print(f"  [bold]why:[/] {escape(error.why)}")
    if error.fix:
        err.print(f"  [bold]fix:[/] {escape(error.fix)}")
