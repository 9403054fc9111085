"""The tasks without invoke: `python -m posebowl.cli evaluate FILE ...`, in any environment."""

from __future__ import annotations

import sys

from posebowl.cli.catalog import TASKS
from posebowl.errors import UsageError
from posebowl.util import program


def main(words: list[str]) -> int | None:
    """Run the task that the first word names, with the options that follow.

    Raises:
        UsageError: No task has that name, or it refuses its options.
    """
    by_name = {task.name: task for task in TASKS}
    name = words[0] if words else ""
    if name not in by_name:
        raise UsageError("Name a task first.", fix=f"It is one of: {', '.join(by_name)}.")
    task = by_name[name]
    return task(vars(program.parser(task.options).parse_args(words[1:])))


if __name__ == "__main__":
    sys.exit(program.guard(lambda: main(sys.argv[1:]), as_json="--json" in sys.argv))
