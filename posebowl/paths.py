"""Where things are in a checkout."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SOLUTIONS: Final = ROOT / "solutions"
SUBMISSION: Final = ROOT / "submission"
DATA: Final = ROOT / "data"
DEMO_DATA: Final = DATA / "demo"
RUNTIME: Final = ROOT / "runtime"
LOCK: Final = ROOT / "uv.lock"
