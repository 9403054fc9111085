"""What a run uses, and the watchdog that ends it at a limit."""

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.engines.monitoring.disk_usage import folder_usage as folder_usage
    from posebowl.engines.monitoring.file_reads import (
        ImageReads as ImageReads,
        watching as watching,
    )

__getattr__ = face(__name__)
