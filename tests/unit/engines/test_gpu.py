"""The GPU's driver, on made-up machines: device nodes, a linker's list, CDI files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from posebowl.challenge import Variant
from posebowl.engines import gpu
from posebowl.errors import EngineError

LISTED = """\
2 libs found in cache `/etc/ld.so.cache'
\tlibz.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libz.so.1
\tlibnvidia-ml.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libnvidia-ml.so.1
\tlibcuda.so.1 (libc6,x86-64) => /opt/driver/libcuda.so.1
\tlibcuda.so.1 (libc6,x86-64) => /usr/lib/old/libcuda.so.1
\tlibcuda.so.1 (libc6) => /usr/lib/i386-linux-gnu/libcuda.so.1
\tlibcudart.so.12 (libc6,x86-64) => /usr/lib/x86_64-linux-gnu/libcudart.so.12
"""


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    """Return a /dev with two GPUs among other things."""
    folder = tmp_path / "dev"
    (folder / "nvidia-caps").mkdir(parents=True)
    names = ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "null", "sda")
    for name in (*names, "nvidia-caps/nvidia-cap1"):
        (folder / name).touch()
    return folder


def test_devices_are_those_of_the_driver(dev: Path) -> None:
    found = gpu.driver(dev, [], lambda: LISTED).devices
    assert [str(path.relative_to(dev)) for path in found] == [
        "nvidia-caps/nvidia-cap1",
        "nvidia-uvm",
        "nvidia-uvm-tools",
        "nvidia0",
        "nvidia1",
        "nvidiactl",
    ]


def test_libraries_are_those_that_the_linker_would_load(dev: Path) -> None:
    assert gpu.driver(dev, [], lambda: LISTED).libraries == {
        "libcuda.so.1": Path("/opt/driver/libcuda.so.1"),
        "libnvidia-ml.so.1": Path("/lib/x86_64-linux-gnu/libnvidia-ml.so.1"),
    }


@pytest.fixture
def specification(tmp_path: Path) -> dict[str, object]:
    """Return a CDI file whose libraries exist, but for one."""
    folder = tmp_path / "driver"
    folder.mkdir()
    for name in ("libcuda.so.560.35.03", "libnvidia-ml.so.560.35.03", "nvidia-smi"):
        (folder / name).touch()
    names = ("libcuda.so.560.35.03", "libnvidia-ml.so.560.35.03", "nvidia-smi", "libnvidia-gone.so")
    mounts = [{"hostPath": str(folder / name), "containerPath": f"/usr/{name}"} for name in names]
    return {"cdiVersion": "0.6.0", "containerEdits": {"mounts": mounts}}


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_cdi_file_comes_first(
    form: str, dev: Path, specification: dict[str, object], tmp_path: Path
) -> None:
    text = json.dumps(specification, indent=2)
    if form == "yaml":
        text = text.replace('"', "").replace(",\n", "\n")
    (tmp_path / "cdi").mkdir()
    (tmp_path / "cdi" / f"nvidia.{form}").write_text(text)
    folders = [tmp_path / "none", tmp_path / "cdi"]
    assert gpu.driver(dev, folders, lambda: LISTED).libraries == {
        name: tmp_path / "driver" / f"{library}.so.560.35.03"
        for library in ("libcuda", "libnvidia-ml")
        for name in (f"{library}.so.1", f"{library}.so.560.35.03")
    }
    assert not gpu.toolkit_is_missing(folders)


def test_a_driver_without_its_library_is_an_error(dev: Path) -> None:
    with pytest.raises(EngineError, match=r"libcuda\.so\.1 is missing") as caught:
        gpu.driver(dev, [], lambda: "")
    assert "apt-get install libcuda1" in caught.value.fix


def test_this_machine_s_linker_can_be_asked() -> None:
    assert "libc.so.6" in gpu._list_libraries()


def test_the_toolkit_is_its_programs_or_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu.toolkit_is_missing([])
    (tmp_path / "nvidia-ctk").touch(mode=0o755)
    assert not gpu.toolkit_is_missing([])


@pytest.mark.parametrize(
    ("variant", "has_gpu", "allow_cpu", "gets"),
    [
        (Variant.CPU, True, False, False),
        (Variant.GPU, True, False, True),
        (Variant.GPU, True, True, True),
        (Variant.GPU, False, True, False),
    ],
)
def test_who_gets_a_gpu(variant: Variant, has_gpu: bool, allow_cpu: bool, gets: bool) -> None:
    assert gpu.gives_gpu(variant, has_gpu=has_gpu, allow_cpu=allow_cpu) is gets


def test_the_gpu_variant_needs_a_gpu_or_leave() -> None:
    with pytest.raises(EngineError, match="no NVIDIA GPU") as caught:
        gpu.gives_gpu(Variant.GPU, has_gpu=False, allow_cpu=False)
    assert "--allow-cpu" in caught.value.fix
