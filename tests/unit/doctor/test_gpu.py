"""What nvidia-smi says, judged by the CUDA that the gpu image brings."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from posebowl.doctor import gpu
from posebowl.doctor.findings import State

H100 = """
==============NVSMI LOG==============

Timestamp                                              : Tue Nov 24 10:11:12 2026
Driver Version                                         : 580.95.05
CUDA Version                                           : 13.0

Attached GPUs                                          : 2
GPU 00000000:0A:00.0
    Product Name                                       : NVIDIA H100 80GB HBM3
    Product Brand                                      : NVIDIA
    Persistence Mode                                   : Enabled
    FB Memory Usage
        Total                                          : 81559 MiB
        Used                                           : 0 MiB
GPU 00000000:0B:00.0
    Product Name                                       : NVIDIA H100 80GB HBM3
"""
OLD = """
==============NVSMI LOG==============

Driver Version                            : 535.104.05
CUDA Version                              : 12.2

Attached GPUs                             : 1
GPU 00000000:01:00.0
    Product Name                          : NVIDIA GeForce RTX 3060
"""
NEWEST = """
KMD Version                                            : 595.10
CUDA UMD Version                                       : 13.2
    Product Name                                       : NVIDIA RTX 6000
"""
NO_DRIVER = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that"
    " the latest NVIDIA driver is installed and running.\n\n"
)
MISMATCH = "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 580\n"


def test_what_is_read() -> None:
    driver = gpu.read(H100)
    assert driver is not None
    assert (driver.version, driver.cuda) == ("580.95.05", (13, 0))
    assert driver.gpus == ("NVIDIA H100 80GB HBM3",) * 2
    newest = gpu.read(NEWEST)
    assert newest is not None
    assert (newest.version, newest.cuda) == ("595.10", (13, 2))
    assert gpu.read(NO_DRIVER) is None
    assert gpu.read("") is None


@pytest.mark.parametrize(
    ("said", "needed", "state", "text", "fix"),
    [
        (H100, (13, 0), State.GOOD, "the gpu image brings CUDA 13.0", ""),
        (H100, (13, 2), State.GOOD, "driver 580.95.05, CUDA 13.0", ""),
        (H100, None, State.GOOD, "H100", ""),
        (OLD, (12, 8), State.GOOD, "RTX 3060", ""),
        (OLD, (13, 2), State.WARNING, "too new for it", "version 580 or newer"),
        (OLD, (14, 0), State.WARNING, "too new for it", "a newer driver"),
        (NO_DRIVER, (13, 2), State.WARNING, "couldn't communicate", "driver again"),
        (MISMATCH, (13, 2), State.WARNING, "version mismatch", "reboot"),
        ("", (13, 2), State.WARNING, "nothing", "driver"),
        (OLD.partition("Attached")[0], (12, 0), State.WARNING, "no GPU", "nvidia-smi -L"),
    ],
)
def test_judgements(
    said: str, needed: tuple[int, int] | None, state: State, text: str, fix: str
) -> None:
    finding = gpu.judge(said, needed)
    assert finding.state is state
    assert text in finding.text
    assert fix in finding.fix
    assert bool(finding.fix) is (state is not State.GOOD)


def test_the_cuda_that_is_needed_is_the_lock_s(tmp_path: Path) -> None:
    lock = tmp_path / "uv.lock"
    lock.write_text("")
    assert gpu.cuda_needed(lock) is None
    entry = '[[package]]\nname = "nvidia-cuda-runtime{}"\nversion = "{}"\n'
    lock.write_text(entry.format("-cu12", "12.8.90") + entry.format("", "13.2.86"))
    assert gpu.cuda_needed(lock) == (13, 2)
    here = gpu.cuda_needed()
    assert here is not None
    assert here >= (12, 0)


def test_without_a_gpu_there_is_one_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu.shutil, "which", lambda _: None)
    monkeypatch.setattr(gpu, "host_has_gpu", lambda: False)
    (finding,) = gpu.look()
    assert finding.state is State.MISSING


def test_a_gpu_that_containers_do_not_get(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\ncat <<'END'\n{H100}\nEND\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    missing = functools.partial(gpu.toolkit_is_missing, [tmp_path / "cdi"])
    monkeypatch.setattr(gpu, "toolkit_is_missing", missing)
    found = list(gpu.look())
    assert [finding.name for finding in found] == ["gpu", "gpu toolkit"]
    assert found[1].state is State.WARNING
    (tmp_path / "cdi").mkdir()
    (tmp_path / "cdi" / "nvidia.yaml").write_text("")
    assert [finding.name for finding in gpu.look()] == ["gpu"]
