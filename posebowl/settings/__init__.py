"""Every option, declared once, and where its value comes from."""
# mypy: implicit-reexport
# ruff: noqa: F401

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.settings.resolve import Found, Origin
    from posebowl.settings.schema import MOST_RUNS, MOST_ZIP_BYTES, SETTINGS, Setting, Settings

__getattr__ = face(__name__)
