"""The challenge as data: the photo, the table of predictions, and what a run may use."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Final

IMAGE_WIDTH: Final = 1280
"""Width of every photo, in pixels."""

IMAGE_HEIGHT: Final = 1024
"""Height of every photo, in pixels."""

ID_COLUMN: Final = "image_id"
BOX_COLUMNS: Final = ("xmin", "ymin", "xmax", "ymax")
"""A box in whole pixels; xmax and ymax are one past the last pixel, so width is xmax - xmin."""
COLUMNS: Final = (ID_COLUMN, *BOX_COLUMNS)

IMAGES_DIR: Final = "images"
FORMAT_FILE: Final = "submission_format.csv"
LABELS_FILE: Final = "train_labels.csv"
PREDICTIONS_FILE: Final = "submission.csv"
MAIN_SCRIPT: Final = "main.sh"

CODE_EXECUTION: Final = PurePosixPath("/code_execution")
"""Where a submission finds everything, inside the run."""

MIB: Final = 1 << 20
GIB: Final = 1 << 30


class Variant(StrEnum):
    """Which image, and so which hardware, a run is for."""

    CPU = "cpu"
    GPU = "gpu"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one run may use.

    The first three are the platform's; the others protect the machine of whoever runs
    other people's code, and are set so wide that no honest submission meets them.
    """

    wall_time_s: float = 105 * 60
    """From the start of main.sh until its last process is dead, in seconds of a monotonic clock."""
    memory_bytes: int = 4 * GIB
    """Resident memory of all processes together; there is no swap."""
    cpus: int = 3
    """Processor cores."""
    output_bytes: int = 8 * GIB
    """Everything that the run leaves on disk (working directory, results, /tmp, packages), without
    what the zip holds."""
    log_bytes: int = 8 * MIB
    """What is kept of stdout and stderr: half from the head and half from the tail."""
    processes: int = 1024
    """Processes and threads alive at once."""
    predictions_bytes: int = 256 * MIB
    """submission.csv; a million rows of honest predictions take about 50 MiB."""
    grace_s: float = 5.0
    """Between TERM and KILL, in seconds."""

    @property
    def file_bytes(self) -> int:
        """Of one file: no file can exceed the output limit, however fast it is written."""
        return self.output_bytes + (64 << 20)

    @property
    def output_files(self) -> int:
        """Files and folders that the run may leave: as many as ext4 makes room for in its output.

        mke2fs plans one for each 16 KiB (mke2fs.conf, inode_ratio).
        """
        return self.output_bytes >> 14


@dataclass(frozen=True, kw_only=True)
class ArchiveLimits:
    """What submission.zip may hold."""

    archive_bytes: int = 20 * GIB
    file_bytes: int = 8 * GIB
    """No more than a run may write: a larger file could not be unpacked there."""
    unpacked_bytes: int = 40 * GIB
    entries: int = 100_000
    ratio: int = 200
    """Unpacked to packed, above which an archive of more than 100 MiB is taken for a bomb."""


LIMITS: Final = {Variant.CPU: Limits(), Variant.GPU: Limits(memory_bytes=16 * GIB)}
ARCHIVE_LIMITS: Final = ArchiveLimits()


class EngineName(StrEnum):
    """What executes a run."""

    DOCKER = "docker"
    PODMAN = "podman"
    EMBEDDED = "embedded"


class Limit(StrEnum):
    """A limit that an engine enforces, or says that it does not."""

    WALL_TIME = "wall-time"
    MEMORY = "memory"
    CPUS = "cpus"
    OUTPUT = "output"
    PROCESSES = "processes"
    NETWORK = "network"
    SYSTEM_CALLS = "system-calls"
