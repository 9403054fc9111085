"""The benchmark solution's own modules, so that training and solution treat photos alike."""

from __future__ import annotations

import functools
import importlib
import sys
from typing import Any

from posebowl import paths


@functools.cache
def module(name: str) -> Any:
    """Import a module that lies beside the benchmark's main.py.

    A submission is self-contained, so its modules are not part of the package posebowl.
    """
    folder = str(paths.SOLUTIONS / "benchmark")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(name)
