"""From a folder to a zip that the platform accepts."""

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.submission.archive import (
        Archive as Archive,
        Inspected as Inspected,
        inspected as inspected,
        open_archive as open_archive,
    )
    from posebowl.submission.packer import (
        Packed as Packed,
        find_folder as find_folder,
        find_solution as find_solution,
    )
    from posebowl.submission.record import (
        ZipRecord as ZipRecord,
        is_as_packed as is_as_packed,
        is_record as is_record,
        read_record as read_record,
        write_record as write_record,
    )
    from posebowl.submission.scaffold import start_solution as start_solution

__getattr__ = face(__name__)
