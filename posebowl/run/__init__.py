"""One run, from the zip to the report."""

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.run.live_display import Display as Display
    from posebowl.run.machine_load import BUSY as BUSY
    from posebowl.run.pipeline import run as run
    from posebowl.run.state import Request as Request

__getattr__ = face(__name__)
