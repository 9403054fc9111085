"""One run, from the zip to the report."""
# mypy: implicit-reexport
# ruff: noqa: F401

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.run.live_display import Display
    from posebowl.run.machine_load import BUSY
    from posebowl.run.pipeline import run
    from posebowl.run.state import Request

__getattr__ = face(__name__)
