"""The report of a run: result.json, its pictures and its log as one HTML page."""
# mypy: implicit-reexport
# ruff: noqa: F401

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.report.compare_text import amount, change, verdict_on
    from posebowl.report.page import fill, load, write

__getattr__ = face(__name__)
