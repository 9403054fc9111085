"""Podman as an unprivileged user: a real one, behind a client that drops root's privileges."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from posebowl.challenge import EngineName, Limit
from posebowl.doctor import engines
from posebowl.doctor.findings import State
from posebowl.engines.oci import client as oci_client, host_user
from posebowl.engines.oci.client import Client
from posebowl.engines.oci.engine import OciEngine
from posebowl.environments.venv import NOBODY
from posebowl.errors import LimitUnenforcedError
from posebowl.util import process
from tests.container.heard import Heard, SpecMaker

pytestmark = [
    pytest.mark.container,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user"),
    pytest.mark.skipif(shutil.which("podman") is None, reason="Podman is not installed"),
]


@pytest.fixture
def rootless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Return a client that runs as nobody, with a home of its own."""
    home = Path(tempfile.mkdtemp(prefix="rootless-"))  # the path of its socket must be short
    os.chown(home, NOBODY, NOBODY)
    program = tmp_path / "podman"
    program.write_text(
        "#!/bin/sh\n"
        f"cd {home} && exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups "
        f"env -i PATH={os.environ['PATH']} HOME={home} XDG_RUNTIME_DIR={home} "
        f'{shutil.which("podman")} "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    oci_client.connect.cache_clear()
    try:
        if problem := oci_client.problem(EngineName.PODMAN):
            pytest.skip(problem)
        client = oci_client.connect(EngineName.PODMAN)
        yield client
    finally:
        oci_client.connect.cache_clear()
        # Its last process keeps the user's namespace for the next command, and may still write.
        process.run([program, "system", "migrate"], check=False)
        shutil.rmtree(home)


def test_podman_without_root_is_known_as_such(rootless: Client) -> None:
    assert rootless.rootless
    assert not rootless.mapped_to_me
    assert host_user.run_user(rootless).keep_id
    assert rootless.inspect("image", "posebowl-none:cpu") is None


def test_whoever_asks_is_told_what_does_not_hold(rootless: Client) -> None:
    found = engines.engine(rootless)
    assert "rootless" in found.text
    if rootless.cgroup_version == 1:
        assert found.state is State.WARNING
        assert "limits do not hold" in found.text
        assert "--waive" in found.fix
    else:
        assert found.state is State.GOOD


def test_a_limit_that_podman_cannot_hold_ends_a_run_before_its_image_is_needed(
    rootless: Client, spec_of: SpecMaker
) -> None:
    spec, heard = spec_of("echo ran"), Heard()
    if rootless.cgroup_version != 1:
        pytest.skip("control groups of version 2 may be delegated to users")
    assert set(rootless.cannot_limit) == {Limit.MEMORY, Limit.CPUS, Limit.PROCESSES}
    with pytest.raises(LimitUnenforcedError, match="version 1") as caught:
        OciEngine(EngineName.PODMAN).prepare(spec, heard.watcher())
    assert "--waive memory,cpus,processes" in caught.value.fix
