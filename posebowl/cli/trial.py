"""`invoke test`: from a solution's folder to an answer, once or whenever a file changes."""

from __future__ import annotations

import contextlib
import os
import threading
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from posebowl.cli import budgets, running
from posebowl.data import folder as data_folder
from posebowl.errors import BadDataError, PoseBowlError, UsageError, Verdict
from posebowl.settings import Settings
from posebowl.submission import Packed, find_folder, is_as_packed, packer, write_record
from posebowl.util import console, hints
from posebowl.util.files import atomic_write
from posebowl.util.text import counted
from posebowl.util.units import human_bytes

if TYPE_CHECKING:
    from posebowl.results import Result
    from posebowl.run import Request

REMEMBERED: Final = ".tested"
"""The file, beside the zip, that names the folder that was tested last."""
_QUIET_MS: Final = 200
"""A change counts when nothing has changed for so long: editors write in steps."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """How a solution is tested."""

    settings: Settings
    limit: int | None = None
    note: str = ""
    opens_report: bool = False
    as_json: bool = False
    carry_out: Callable[[Request, bool], Result] = running.carry_out
    """Runs it, and shows the result as JSON or as text."""

    def once(self, folder: Path) -> int:
        """Pack a solution, run it and show the result; return the exit code of the run.

        Raises:
            UsageError: There is no such data folder, or the zip of the settings is not one that
                this tool made; nothing was changed.
            BadArchiveError: The solution breaks a rule of the platform.
        """
        archive, data = self.settings.archive, self.settings.data
        if data is not None:
            with contextlib.suppress(BadDataError):  # which is a verdict, once the run has started
                data_folder.find(data)
        packed = self._pack(folder, archive)
        asked = running.request(
            self.settings, archive, packed=packed, most_images=self.limit, judged=True
        )
        result = self.carry_out(asked, self.as_json)
        if self.opens_report:
            open_report(asked.out / "report.html")
        return budgets.accept(result)

    def repeat(self, folder: Path) -> int:
        """Test a solution, and again after each change, until Ctrl-C.

        A run that is under way when a file changes is finished first: half a run answers nothing.

        Returns:
            The exit code of the last answer.
        """
        code = 0
        with changes(folder) as changed:
            while True:
                changed.clear()
                try:
                    code = self.once(folder)
                except PoseBowlError as error:
                    console.show_error(error, as_json=self.as_json)
                    code = error.exit_code
                if code == Verdict.INTERRUPTED.exit_code:
                    return code
                try:
                    console.note(
                        f"Waiting for a change in {hints.local(folder)}; Ctrl-C ends this."
                    )
                    changed.wait()
                except KeyboardInterrupt:
                    return code

    def _pack(self, folder: Path, archive: Path) -> Packed:
        """Pack over a zip that was packed there before, but over no other."""
        ours = is_as_packed(archive)
        if archive.exists() and not ours:
            raise UsageError(
                f"{archive} is not a zip that this tool packed there.",
                why="A test would replace it.",
                fix="Move it away, or run it as it is: invoke run",
            )
        packed = packer.pack(folder, archive, force=ours)
        write_record(archive, packed.sha256, solution=folder.resolve().name, note=self.note)
        with atomic_write(archive.parent / REMEMBERED) as file:
            file.write(os.fsencode(folder.resolve()))
        files = f"{counted(packed.files, 'file')}, {human_bytes(packed.bytes)}"
        console.note(f"Packed {hints.local(folder)} into {hints.local(archive)} ({files}).")
        for text in packed.warnings:
            if text not in packed.archive.warnings:  # which the result repeats
                console.warn(text)
        return packed


def chosen(name: str, settings: Settings) -> Path:
    """Return the folder that a user names, or the one that was tested last.

    Raises:
        UsageError: None is named and none was tested before, or there is no such folder.
    """
    if name:
        return find_folder(name)
    try:
        last = Path(os.fsdecode((settings.archive.parent / REMEMBERED).read_bytes()))
    except OSError:
        raise UsageError(
            "test needs the name of a solution.",
            why="None was tested before.",
            fix="Type: invoke test quickstart",
        ) from None
    if "\0" in str(last) or not last.is_dir():
        raise UsageError(
            f"{last}, which was tested last, is no longer there.", fix="Type: invoke test NAME"
        )
    return last


def open_report(page: Path) -> None:
    """Open a report in the browser; where there is none, say where it is."""
    if page.is_file() and not webbrowser.open(page.resolve().as_uri()):
        console.warn(f"No browser was found here. Open it by hand: {page.resolve()}")


@contextlib.contextmanager
def changes(folder: Path) -> Iterator[threading.Event]:
    """Watch a folder until the block ends; what is yielded is set when a file in it changes.

    What Python and editors leave there (__pycache__, .git, swap files ...) does not count.
    """
    from watchfiles import watch

    changed, ended = threading.Event(), threading.Event()

    def look() -> None:
        for _ in watch(folder, debounce=_QUIET_MS, stop_event=ended, raise_interrupt=False):
            changed.set()

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield changed
    finally:
        ended.set()
        watcher.join()
