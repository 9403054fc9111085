"""Native libraries imported in one thread while others run.

The C library's setenv moves the whole environment when it adds a variable, and getenv in another
thread, which no lock of Python's holds off, then reads memory that is gone (mended in glibc 2.41).
The libraries that are imported in threads here set variables: they must exist before.
"""

from __future__ import annotations

import os
from typing import Final

_VARIABLES: Final = {
    "OPENBLAS_MAIN_FREE": "1",  # numpy sets it while OpenBLAS is loaded, and removes it again
    "_RJEM_MALLOC_CONF": "",  # polars adds its own choices to what it finds
}


def settle_environment() -> None:
    """Set what numpy and polars would set when they are imported; to be called before threads."""
    for name, value in _VARIABLES.items():
        os.environ.setdefault(name, value)
