"""An image that this project did not make, such as the official one: what a run adds to it.

The entrypoint and the unpacker are those of our images, mounted; /code_execution is a folder of
the host, since the image may lack it or keep it from the run's user. The image itself must have a
shell, coreutils, findutils and Python 3.8 or newer.
"""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath
from typing import Final

from posebowl import paths
from posebowl.challenge import CODE_EXECUTION
from posebowl.engines.oci.argv import Mount
from posebowl.engines.output_stream import LACKS_PROGRAM

ENTRYPOINT: Final = "sh"
SCRIPT: Final = f"""
# The official image keeps its packages in an environment of conda.
for place in /opt/conda/envs/condaenv/bin /opt/conda/bin; do
    [ ! -d $place ] || {{ PATH=$place:$PATH; break; }}
done
export PATH
for word in python env find sort wc head; do
    command -v $word >/dev/null || {{ echo $word; exit {LACKS_PROGRAM}; }}
done
export PYTHONUNBUFFERED=1
exec sh /opt/posebowl/entrypoint.sh "$0"
"""


def workspace(scratch: Path) -> Path:
    """Make what main.sh sees as /code_execution, and what is mounted there beside it."""
    place, tools = scratch / "code_execution", scratch / "posebowl"
    for folder in (place, place / "data", place / "submission", tools):
        folder.mkdir()
        folder.chmod(0o755)
    for name in ("entrypoint.sh", "unpack.py"):
        shutil.copyfile(paths.RUNTIME / name, tools / name)
        (tools / name).chmod(0o755)
    return place


def mounts(scratch: Path) -> tuple[Mount, ...]:
    """Return what a foreign image has mounted beside the mounts of every run."""
    return (
        Mount(source=scratch / "code_execution", target=CODE_EXECUTION, writable=True),
        Mount(source=scratch / "posebowl", target=PurePosixPath("/opt/posebowl")),
    )
