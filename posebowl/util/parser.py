"""A parser of command lines that says what is wrong as all else here does: in a sentence."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from posebowl.errors import UsageError


class Parser(argparse.ArgumentParser):
    """Of a module that a task runs: its flags are the task's."""

    def __init__(self, *, task: str, **options: Any) -> None:
        super().__init__(**options)
        self._task = task

    def error(self, message: str) -> NoReturn:
        """Refuse a command line.

        Raises:
            UsageError: Always.
        """
        what = message.removeprefix("argument ").rstrip(".")
        raise UsageError(f"{what[:1].upper()}{what[1:]}.", fix=f"Type: invoke --help {self._task}")
