"""The benchmark solution's own modules, so that training and solution treat photos alike."""

from __future__ import annotations

import functools
import importlib
import sys
from pathlib import Path
from typing import Any

from posebowl import paths
from posebowl.errors import UsageError


@functools.cache
def module(name: str) -> Any:
    """Import a module that lies beside the benchmark's main.py.

    A submission is self-contained, so its modules are not part of the package posebowl.
    """
    folder = str(paths.SOLUTIONS / "benchmark")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(name)


def load_network(weights: Path, device: str = "auto") -> Any:
    """Load exported weights as the solution does, in onnxruntime: its LoadedNetwork.

    Raises:
        UsageError: They are missing, or not of benchmark.export.
    """
    network = module("network")
    try:
        return network.load(weights, backend="onnxruntime", device=device)
    except network.NetworkError as error:
        raise UsageError(
            f"Cannot use {weights}.", why=str(error), fix="Make it with `invoke benchmark.export`."
        ) from None
