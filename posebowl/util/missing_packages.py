"""Modules that are run by hand in an environment without a package that they need."""

from __future__ import annotations

import shlex
import sys
from types import TracebackType
from typing import Final

GROUPS: Final = {
    "cv2": "lean",
    "onnx": "cpu",
    "onnxruntime": "lean",
    "pyvista": "render",
    "ray": "cluster-test",
    "simpy": "cluster-test",
    "torch": "cpu",
    "ultralytics": "cpu",
}
"""The smallest dependency group of pyproject.toml that brings what a module imports."""


def explain_missing_packages() -> None:
    """Have `python -m` end with a sentence, not a traceback, where one of `GROUPS` is missing.

    To be called by the package of a module that may be run so: it is imported first.
    """
    if sys.argv[0] == "-m":  # so it is while Python looks for the module that it is to run
        sys.excepthook = _explain


def _explain(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    group = GROUPS.get(error.name or "") if isinstance(error, ModuleNotFoundError) else None
    if group is None:
        sys.__excepthook__(kind, error, traceback)
        return
    again = shlex.join(["uv", "run", "--group", group, "python", *sys.orig_argv[1:]])
    print(f"{error} in this environment. Type: {again}", file=sys.stderr)
