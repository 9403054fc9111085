"""The self-test as a page to keep; like the report, it loads nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from posebowl.doctor.selftest import EngineTest, SelfTest
from posebowl.report import fill
from posebowl.util.text import counted, shorten
from posebowl.util.units import duration


def self_test_page(test: SelfTest) -> str:
    """Return the page as HTML."""
    tested = [one for one in test.engines if not one.problem]
    deviating = sum(len(one.deviating) for one in tested)
    rows = [row for one in tested for row in one.rows]
    return fill(
        "selftest.html.j2",
        state="pass" if test.passed else "fail",
        cases=counted(len(rows), "case"),
        engines=counted(len(tested), "engine"),
        deviating=counted(deviating, "case") if deviating else "",
        at=f"{datetime.fromisoformat(test.at):%Y-%m-%d %H:%M} UTC",
        took=duration(sum(row.seconds for row in rows)),
        tests=[_engine(one) for one in test.engines],
        pairs=[
            ("System", test.machine["system"]),
            ("Processor", test.machine["cpu"]),
            ("This tool", test.machine["posebowl"]),
            ("Variant", test.variant),
            ("Lock", test.lock),
        ],
    )


def _engine(test: EngineTest) -> dict[str, Any]:
    return {
        "name": test.engine,
        "about": test.about,
        "problem": test.problem,
        "fix": test.fix,
        "passed": len(test.rows) - len(test.deviating),
        "rows": [
            {
                "case": row.case,
                "about": row.about,
                "expected": row.expected,
                "got": row.got,
                "state": "pass" if row.passed else "fail",
                "seconds": f"{row.seconds:.1f}",
                "why": shorten(row.why, 500),
            }
            for row in test.rows
        ],
    }
