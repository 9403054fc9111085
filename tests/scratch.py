"""A copy of the checkout to run commands in, with the environment that they need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from posebowl import paths
from posebowl.settings import resolve


def copy_checkout(folder: Path) -> Path:
    """Copy the tracked files of the checkout, and return the folder.

    Raises:
        CalledProcessError: This is not a git checkout.
    """
    argv = ["git", "ls-files", "-z"]
    listed = subprocess.run(argv, cwd=paths.ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (paths.ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(paths.ROOT / name, folder / name)
    return folder


def typing_environment(home: Path) -> dict[str, str]:
    """Return variables for the environment and caches of the tests, and a home of their own."""
    cache = os.environ.get("UV_CACHE_DIR") or str(Path("~/.cache/uv").expanduser())
    return {
        **os.environ,
        "HOME": str(home),
        "POSEBOWL_CACHE": str(resolve.load().cache),
        "UV_CACHE_DIR": cache,
        "UV_PROJECT_ENVIRONMENT": sys.prefix,
        "UV_NO_SYNC": "1",
    }
