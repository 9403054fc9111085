"""Words on a command line that invoke does not know: what was meant, and what to type.

invoke itself prints only `No idea what '--enginee' is!`.
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from posebowl.cli import official_runtime
from posebowl.errors import UsageError
from posebowl.util.text import show

_UNKNOWN: Final = re.compile(r"No idea what (['\"])(?P<word>.*)\1 is!", re.DOTALL)
_NO_VALUE: Final = re.compile(r"Flag <Argument: (?P<flag>[\w-]+).*needed value")


def advice(
    complaint: str, context: Any, tasks: Iterable[str], argv: Sequence[str] = ()
) -> UsageError | None:
    """Return invoke's complaint as a UsageError, or None if it is an unexpected one.

    Args:
        complaint: What invoke says.
        context: The task that was being read, with its flags; or invoke's own, without a name.
        tasks: The names of all tasks.
        argv: The command line.
    """
    task = context.name if context else None
    help_on = f"`invoke --help {task}` lists its flags" if task else "`invoke --list` lists all"
    if found := _NO_VALUE.search(complaint):
        return UsageError(
            f"--{found['flag']} needs a value.", fix=f"Type one behind it; {help_on}."
        )
    if not (found := _UNKNOWN.fullmatch(complaint)):
        return None
    word = found["word"].partition("=")[0]
    flags = [typed.partition("=")[0] for typed in argv]
    if word.startswith("-"):
        close = _close(word, context.flags if context else ())
        what = f"{task or 'invoke'} has no flag {show(word)}."
    elif (flag := _before(word, argv)) and flags.count(flag) > 1:
        return UsageError(f"{flag} is given twice.", fix=f"Type it once; {help_on}.")
    elif task:
        close = ""
        what = f"{task} has no use for the word {show(word)}, and no task has that name."
    else:
        close = official_runtime.target(word) or _close(word, tasks, before="invoke ")
        what = f"No task is called {show(word)}."
    return UsageError(what, fix=f"Type: {close}; {help_on}." if close else f"{help_on}.")


def _before(word: str, argv: Sequence[str]) -> str:
    """Return the flag before the last such word; nothing if a flag is not there."""
    pairs = [one for one, other in itertools.pairwise(argv) if other == word]
    return pairs[-1] if pairs and pairs[-1].startswith("-") else ""


def _close(word: str, known: Iterable[str], before: str = "") -> str:
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.7)
    return before + found[0] if found else ""


def core_flag(names: Sequence[str], tasks: Sequence[Any], argv: Sequence[str]) -> UsageError:
    """Return the refusal of a flag of invoke itself that stands behind a task.

    Args:
        names: Of the flag, without dashes.
        tasks: What the command line asks for.
        argv: The words of the command line.
    """
    typed = {f"{'-' if len(name) == 1 else '--'}{name}" for name in names}
    word = next((word for word in argv if word.partition("=")[0] in typed), min(typed))
    task = tasks[-1].name if tasks else "invoke"
    fix = f"`invoke --help {task}` lists its flags; invoke's own stand before the task."
    return UsageError(f"{task} has no flag {show(word)}.", fix=fix)
