"""Run the hostile suite many times, engine by engine, and print how often each case passed.

    uv run python -m tests.hostile.repeat --times 10 [--engine docker] [--reports FOLDER]

The reports of all runs are kept in the folder, if one is given, and the table is made of all
that lie there: runs of several days or engines add up.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree as ET

from posebowl import paths
from posebowl.challenge import EngineName

SUITES = ("tests/hostile/test_engines.py", "tests/hostile/test_harness.py")
# Cases that no engine sees, or that differ between engines in nothing, run with this one.
_REST = " or test_predictions or test_bad_archive"
_CASE = re.compile(r"(?P<test>\w+)(?:\[(?P<ids>.*)\])?$")


def main() -> int:
    """Run, print the table, and return 1 if any case failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--engine", type=EngineName, action="append", help="only these")
    parser.add_argument("--reports", type=Path, help="a folder that keeps the reports")
    words = parser.parse_args()
    with TemporaryDirectory(prefix="posebowl-hostile-") as scratch:
        folder = words.reports or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for _ in range(words.times):
            for engine in words.engine or EngineName:
                run(engine, folder)
        seen = read(folder.glob("*.xml"))
    print("\n".join(table(seen)))
    return int(any(passed < runs for passed, runs in seen.values()))


def run(engine: EngineName, folder: Path) -> None:
    """Run the suite once on one engine, its report under the next free number."""
    number = len(list(folder.glob(f"{engine}-*.xml"))) + 1
    report = folder / f"{engine}-{number:03}.xml"
    select = engine + (_REST if engine is EngineName.EMBEDDED else "")
    argv = [sys.executable, "-m", "pytest", "-q", *SUITES, "-k", select]
    subprocess.run([*argv, f"--junitxml={report}"], cwd=paths.ROOT, check=False)


def read(reports: Iterable[Path]) -> dict[tuple[str, str], tuple[int, int]]:
    """Count (passed, run) of each (case, engine); what was skipped did not run."""
    passed: Counter[tuple[str, str]] = Counter()
    runs: Counter[tuple[str, str]] = Counter()
    for report in reports:
        engine = report.name.partition("-")[0]
        for case in ET.parse(report).iter("testcase"):  # noqa: S314  # pytest wrote it
            outcomes = {child.tag for child in case}
            if "skipped" in outcomes:
                continue
            key = (name(case.get("name", ""), engine), engine)
            runs[key] += 1
            passed[key] += not outcomes & {"failure", "error"}
    return {key: (passed[key], count) for key, count in runs.items()}


def name(test: str, engine: str) -> str:
    """Name a case without its engine: `test_program[docker-fill]` is `program: fill`."""
    found = _CASE.match(test)
    if found is None:
        return test
    case = found["test"].removeprefix("test_")
    ids = (found["ids"] or "").removeprefix(engine).removeprefix("-")
    return f"{case}: {ids}" if ids else case


def table(seen: dict[tuple[str, str], tuple[int, int]]) -> list[str]:
    """Write a table in Markdown: a row a case, a column an engine, and the sums."""
    engines = [engine for engine in EngineName if any(key[1] == engine for key in seen)]
    lines = ["| case | " + " | ".join(engines) + " |", "|---|" + "---|" * len(engines)]
    for case in sorted({case for case, _ in seen}):
        cells = [seen.get((case, engine)) for engine in engines]
        shown = [f"{cell[0]}/{cell[1]}" if cell else "" for cell in cells]
        lines.append(f"| {case} | " + " | ".join(shown) + " |")
    sums = []
    for engine in engines:
        cells_ = [cell for (_, which), cell in seen.items() if which == engine]
        sums.append(f"{sum(c[0] for c in cells_)}/{sum(c[1] for c in cells_)}")
    lines.append("| **all** | " + " | ".join(sums) + " |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
