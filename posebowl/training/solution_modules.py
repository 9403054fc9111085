"""The benchmark solution's own modules, used for training so that both see photos alike."""

from __future__ import annotations

import functools
import importlib
import sys
from typing import Any

from posebowl import paths


@functools.cache
def module(name: str) -> Any:
    """Import a module that lies beside the benchmark's main.py.

    A submission must stand alone, so its modules are no package of posebowl.
    """
    folder = str(paths.SOLUTIONS / "benchmark")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(name)
