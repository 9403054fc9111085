"""What the tab key offers for the value of an option; invoke itself completes tasks and flags."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from posebowl.cli.task import Task
from posebowl.util.options import REQUIRED, SHORT, Option


def candidates(line: str, tasks: Iterable[Task]) -> Sequence[str] | None:
    """Return the words that fit at the end of a command line, or None to let invoke find them.

    An empty answer makes the shell offer files.

    Args:
        line: As the shell's completion script passes it: the last word may be incomplete.
        tasks: All that there are.
    """
    words = re.sub(r"\s=\s?", " ", line).split()[1:]
    by_name = {task.name: task for task in tasks}
    place = next((index for index, word in enumerate(words) if word in by_name), len(words))
    rest = words[place + 1 :]
    if not rest or (option := _expecting(by_name[words[place]], rest)) is None:
        return None
    task, last = by_name[words[place]], rest[-1]
    offered = tuple(option.kind.choices or (option.kind.suggest or tuple)())
    if last in offered:
        # It is complete: what comes next is another flag.
        return tuple(known.flag for known in task.options if known.default is not REQUIRED)
    if option.kind.toml is list and not last.startswith("-"):
        done = last.rpartition(",")[0]
        return tuple(f"{done},{word}" if done else word for word in offered)
    return offered


def _expecting(task: Task, words: Sequence[str]) -> Option | None:
    """Return the option whose value the last word is, or whose value comes next.

    Where no flag takes it, it is the first option that is a word of its own.
    """
    flag = words[-1] if words[-1].startswith("-") else words[-2] if len(words) > 1 else ""
    for option in task.options:
        if flag in {option.flag, f"-{SHORT.get(option.name, '-')}"}:
            if not option.is_switch:
                return option
            break
    if words[-1].startswith("-"):
        return None
    return next((option for option in task.options if option.positional), None)
