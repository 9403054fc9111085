"""From a folder to a zip that the platform accepts."""

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.submission.archive import (
        Archive as Archive,
        open_archive as open_archive,
    )
    from posebowl.submission.packer import (
        Packed as Packed,
        find_folder as find_folder,
        find_solution as find_solution,
    )

__getattr__ = face(
    __name__,
    archive=("Archive", "open_archive"),
    packer=("Packed", "find_folder", "find_solution"),
)
