"""How the modules of this package end as programs: an error is a sentence, never a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable

from posebowl.errors import PoseBowlError
from posebowl.util import os_errors
from posebowl.util.console import note, show_error


def run(main: Callable[[], None]) -> None:
    """Run a program to its end and exit with its code."""
    try:
        main()
    except (PoseBowlError, OSError) as error:
        shown = error if isinstance(error, PoseBowlError) else os_errors.as_error(error)
        show_error(shown)
        sys.exit(shown.exit_code)
    except KeyboardInterrupt:
        note("Stopped.")
        sys.exit(130)
