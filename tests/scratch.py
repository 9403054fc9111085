"""A copy of the checkout to type commands in, and what they need around them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from posebowl import paths
from posebowl.settings import resolve


def copy_checkout(folder: Path) -> Path:
    """Copy what git has of the checkout, and return the folder.

    Raises:
        CalledProcessError: This is no checkout.
    """
    argv = ["git", "ls-files", "-z"]
    listed = subprocess.run(argv, cwd=paths.ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (paths.ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(paths.ROOT / name, folder / name)
    return folder


def typing_environment(home: Path) -> dict[str, str]:
    """Keep to the environment and the caches of the tests, and to a home that nobody misses."""
    cache = os.environ.get("UV_CACHE_DIR") or str(Path("~/.cache/uv").expanduser())
    return {
        **os.environ,
        "HOME": str(home),
        "POSEBOWL_CACHE": str(resolve.load().cache),
        "UV_CACHE_DIR": cache,
        "UV_PROJECT_ENVIRONMENT": sys.prefix,
        "UV_NO_SYNC": "1",
    }
