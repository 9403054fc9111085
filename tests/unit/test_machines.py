"""How a virtual machine is started, with a qemu that says what it is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

import psutil
import pytest

from posebowl.errors import StoppedError
from tests.machines import machine
from tests.machines.__main__ import main
from tests.machines.machine import Disks
from tests.machines.recipe import Image

QEMU = """#!/bin/sh
case "$*" in
*"-accel kvm"*) {kvm} ;;
*) {tcg} ;;
esac
"""


@pytest.fixture
def disks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disks:
    """Return the disks of a machine that is never read."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "console.log").write_text("Kernel panic\n")
    return Disks(
        image=Image(folder=tmp_path),
        checkout=tmp_path / "checkout.tar",
        runtime=tmp_path / "runtime.tar",
        scratch=tmp_path,
    )


def started(disks: Disks, kvm: str, tcg: str = "exit 1") -> tuple[int, str, list[str]]:
    """Run a machine whose qemu does this; return its exit code, what ran it, what was told."""
    program = disks.scratch / "qemu-system-x86_64"
    program.write_text(QEMU.format(kvm=kvm, tcg=tcg))
    program.chmod(0o755)
    told: list[str] = []
    return *machine.run(disks, told.append, ways=["kvm", "tcg"], limit_s=60.0), told


@pytest.mark.parametrize("code", [0, 1])
def test_a_machine_s_lines_are_passed_on_until_it_ends(code: int, disks: Disks) -> None:
    said = started(disks, f"echo UP; echo 3 passed; echo ENDS {code}; exec sleep 60")
    assert said == (code, "kvm", ["The machine runs, with kvm.", "3 passed"])


@pytest.mark.parametrize("hangs", ["exec sleep 60", "exit 1", "echo no; exec sleep 60"])
def test_a_kvm_that_does_not_boot_is_given_up(
    hangs: str, disks: Disks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(machine.BOOT_S, "kvm", 0.5)
    code, way, told = started(disks, hangs, "echo UP; echo ENDS 0")
    assert (code, way) == (0, "tcg")
    assert told == ["kvm does not boot it.", "The machine runs, with tcg."]


@pytest.mark.parametrize("tcg", ["exit 1", "echo UP; echo halfway"])
def test_a_machine_that_dies_is_an_error_with_its_console(tcg: str, disks: Disks) -> None:
    with pytest.raises(TimeoutError, match="Kernel panic"):
        started(disks, "exit 1", tcg)


AS_PROGRAM = """
import os, runpy
from pathlib import Path
from tests.machines import machine, recipe
os.geteuid = lambda: 0
recipe.image = lambda cache: recipe.Image(folder=Path(os.environ["PATH"].split(":")[0]))
machine.pack = machine.pack_runtime = lambda *_: None
machine.accelerators = lambda: ["tcg"]
runpy.run_module("tests.machines", run_name="__main__")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_to_end_it_ends_the_machine_too(number: int, disks: Disks) -> None:
    qemu = disks.scratch / "qemu-system-x86_64"
    qemu.write_text("#!/bin/sh\necho UP; echo $$; exec sleep 600\n")
    qemu.chmod(0o755)
    words = [sys.executable, "-c", AS_PROGRAM]
    folder = {**os.environ, "TMPDIR": str(disks.scratch)}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=folder) as child:
        assert child.stdout is not None
        machines = next(int(line) for line in child.stdout if line.strip().isdecimal())
        child.send_signal(number)
        assert child.wait() == StoppedError("").exit_code
    assert not psutil.pid_exists(machines)
    assert not list(disks.scratch.glob("machine-*"))


def test_some_suites_have_kernels_of_their_own(disks: Disks) -> None:
    kernels = {}
    for suite in ("", "podman", "ubuntu", "swap"):
        words = machine.argv(disks, "tcg", suite)
        kernels[suite] = words[words.index("-kernel") + 1]
        assert ("-initrd" in words) is (suite in {"", "podman"})
        options = words[words.index("-append") + 1].split()
        assert f"only={suite}" in options
        assert ("systemd.unified_cgroup_hierarchy=0" in options) is (suite == "swap")
    assert kernels == {
        "": str(disks.image.kernel),
        "podman": str(disks.image.kernel),
        "ubuntu": str(disks.image.ubuntu),
        "swap": str(disks.image.focal),
    }


def test_a_suite_that_is_not_there_is_refused_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("podmann") == 2
    assert "podman, docker, rootless" in capsys.readouterr().out


def test_kvm_is_tried_only_where_it_may_be_used(tmp_path: Path) -> None:
    assert machine.accelerators(tmp_path / "none") == ["tcg"]
    (tmp_path / "kvm").touch()
    assert machine.accelerators(tmp_path / "kvm") == ["kvm", "tcg"]


def test_the_checkout_is_packed_as_it_is(tmp_path: Path) -> None:
    machine.pack(tmp_path / "checkout.tar")
    with tarfile.open(tmp_path / "checkout.tar") as archive:
        names = archive.getnames()
    assert {"uv.lock", "runtime/entrypoint.sh", "tests/machines/start.sh"} <= {*names}
    assert not any(name.startswith((".git/", ".venv")) for name in names)


def test_the_runtime_image_has_the_tools_of_the_checkout(tmp_path: Path) -> None:
    image = Image(folder=tmp_path)
    (tmp_path / "opt" / "posebowl").mkdir(parents=True)
    with tarfile.open(image.runtime, "w") as archive:
        archive.add(tmp_path / "opt", "./opt")
    machine.pack_runtime(image, tmp_path / "whole.tar")
    with tarfile.open(tmp_path / "whole.tar") as archive:
        tool = archive.getmember("./opt/posebowl/entrypoint.sh")
    assert tool.mode & 0o755 == 0o755
    assert tool.uid == 0
