"""What cases take for a right that a run must not have."""

from __future__ import annotations

import os
import pathlib
import subprocess

import pytest

from posebowl.engines.cases import CASES, OK

MAIN = {case.name: case.main for case in CASES}
CODE = MAIN["no_privileges"].partition("<<'END'\n")[2].partition("\nEND\n")[0]
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


@pytest.mark.skipif(os.name == "nt", reason="a script for sh")
@pytest.mark.parametrize(
    ("made", "code"), [("nothing", 0), ("own", 0), ("of another", 1), ("ssh", 2)]
)
def test_files_of_the_host_are_told_from_those_of_the_image(
    made: str, code: int, tmp_path: pathlib.Path
) -> None:
    shadow = tmp_path / "shadow"
    if made == "of another" and os.geteuid():
        shadow.symlink_to("/etc/passwd")
    elif made in {"own", "of another"}:
        shadow.touch()
        os.chown(shadow, *((65534, 65534) if made == "of another" else (-1, -1)))
    elif made == "ssh":
        (tmp_path / "ssh").mkdir()
    script = MAIN["no_host_files"].removeprefix(OK).replace("/etc", str(tmp_path))
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (code, b"")
