"""Many short runs in a row leave nothing behind; LEAK_RUNS=200 makes it as many."""

from __future__ import annotations

import os
import threading

import psutil
import pytest

from posebowl import cgroups
from posebowl.engines import oci_argv, oci_client
from posebowl.engines.oci import OciEngine
from tests.container.heard import Heard, SpecMaker

pytestmark = pytest.mark.container

RUNS = int(os.environ.get("LEAK_RUNS", "10"))


def _held() -> tuple[int, int, int]:
    """Count this process's open files, children and threads."""
    me = psutil.Process()
    return me.num_fds(), len(me.children(recursive=True)), threading.active_count()


def test_nothing_is_left_behind(oci: OciEngine, spec_of: SpecMaker) -> None:
    client = oci_client.connect(oci.name)
    oci.execute(spec_of("true"), Heard().watcher())
    before = _held()
    names = []
    for number in range(RUNS):
        spec, heard = spec_of(f"echo {number}; sleep 1000 & exit 0"), Heard()
        names.append(f"posebowl-{spec.run_id}")
        outcome = oci.execute(spec, heard.watcher())
        assert (outcome.exit_code, heard.lines) == (0, [str(number)])
        assert list(spec.output.iterdir()) == []
        assert [path.name for path in spec.scratch.iterdir()] == ["client.txt"]
    assert _held() == before
    assert client.run(*oci_argv.listing()).stdout.split() == []
    running = {
        " ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])
    }
    assert not [line for line in running if any(name in line for name in names)]
    assert list(cgroups.MOUNT.glob("*/posebowl-test-*")) == []
