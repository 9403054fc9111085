import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import processors

FEATURES = (
    "import json; from numpy._core._multiarray_umath import __cpu_features__ as f;"
    "print(json.dumps(f))"
)
SAPPHIRE_RAPIDS = "avx avx2 avx512_vnni amx_bf16 cpuid_fault"


def cpuinfo(flags, model="A processor"):
    """Two cores, as the kernel lists them."""
    core = f"processor\t: 0\nmodel name\t: {model}\nflags\t\t: {flags}\nbugs\t\t:\n\n"
    return core + core.replace(": 0", ": 1")


@pytest.mark.parametrize(
    ("flags", "isa", "title"),
    [
        (SAPPHIRE_RAPIDS, "native", "A processor, AMX"),
        (SAPPHIRE_RAPIDS, "amx", "A processor, AMX"),
        (SAPPHIRE_RAPIDS, "avx2", "A processor, AVX2 alone"),
        (SAPPHIRE_RAPIDS, "avx512", "A processor, AVX512 alone"),
        ("avx avx2", "native", "A processor, AVX2"),
        ("avx avx2", "avx2", "A processor, AVX2"),
        ("ssse3", "native", "A processor, SSE"),
    ],
)
def test_the_processor_is_named_in_titles(tmp_path, monkeypatch, flags, isa, title):
    monkeypatch.setattr(processors, "build", lambda folder: folder / "mask.so")
    found = processors.choose(isa, tmp_path, cpuinfo(flags))
    assert str(found) == title
    assert bool(found.environment) is title.endswith("alone")


@pytest.mark.parametrize(
    ("flags", "isa", "text"),
    [
        ("avx avx2 cpuid_fault", "avx512", "this processor has only avx2. Use --isa avx2 or nat"),
        ("ssse3", "avx2", "this processor has only sse"),
        ("avx2 avx512_vnni", "avx2", "this processor cannot hide avx512 from programs"),
    ],
)
def test_what_the_processor_cannot_do_is_a_sentence(tmp_path, flags, isa, text):
    with pytest.raises(SystemExit, match=text):
        processors.choose(isa, tmp_path, cpuinfo(flags))


def test_a_hidden_instruction_set_is_hidden_from_libraries_and_their_children(tmp_path):
    flags = Path("/proc/cpuinfo").read_text()
    if "avx512_vnni" in flags and "cpuid_fault" not in flags:
        with pytest.raises(SystemExit, match="cannot hide avx512"):
            processors.choose("avx2", tmp_path)
        return
    hidden = processors.choose("avx2", tmp_path).environment
    argv = [sys.executable, "-c", FEATURES]
    child = f"import subprocess; subprocess.run({argv!r}, check=True)"
    for program in (argv, [sys.executable, "-c", child]):
        env = {**os.environ, **hidden}
        done = subprocess.run(program, env=env, check=True, capture_output=True)
        features = json.loads(done.stdout)
        assert (features["AVX2"], features["AVX512F"]) == (True, False), hidden
