"""The commands of each page, typed one after the other in a fresh copy of the checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from posebowl import environments, paths
from posebowl.engines.embedded import EmbeddedEngine
from tests.doc_commands import PAGES, commands, reason_not_run

pytestmark = [
    pytest.mark.container,
    pytest.mark.skipif(
        EmbeddedEngine().unavailable() is not None, reason="embedded: cannot be used here"
    ),
]

RUN = "uv run invoke pack --solution template --force && uv run invoke run"
BEFORE = {"docs/how-to/debug.md": RUN, "docs/how-to/github-actions.md": RUN}
"""What a reader of a page has done before."""

DOWNLOADED = "tar cf images-0.tar -C data/demo images && cp data/demo/*.csv data/"
"""What the competition's site gives, before it is unpacked."""

TYPED = {
    page: [
        command
        for command in commands()
        if command.page == page and command.typed and not reason_not_run(command)
    ]
    for page in PAGES
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy what git has of the checkout."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=paths.ROOT, capture_output=True, text=True, check=False
    )
    if listing.returncode != 0:
        pytest.skip("this is no checkout of git")
    folder = tmp_path / "a checkout"
    for name in listing.stdout.split("\0"):
        if (paths.ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(paths.ROOT / name, folder / name)
    tmp_path.chmod(0o755)
    return folder


@pytest.mark.parametrize("page", [page for page, typed in TYPED.items() if typed])
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
        env=_environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert done.stderr.count(":::") == len(TYPED[page])


def _small(text: str) -> str:
    """Render two photos where a page says thousands; uv is there already."""
    return re.sub(r"--count \d+", "--count 2", text).removeprefix("pip install uv && ")


def _environment(home: Path) -> dict[str, str]:
    """Keep to the environment and the caches of these tests, and to a home that nobody misses."""
    cache = os.environ.get("UV_CACHE_DIR") or str(Path("~/.cache/uv").expanduser())
    return {
        **os.environ,
        "HOME": str(home),
        "POSEBOWL_CACHE": str(environments.cache_root().parent),
        "UV_CACHE_DIR": cache,
        "UV_PROJECT_ENVIRONMENT": sys.prefix,
        "UV_NO_SYNC": "1",
    }
