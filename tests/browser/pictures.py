"""Make the documentation's pictures again: `uv run python -m tests.browser.pictures`.

A real submission is packed, checked and run in a copy of the checkout, once correct and once with
a mistake; screenshots of its terminal and its report are taken in headless Chromium.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import shlex
import struct
import subprocess
import tempfile
import termios
from pathlib import Path
from typing import Final

from PIL import Image
from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

from posebowl import paths
from tests.browser.webdriver import Browser, browser
from tests.scratch import copy_checkout, typing_environment

PICTURES: Final = paths.ROOT / "docs" / "pictures"
COLUMNS: Final = 92
WIDTH: Final = 1100
PAGE: Final = """<!doctype html><meta charset="utf-8"><style>{stylesheet}
body {{ margin: 0; background: #14161a; color: #e6e6e6; display: inline-block; }}
pre {{ margin: 0; padding: 18px 22px; font: 14px/1.45 "DejaVu Sans Mono", monospace; }}
</style><pre>{code}</pre>"""
MISTAKE: Final = ("scale = 4  #", "scale = 4 / 0  #")
"""A division by zero in the template."""


def main() -> None:
    """Make all pictures."""
    with tempfile.TemporaryDirectory() as scratch, browser(_made(scratch, "profile")) as chromium:
        home = Path(scratch)
        home.chmod(0o755)
        checkout = copy_checkout(home / "posebowl")
        typed = ["uv run invoke new mine", "uv run invoke test mine --engine embedded"]
        terminal(chromium, checkout, home, typed, "run")
        report(chromium, checkout, "report-mine", end="platform")
        report(chromium, checkout, "report-pictures", begin="images", height=950)
        break_it(checkout / "solutions" / "mine" / "main.py")
        terminal(chromium, checkout, home, ["uv run invoke test --engine embedded"], "failed")
        report(chromium, checkout, "report-failed", height=740)
        _typed("uv run invoke test benchmark --engine embedded", checkout, home)
        report(chromium, checkout, "../report", height=1500)


def break_it(program: Path) -> None:
    """Put the mistake into the solution."""
    text = program.read_text()
    assert MISTAKE[0] in text
    program.write_text(text.replace(*MISTAKE))


def terminal(chromium: Browser, checkout: Path, home: Path, commands: list[str], name: str) -> None:
    """Run commands and take a screenshot of the terminal."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="truecolor")
    for command in commands:
        console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
        if shown := _typed(command, checkout, home).rstrip():
            console.print(Text.from_ansi(shown))
    page = checkout / "terminal.html"
    page.write_text(console.export_html(code_format=PAGE, theme=SVG_EXPORT_THEME))
    target = PICTURES / f"{name}.png"
    _photograph(chromium, page, target)
    size = chromium.run("const b = document.body; return [b.offsetWidth, b.offsetHeight]")
    with Image.open(target) as whole:
        cut = whole.convert("RGB").crop((0, 0, *size))
    cut.quantize(64, dither=Image.Dither.NONE).save(target, optimize=True)


def report(
    chromium: Browser,
    checkout: Path,
    name: str,
    *,
    begin: str = "",
    end: str = "",
    height: int = 10_000,
) -> None:
    """Take a screenshot of the last run's report, from one of its sections to the end of one."""
    page, target = checkout / "submission" / "report.html", PICTURES / f"{name}.png"
    _photograph(chromium, page, target)
    edge = "return document.getElementById('{}').getBoundingClientRect().{} + window.scrollY"
    top = int(chromium.run(edge.format(begin, "top"))) - 16 if begin else 0
    bottom = int(chromium.run(edge.format(end, "bottom"))) + 16 if end else top + height
    with Image.open(target) as whole:
        cut = whole.convert("RGB").crop((0, top, WIDTH, min(whole.height, bottom)))
    cut.quantize(256, dither=Image.Dither.NONE).save(target, optimize=True)


def _typed(command: str, checkout: Path, home: Path) -> str:
    """Run a command whose results go to a terminal; its progress messages are plain."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    variables = {**typing_environment(home), "TERM": "xterm-256color"}
    with subprocess.Popen(
        shlex.split(command),
        cwd=checkout,
        env=variables,
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.close(theirs)
        assert process.stderr
        said = process.stderr.read()
    shown = b""
    # The end of a terminal is an error on Linux.
    with contextlib.suppress(OSError):
        while part := os.read(ours, 4096):
            shown += part
    os.close(ours)
    return said + shown.decode().replace("\r", "")


def _photograph(chromium: Browser, page: Path, target: Path) -> None:
    chromium.media(scheme="light", width=WIDTH, height=200)
    chromium.open(page)
    chromium.screenshot(target, whole=True)


def _made(scratch: str, name: str) -> Path:
    folder = Path(scratch, name)
    folder.mkdir()
    return folder


if __name__ == "__main__":
    main()
