"""What only root can change on the virtual machine, and what its user is then told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from posebowl import paths

pytestmark = pytest.mark.container

USER = 1000
SWITCHES = {
    "kernel.unprivileged_userns_clone": ("0", "1"),
    "kernel.apparmor_restrict_unprivileged_userns": ("1", "0"),
    "user.max_user_namespaces": ("0", "10000"),
}
"""What forbids namespaces to users, and what allows them."""
HERE = [name for name in SWITCHES if Path("/proc/sys", *name.split(".")).exists()]


def as_user(*words: str, check: bool = True) -> str:
    """Run Python as the machine's user, and return what it prints."""
    become = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", "env", "-i"]
    variables = ["HOME=/home/user", "PATH=/opt/venv/bin:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE=1"]
    return subprocess.run(
        [*become, *variables, sys.executable, *words],
        cwd=paths.ROOT,
        check=check,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


@contextmanager
def set_to(name: str, forbids: str, allows: str) -> Iterator[None]:
    """Set a kernel setting, and set it back."""
    subprocess.run(["sysctl", "-q", "-w", f"{name}={forbids}"], check=True)
    try:
        yield
    finally:
        subprocess.run(["sysctl", "-q", "-w", f"{name}={allows}"], check=True)


ASK = "from posebowl.engines.embedded import namespaces; print(namespaces.problem())"


@pytest.mark.parametrize("name", HERE)
def test_the_switch_that_forbids_namespaces_is_named(name: str) -> None:
    forbids, allows = SWITCHES[name]
    with set_to(name, forbids, allows):
        said = as_user("-c", ASK)
    assert f"sudo sysctl {name}=" in said
    assert as_user("-c", ASK) == "None\n"


def test_no_switch_of_this_kernel_is_left_out() -> None:
    debian = SWITCHES.keys() - {"kernel.apparmor_restrict_unprivileged_userns"}
    assert set(HERE) == (SWITCHES.keys() if os.environ["ONLY"] == "ubuntu" else debian)


def test_without_a_manager_of_the_user_s_the_watchdog_limits_memory() -> None:
    subprocess.run(["systemctl", "stop", f"user@{USER}.service"], check=True)
    try:
        out = Path("/tmp/without-a-manager")
        run = ["run", "--engine", "embedded", "--out", str(out)]
        pack = ["pack", "quickstart", "--out", f"{out}.zip"]
        as_user("-m", "posebowl.cli", *pack)
        as_user("-m", "posebowl.cli", *run, f"{out}.zip")
    finally:
        subprocess.run(["systemctl", "start", f"user@{USER}.service"], check=True)
    result = json.loads((out / "result.json").read_text())
    assert result["verdict"] == "OK"
    assert result["unenforced"].keys() == {"memory", "cpus"}
