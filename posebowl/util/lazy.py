"""The face of a room: names that other rooms may use, each loaded when it is first asked for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any


def face(package: str, **homes: tuple[str, ...]) -> Callable[[str], Any]:
    """Return the module-level `__getattr__` (PEP 562) of a package.

    Args:
        package: The package's `__name__`.
        homes: Module of the package -> the names in it that others may import from the package.
    """
    home_of = {name: home for home, names in homes.items() for name in names}

    def load(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{home_of[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
