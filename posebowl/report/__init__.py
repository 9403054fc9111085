"""The report of a run: result.json, its pictures and its log as one HTML page."""

from __future__ import annotations

from posebowl.report.page import load, write

__all__ = ["load", "write"]
