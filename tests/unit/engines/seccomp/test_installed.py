"""Whether a filter is in force, as the kernel reports it."""

from __future__ import annotations

import pytest

from posebowl.engines.seccomp import installed

NONE = "Name:\tsh\nSeccomp:\t0\nSeccomp_filters:\t0\n"
ONE = "Name:\tsh\nSeccomp:\t2\nSeccomp_filters:\t1\n"
TWO = "Name:\tsh\nSeccomp:\t2\nSeccomp_filters:\t2\n"
OLD = "Name:\tsh\nSeccomp:\t2\nSpeculation_Store_Bypass:\tvulnerable\n"


@pytest.mark.parametrize(
    ("status", "outside", "holds"),
    [
        (ONE, "", True),
        (ONE, NONE, True),
        (TWO, ONE, True),
        (OLD, OLD, True),  # Linux before 5.9 does not count
        (ONE, ONE, False),  # inherited from a container around all of it
        (NONE, NONE, False),
        ("", NONE, False),
        (ONE.replace("Seccomp:\t2", "Seccomp:\t1"), "", False),
    ],
)
def test_missing(status: str, outside: str, holds: bool) -> None:
    assert (installed.missing(status, outside=outside) == "") == holds


def test_status_is_that_of_the_process() -> None:
    assert "Name:" in installed.status("self")
    assert installed.status(2**22 + 1) == ""
