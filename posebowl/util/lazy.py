"""The face of a room: names that other rooms may use, each loaded when it is first asked for."""

from __future__ import annotations

import functools
import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

_SHOWN: Final = re.compile(r"^    from (\S+) import (\([^)]*\)|[^(\n]+)", re.MULTILINE)
"""What a package imports for the type checker only: a module and its names."""


def face(package: str) -> Callable[[str], Any]:
    """Return the module-level `__getattr__` (PEP 562) of a package.

    It gives what the package imports `if TYPE_CHECKING`.

    Args:
        package: The package's `__name__`.
    """

    def load(name: str) -> Any:
        home = _homes(package).get(name)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(home), name)
        setattr(sys.modules[package], name, value)
        return value

    return load


@functools.cache
def _homes(package: str) -> dict[str, str]:
    """Return the module of each name that a package shows."""
    text = Path(str(sys.modules[package].__file__)).read_text(encoding="utf-8")
    return {
        name: module for module, names in _SHOWN.findall(text) for name in re.findall(r"\w+", names)
    }
