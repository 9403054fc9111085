"""Every option, declared once, and where its value comes from."""

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.settings.resolve import Found as Found, Origin as Origin
    from posebowl.settings.schema import (
        MOST_RUNS as MOST_RUNS,
        MOST_ZIP_BYTES as MOST_ZIP_BYTES,
        SETTINGS as SETTINGS,
        Setting as Setting,
        Settings as Settings,
    )

__getattr__ = face(__name__)
