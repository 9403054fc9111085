"""The commands of each page, executed one after the other in a fresh copy of the checkout."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from posebowl.engines.embedded.engine import EmbeddedEngine
from tests.doc_commands import PAGES, Command, commands, executed
from tests.scratch import copy_checkout, typing_environment

pytestmark = [
    pytest.mark.container,
    pytest.mark.skipif(
        EmbeddedEngine().unavailable() is not None, reason="the embedded engine cannot be used here"
    ),
]

RUN = "uv run invoke pack template --force && uv run invoke run"
NAME = 'cp -r "$(ls -d submission/history/* | head -n 1)" submission/history/best'
OBJ = r"v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"


def meshes(folder: str) -> str:
    """Return the command that makes a mesh."""
    return f"mkdir {folder} && printf '{OBJ}' > {folder}/craft.obj"


def photos(folder: str) -> str:
    """Return the command that makes pictures to put behind spacecraft."""
    return f"mkdir {folder} && cp data/demo/images/*.png {folder}"


BEFORE = {
    "docs/history.md": f"{RUN} && {RUN} && {NAME}",
    "docs/how-to/debug.md": RUN,
    "docs/how-to/github-actions.md": RUN,
    "docs/how-to/official-runtime.md": "uv run invoke new mine",
    "docs/benchmark.md": f"{meshes('foreign')} && {photos('backdrops')}",
    "docs/renderer.md": f"{meshes('meshes')} && {photos('pictures')}",
}
"""What a reader of a page has done before."""

DOWNLOADED = "tar cf images-0.tar -C data/demo images && cp data/demo/*.csv data/"
"""What the competition's site offers for download."""


def _pages() -> dict[str, list[Command]]:
    """Return the commands of each page; a page that adds none to those before is left out."""
    found: dict[str, list[Command]] = {}
    seen: set[str] = set()
    for page in PAGES:
        typed = [one for one in commands() if one.page == page and executed(one)]
        if not {one.text for one in typed} <= seen:
            found[page] = typed
        seen |= {one.text for one in typed}
    return found


TYPED = _pages()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    try:
        return copy_checkout(tmp_path / "a checkout")
    except subprocess.CalledProcessError:
        pytest.skip("this is not a git checkout")


@pytest.mark.parametrize("page", TYPED)
def test_all_commands_of_a_page_work(page: str, checkout: Path, tmp_path: Path) -> None:
    lines = ["set -e", BEFORE.get(page, "")]
    for command in TYPED[page]:
        if "data.unpack" in command.text:
            lines.append(DOWNLOADED)
        lines += [f"echo '::: {command.page}:{command.line}' >&2", _small(command.text)]
    script = tmp_path / "page.sh"
    script.write_text("\n".join(lines) + "\n")

    done = subprocess.run(
        ["sh", script],
        cwd=checkout,
        env=typing_environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert done.stderr.count(":::") == len(TYPED[page])


def _small(text: str) -> str:
    """Render two photos instead of thousands; uv is already installed."""
    return re.sub(r"--count \d+", "--count 2", text).removeprefix("pip install uv && ")
