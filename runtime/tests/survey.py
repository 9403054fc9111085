"""Report what is installed in an image: licences, sizes, and how long imports take.

    python survey.py RESULT [NAME ...]

writes JSON to the file RESULT. The import of each package NAME is timed. It needs only the
standard library, and runs inside the image.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

TRIES = 2
"""The first import of a module also reads it from the disk; the faster try counts."""
LIMIT_S = 120
NOT_MODULES = {"docs", "examples", "test", "tests", "scripts"}
TIMED = """
import importlib, sys, time
start = time.perf_counter()
importlib.import_module(sys.argv[1])
sys.stdout.write(f"\\n{time.perf_counter() - start}")
"""


def licence(metadata: Any) -> str:
    """Return the licence that a package states, in one line; empty if it states none."""
    classifiers = metadata.get_all("Classifier") or []
    named = [text.rpartition(" :: ")[2] for text in classifiers if text.startswith("License :: ")]
    found = sorted({*named} - {"OSI Approved"})
    stated = metadata.get("License-Expression") or " AND ".join(found)
    # The field License may hold a whole text, which names its licence in its first line.
    lines = [line.strip() for line in (stated or metadata.get("License") or "").splitlines()]
    text = next((line for line in lines if line), "")
    return "" if text.upper() == "UNKNOWN" else text


def main_module(name: str, modules: list[str]) -> str:
    """Return the module that stands for a package; empty if it has none."""
    likely = [module for module in sorted(modules) if module.isidentifier()]
    public = [one for one in likely if not one.startswith("_") and one not in NOT_MODULES]
    same = [module for module in public if module.lower() == name.replace("-", "_")]
    return (same or public or [""])[0]


def timed(module: str) -> dict[str, Any]:
    """Return how long the import of a module takes in a process of its own, or its error."""
    times = []
    for _ in range(TRIES):
        argv = [sys.executable, "-c", TIMED, module]
        try:
            done = subprocess.run(argv, capture_output=True, timeout=LIMIT_S, check=False)
        except subprocess.TimeoutExpired:
            return {"module": module, "error": f"takes longer than {LIMIT_S} s"}
        if done.returncode != 0:
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            return {"module": module, "error": lines[-1] if lines else f"exit {done.returncode}"}
        times.append(float(done.stdout.rpartition(b"\n")[2]))
    return {"module": module, "seconds": min(times)}


def survey(names: list[str]) -> dict[str, Any]:
    """Return what is known of each package that is installed, by its normalized name."""
    modules: dict[str, list[str]] = {}
    for module, packages in importlib.metadata.packages_distributions().items():
        for package in packages:
            modules.setdefault(_normal(package), []).append(module)
    found = {}
    for one in importlib.metadata.distributions():
        name = _normal(one.name)
        files = one.files or []
        found[name] = {
            "version": one.version,
            "licence": licence(one.metadata),
            "bytes": sum(file.size or 0 for file in files),
        }
        module = main_module(name, modules.get(name, []))
        if name in names and module:
            found[name]["imported"] = timed(module)
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(survey(sys.argv[2:])))
