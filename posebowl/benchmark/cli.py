"""How the modules of this package end as programs: an error is a sentence, never a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable

from posebowl.console import note, show_error
from posebowl.errors import PoseBowlError


def run(main: Callable[[], None]) -> None:
    """Run a program to its end and exit with its code."""
    try:
        main()
    except PoseBowlError as error:
        show_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        note("Stopped.")
        sys.exit(130)
