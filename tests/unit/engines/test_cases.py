"""What a case takes for a right that a run must not have."""

from __future__ import annotations

import os
import pathlib

import pytest

from posebowl.engines.cases import CASES

MAIN = next(case.main for case in CASES if case.name == "no_privileges")
CODE = MAIN.partition("<<'END'\n")[2].partition("\nEND\n")[0]
HELD = {"CapEff": "0000000000000000", "NoNewPrivs": "1"}


def look(monkeypatch: pytest.MonkeyPatch, uid: int, outside: int, **status: str) -> None:
    """Run the case's code as a process that the kernel describes so."""
    files = {
        "/proc/self/status": "".join(f"{k}:\t{v}\n" for k, v in (HELD | status).items()),
        "/proc/self/uid_map": f"         0 {outside:10} {1:10}\n",
    }

    def refuse(_: str) -> None:
        raise PermissionError

    monkeypatch.setattr(pathlib.Path, "read_text", lambda path: files[str(path)])
    monkeypatch.setattr(os, "getuid", lambda: uid)
    monkeypatch.setattr(os, "chroot", refuse)
    exec(CODE, {})  # noqa: S102  # our own


@pytest.mark.parametrize(("uid", "outside"), [(1000, 0), (0, 1000), (1000, 1000)])
def test_a_user_may_be_user_0_of_a_namespace(
    uid: int, outside: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    look(monkeypatch, uid, outside)


@pytest.mark.parametrize(
    ("uid", "status"),
    [(0, {}), (1000, {"CapEff": "0000000000000001"}), (1000, {"NoNewPrivs": "0"})],
)
def test_root_of_the_host_capabilities_and_new_privileges_are_found(
    uid: int, status: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AssertionError):
        look(monkeypatch, uid, 0, **status)
