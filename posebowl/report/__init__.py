"""The report of a run: result.json, its pictures and its log as one HTML page."""

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.report.compare_text import (
        amount as amount,
        change as change,
        verdict_on as verdict_on,
    )
    from posebowl.report.page import fill as fill, load as load, write as write

__getattr__ = face(__name__)
