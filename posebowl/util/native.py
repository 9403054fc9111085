"""Native libraries: imported in one thread while others run, or on a processor too old for them.

The C library's setenv moves the whole environment when it adds a variable, and getenv in another
thread, which no lock of Python's holds off, then reads memory that is gone (mended in glibc 2.41).
The libraries that are imported in threads here set variables: they must exist before.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from typing import Final

from posebowl.errors import PoseBowlError
from posebowl.util import host

SETTLED: Final = {
    "OPENBLAS_MAIN_FREE": "1",  # numpy sets it while OpenBLAS is loaded, and removes it again
    "_RJEM_MALLOC_CONF": "",  # polars adds its own choices to what it finds
}


def settle_environment() -> None:
    """Set what numpy and polars would set when they are imported; to be called before threads."""
    for name, value in SETTLED.items():
        os.environ.setdefault(name, value)


class _NoPolars:
    """Refuses to import polars with a sentence, where it would die of an illegal instruction."""

    @staticmethod
    def find_spec(name: str, *_: object) -> ModuleSpec | None:
        """Leave all modules but polars to the next finder."""
        if name != "polars":
            return None
        raise PoseBowlError(
            "polars, which reads tables here, does not run on this processor.",
            why=f"It needs AVX2, which {host.cpu_model()} lacks.",
            fix=polars_for_old_processors(),
        )


def polars_for_old_processors() -> str:
    """Return what to type for polars to run on any processor."""
    from importlib import metadata  # noqa: PLC0415  # slow to load, and hardly ever needed

    return f"Type: uv pip install polars-runtime-compat=={metadata.version('polars')}"


def refuse_old_processors() -> None:
    """Have imports of polars fail with a sentence where the processor is too old for it."""
    if host.lacks("avx2") and PathFinder.find_spec("_polars_runtime_compat") is None:
        sys.meta_path.insert(0, _NoPolars)
