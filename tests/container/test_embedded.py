"""What only the embedded engine does: its environments, its watchdog, its copy of last resort."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
import time
import zipfile
from pathlib import Path

import pytest

from posebowl import environments
from posebowl.challenge import LIMITS, Limit, Variant
from posebowl.engines.base import Outcome, RunSpec, Stop, Watcher
from posebowl.engines.cases import CASES
from posebowl.engines.embedded.engine import EmbeddedEngine
from posebowl.engines.gpu import Driver
from posebowl.engines.seccomp import bpf
from posebowl.errors import LimitUnenforcedError
from posebowl.settings import resolve
from tests.hostile.programs import OK, Case, python

pytestmark = [
    pytest.mark.container,
    pytest.mark.skipif(
        EmbeddedEngine().unavailable() is not None, reason="embedded: cannot be used here"
    ),
]


@pytest.fixture
def spec(tmp_path: Path, data_folder: Path) -> RunSpec:
    """Describe a run in a folder of its own."""
    tmp_path.chmod(0o755)
    for name in ("output", "scratch"):
        (tmp_path / name).mkdir()
    return RunSpec(
        run_id=f"test-{os.getpid()}-{time.monotonic_ns()}",
        archive=tmp_path / "submission.zip",
        images=data_folder / "images",
        submission_format=data_folder / "submission_format.csv",
        output=tmp_path / "output",
        scratch=tmp_path / "scratch",
        log=tmp_path / "log.txt",
        variant=Variant.CPU,
        cache=resolve.load().cache,
        limits=dataclasses.replace(LIMITS[Variant.CPU], wall_time_s=300.0),
    )


def execute(spec: RunSpec, main: str, engine: EmbeddedEngine, **changes: object) -> Outcome:
    with zipfile.ZipFile(spec.archive, "w") as archive:
        archive.writestr("main.sh", main)
    spec = dataclasses.replace(spec, **changes)
    engine.prepare(spec, Watcher())
    return engine.execute(spec, Watcher())


HOGS = [case for case in CASES if case.name.startswith("hog")]


@pytest.mark.parametrize("hog", HOGS, ids=[case.name for case in HOGS])
def test_the_watchdog_stops_what_takes_too_much_memory(spec: RunSpec, hog: Case):
    limits = dataclasses.replace(spec.limits, memory_bytes=300 << 20)

    ended = execute(spec, hog.main, EmbeddedEngine(use_cgroup=False), limits=limits)

    assert ended.stopped_by is Stop.MEMORY
    assert ended.exit_code is None
    assert "watch" in ended.unenforced[Limit.MEMORY] or "checked" in ended.unenforced[Limit.MEMORY]


def test_without_a_filter_nothing_runs_unless_waived(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bpf, "program", lambda _: b"")
    with pytest.raises(LimitUnenforcedError, match="system-calls"):
        execute(spec, "touch ../submission/ran", EmbeddedEngine())
    assert list(spec.output.iterdir()) == []

    spec.log.unlink()
    shutil.rmtree(spec.scratch)
    spec.scratch.mkdir()
    waived = frozenset({Limit.SYSTEM_CALLS})
    ended = execute(spec, "touch ../submission/ran", EmbeddedEngine(), waived=waived)
    assert Limit.SYSTEM_CALLS in ended.unenforced
    assert (spec.output / "ran").exists()


def test_memory_that_the_watchdog_cannot_see_is_bounded(spec: RunSpec):
    code = (
        "import ctypes\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "got = libc.shmget(0, ctypes.c_size_t(64 << 20), 0o1600)\n"
        "assert got < 0 and ctypes.get_errno() == 28, (got, ctypes.get_errno())\n"
        "assert libc.shmget(0, ctypes.c_size_t(8 << 20), 0o1600) >= 0\n"
        "queues = [libc.msgget(0, 0o1600) for _ in range(32)]\n"
        "assert sum(queue >= 0 for queue in queues) == 16, queues\n"
    )
    ended = execute(spec, python(code), EmbeddedEngine(use_cgroup=False))
    assert ended.exit_code == 0, spec.log.read_text()


def test_the_watchdog_counts_shared_pages_once(spec: RunSpec):
    # Six processes share 200 MiB: together they hold 200, though each one shows them as its own.
    code = (
        "import os, time\n"
        "held = bytearray(b'x' * (200 << 20))\n"
        "for _ in range(5):\n"
        "    if os.fork() == 0:\n"
        "        time.sleep(2); os._exit(0)\n"
        "for _ in range(5): os.wait()\n"
    )
    limits = dataclasses.replace(spec.limits, memory_bytes=600 << 20)

    ended = execute(spec, python(code), EmbeddedEngine(use_cgroup=False), limits=limits)

    assert ended.stopped_by is None
    assert ended.exit_code == 0


def test_without_an_overlay_the_environment_is_copied(spec: RunSpec):
    environment = environments.ensure("lean", resolve.load().cache)
    main = python("import numpy; open(numpy.__file__ + '.x', 'w')")

    ended = execute(spec, main, EmbeddedEngine(use_overlay=False))

    assert ended.exit_code == 0, spec.log.read_text()
    assert not list(environment.rglob("numpy/*.x"))


def test_a_run_sees_the_devices_and_libraries_of_a_gpu(
    spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    library = tmp_path / "libcuda.so.560.35.03"
    library.write_text("of this machine's driver")
    # A node that every machine has and no run sees otherwise.
    driver = Driver(devices=(Path("/dev/tty"),), libraries={"libcuda.so.1": library})
    monkeypatch.setattr(EmbeddedEngine, "_driver", lambda *_: driver)

    ended = execute(
        spec,
        "set -e; test -c /dev/tty; cat $LD_LIBRARY_PATH/libcuda.so.1; [ ! -w /opt/nvidia ]",
        EmbeddedEngine(),
    )

    log = spec.log.read_text()
    assert ended.exit_code == 0, log
    assert "of this machine's driver" in log


def test_the_environment_is_the_lean_one_by_default(spec: RunSpec):
    ended = execute(spec, "python -c 'import torch'", EmbeddedEngine(), imports=frozenset({"cv2"}))

    assert ended.exit_code == 1
    assert ended.environment["environment"].startswith("lean")


@pytest.mark.skipif(
    not (environments.ready("cpu", resolve.load().cache) or os.environ.get("CI")),
    reason="would download several GB: run a submission that imports torch first, or set CI",
)
def test_a_submission_that_imports_torch_gets_the_whole_environment(spec: RunSpec):
    main = python("import torch, ultralytics; print(torch.ones(2).sum())")

    ended = execute(spec, main, EmbeddedEngine(), imports=frozenset({"torch", "cv2"}))

    assert ended.exit_code == 0, spec.log.read_text()
    assert "tensor(2.)" in spec.log.read_text()
    assert ended.environment["environment"].startswith("cpu")


def test_what_main_sh_finds_is_the_documented_layout(spec: RunSpec):
    lines = "pwd; ls -A ..; ls ../data; ls ../data/images | wc -l; id -un; echo $HOME; nproc"

    execute(spec, lines + "\n" + OK, EmbeddedEngine())

    said = spec.log.read_text().split()
    assert said[0] == "/code_execution/workdir"
    assert said[1:5] == ["data", "submission", "submission.zip", "workdir"]
    assert said[5:8] == ["images", "submission_format.csv", "6"]
    assert said[8:10] == ["runner", "/home/runner"]
    assert int(said[10]) <= spec.limits.cpus


@pytest.mark.skipif(not os.access("/usr/local/share", os.W_OK), reason="may not write to /usr")
def test_labels_in_a_system_folder_are_not_seen(spec: RunSpec):
    with tempfile.TemporaryDirectory(dir="/usr/local/share") as name:
        data = Path(shutil.copytree(spec.images.parent, Path(name, "data")))
        Path(name).chmod(0o755)
        (data / "train_labels.csv").write_text("secret")
        main = f"ls -A {name} {data}; touch {data}/x; cat {data}/train_labels.csv && exit 1\n" + OK
        changes = {"images": data / "images", "submission_format": data / "submission_format.csv"}

        ended = execute(spec, main, EmbeddedEngine(), **changes)

        assert ended.exit_code == 0, spec.log.read_text()
        assert "train_labels.csv: No such file" in spec.log.read_text()
        assert "Read-only file system" in spec.log.read_text()


def test_a_run_cannot_make_namespaces_of_its_own(spec: RunSpec):
    main = "unshare --user true && exit 1\nunshare --mount true && exit 2\nexit 0"

    ended = execute(spec, main, EmbeddedEngine())

    assert ended.exit_code == 0, spec.log.read_text()
