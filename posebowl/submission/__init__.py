"""From a folder to a zip that the platform accepts."""
# mypy: implicit-reexport
# ruff: noqa: F401

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.submission.archive import Archive, Inspected, inspected, open_archive
    from posebowl.submission.packer import Packed, find_folder, find_solution
    from posebowl.submission.record import (
        ZipRecord,
        is_as_packed,
        is_record,
        read_record,
        write_record,
    )
    from posebowl.submission.scaffold import start_solution

__getattr__ = face(__name__)
