"""The data folder: find it, check it, unpack it."""

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.data.checks import (
        DataReport as DataReport,
        check as check,
        make_format as make_format,
    )
    from posebowl.data.folder import DataFolder as DataFolder
    from posebowl.data.manifest import (
        MANIFEST_FILE as MANIFEST_FILE,
        Entry as Entry,
        image_name as image_name,
    )
    from posebowl.data.sampling import evenly as evenly, sample as sample
    from posebowl.data.stress import MANY as MANY, Stressed as Stressed, stressed as stressed
    from posebowl.data.unpacker import Unpacked as Unpacked

__getattr__ = face(__name__)
