"""The data folder: find it, check it, unpack it."""
# mypy: implicit-reexport
# ruff: noqa: F401

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.data.checks import DataReport, check, make_format
    from posebowl.data.folder import DataFolder
    from posebowl.data.manifest import MANIFEST_FILE, Entry, image_name
    from posebowl.data.sampling import evenly, sample
    from posebowl.data.stress import MANY, Stressed, stressed
    from posebowl.data.unpacker import Unpacked

__getattr__ = face(__name__)
