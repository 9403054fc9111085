"""Open the debugger where an error ends a program: on the path of `invoke debug` only.

Python imports a module of this name when it starts.
"""

from __future__ import annotations

import sys
from types import TracebackType


def stop(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print an error that nothing has caught; then let the user look around where it was raised."""
    sys.__excepthook__(kind, error, trace)
    if trace is None or not issubclass(kind, Exception) or not sys.stdin.isatty():
        return
    import pdb  # noqa: PLC0415, T100  # no other program pays for it

    print("Stopped where it failed: `p X` prints, `w` shows the calls, `u` goes up, `q` ends.")
    pdb.post_mortem(trace)


sys.excepthook = stop
