"""Run a benchmark's parts as if on a lesser processor."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("cpuid_mask.c")
ALL_BUT_AMX = "0,0,3c00000,200030"
"""AVX-512 with VNNI, as in Ice Lake: without AMX, bf16, fp16."""
NO_AVX512 = "dc230000,5f42,3c0010c,a00030"
"""AVX2 and FMA, as in Haswell or Zen 2: without VNNI."""
HIDDEN = {"native": "", "amx": "", "avx512": ALL_BUT_AMX, "avx2": NO_AVX512}
"""What `cpuid_mask.c` hides for each instruction set."""
FLAGS = {"amx": "amx_bf16", "avx512": "avx512_vnni", "avx2": "avx2"}
"""The flag of /proc/cpuinfo that each needs, best first."""


@dataclass(frozen=True, kw_only=True)
class Processor:
    """The processor that the parts see."""

    isa: str
    model: str
    preload: Path | None = None
    """The library that hides the rest from them; None for nothing to hide."""

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that a part needs."""
        if self.preload is None:
            return {}
        return {"LD_PRELOAD": str(self.preload), "CPUID_HIDDEN": HIDDEN[self.isa]}

    def __str__(self) -> str:
        """Return a name for titles."""
        return f"{self.model}, {self.isa.upper()}" + (" alone" if self.preload else "")


def choose(isa: str, folder: Path, cpuinfo: str | None = None) -> Processor:
    """Return this machine's processor, reduced to an instruction set.

    Args:
        isa: native, or one of FLAGS.
        folder: Where the library that hides the rest is built.
        cpuinfo: The text of /proc/cpuinfo; another one in tests.

    Exits with a sentence if the processor lacks the instruction set, or nothing can hide the rest.
    """
    text = Path("/proc/cpuinfo").read_text() if cpuinfo is None else cpuinfo
    lines = dict(line.split(":", 1) for line in reversed(text.splitlines()) if ":" in line)
    known = {name.strip(): value.strip() for name, value in lines.items()}
    flags, model = known.get("flags", "").split(), known.get("model name", "unknown processor")
    own = next((name for name, flag in FLAGS.items() if flag in flags), "sse")
    if isa in {"native", own}:
        return Processor(isa=own, model=model)
    if FLAGS[isa] not in flags:
        sys.exit(f"--isa {isa}: this processor has only {own}. Use --isa {own} or native.")
    if "cpuid_fault" not in flags:
        sys.exit(f"--isa {isa}: this processor cannot hide {own} from programs. Use --isa native.")
    return Processor(isa=isa, model=model, preload=build(folder))


def build(folder: Path) -> Path:
    """Compile the library that hides instruction sets, once for each folder."""
    compiler, library = shutil.which("cc"), folder / "cpuid_mask.so"
    if compiler is None:
        sys.exit("--isa needs a C compiler, and cc is not installed: apt-get install gcc libc6-dev")
    if not library.exists():
        argv = [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE)]
        subprocess.run(argv, check=True)
    return library
