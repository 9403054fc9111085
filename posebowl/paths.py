"""Where things are in a checkout, and what a place is called where the user stands."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SOLUTIONS: Final = ROOT / "solutions"
SUBMISSION: Final = ROOT / "submission"
DATA: Final = ROOT / "data"
DEMO_DATA: Final = DATA / "demo"
RUNTIME: Final = ROOT / "runtime"
LOCK: Final = ROOT / "uv.lock"


def local(path: Path) -> Path:
    """Show a path relative to where the user is, when it lies below."""
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path


def flag(name: str, place: Path, default: Path) -> str:
    """Return the flag that names a place, with a blank before it; nothing for the default."""
    if place.resolve() == default.resolve():
        return ""
    return f" --{name} {shlex.quote(str(local(place)))}"
