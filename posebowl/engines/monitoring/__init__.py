"""What a run uses, and the watchdog that ends it at a limit."""
# mypy: implicit-reexport
# ruff: noqa: F401

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.engines.monitoring.disk_usage import folder_usage
    from posebowl.engines.monitoring.file_reads import ImageReads, watching

__getattr__ = face(__name__)
