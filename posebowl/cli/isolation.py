"""Import nothing from PYTHONPATH, in this process or in any that it starts.

Other software (ROS, say) puts its own packages there, before those of every Python.
"""

from __future__ import annotations

import os
import sys

for place in os.environ.pop("PYTHONPATH", "").split(os.pathsep):
    if place and place in sys.path:
        sys.path.remove(place)
