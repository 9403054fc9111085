"""Invoke tasks: what `invoke NAME` finds; each is in posebowl/cli/tasks."""

from __future__ import annotations

import posebowl.cli.isolation  # before what other software could have too is imported
import posebowl.cli.startup  # noqa: F401  # before all else is compiled
from posebowl.cli.catalog import TASKS
from posebowl.cli.invoke_adapter import collection

ns = collection(TASKS)
