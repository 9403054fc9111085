"""What makes a command start and end faster: all of it is here, with what it saves.

Measured with `invoke check` on two cores of an EPYC, median of nine, in seconds of CPU:

- 0.5: keeping what Python compiles. invoke has Python keep nothing, so that each command would
  compile some 400 modules again; what the user chose (PYTHONDONTWRITEBYTECODE) counts again.
- 0.03: no last look for garbage at the end. All memory goes with the process.

Besides, modules import what only some commands need inside functions, and rooms have lazy faces
(posebowl/util/lazy.py): `invoke --list` takes 0.2 and `invoke check` 0.25, where loading polars
alone takes 0.2.
"""

from __future__ import annotations

import atexit
import gc
import sys

from posebowl.util.native import settle_environment

settle_environment()  # commands start threads, and import numpy and polars beside them
sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)
atexit.register(gc.freeze)
