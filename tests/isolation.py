"""Keep what a developer has set, and other software, out of the tests; imported first of all."""

from __future__ import annotations

import os
import sys
from typing import Final

_LOOKS: Final = {"CLICOLOR_FORCE", "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR", "TTY_COMPATIBLE"}
"""Change what consoles print, some when their module is imported."""
_KEPT: Final = {"POSEBOWL_CACHE"}
"""The environments that the embedded engine has made: hundreds of MB."""

# Packages that other software (such as ROS) puts on the path of every Python are not those of the
# lock. Their pytest plugins are kept out by --disable-plugin-autoload in pyproject.toml.
for foreign in os.environ.pop("PYTHONPATH", "").split(os.pathsep):
    if foreign in sys.path:
        sys.path.remove(foreign)

for name in [*os.environ]:
    if name in _LOOKS or (name.startswith("POSEBOWL_") and name not in _KEPT):
        del os.environ[name]
