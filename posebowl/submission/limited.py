"""Let a program read untrusted text: little memory, little time, and nothing left behind."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from posebowl.util import process
from posebowl.util.process import Completed, ProcessError

STDIN: Final = "/dev/stdin"
CPU_S: Final = 0.35
"""How much CPU time a reader has; honest text takes a tenth of it."""
_BUSY_S: Final = 5.0
"""How long a reader may take where other programs have the processors."""

# Of data, not of addresses: shellcheck reserves a terabyte of those. Honest text takes less than
# a third of each.
_LIMITED: Final = '{ ulimit -t 1; ulimit -d 262144; ulimit -c 0; } 2>/dev/null; exec "$0" "$@"'


def read_by(argv: Sequence[str | Path], content: bytes) -> Completed | None:
    """Let a program read bytes from its standard input.

    It may use CPU_S seconds of CPU time and 256 MiB of memory.

    Returns:
        What became of it, or None if it could not be started or did not end in time.
    """
    limited = ["sh", "-c", _LIMITED] if os.name == "posix" else []
    # A file without a name: nothing is left of it, however this process ends.
    with TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        try:
            return process.run(
                [*limited, *argv],
                check=False,
                timeout_s=_BUSY_S,
                cpu_s=CPU_S,
                stdin=file,
                env={"LC_ALL": "C"},
            )
        except ProcessError:
            return None
