"""Let torch's CUDA build load without the CUDA libraries: run once, while the cpu image is built.

torch's libraries name those of CUDA as needed, and the dynamic loader refuses to go on without
them, though nothing on a machine without a GPU ever calls into them. This makes one small
library in their place, with every function that torch could look up: each returns an error code
(1 is "not initialised", "unhandled error" or the like in every one of these interfaces), so that
a call which should not happen becomes an exception of torch and not a crash. The version of
cuDNN is answered as torch expects it. Where torch is a build without CUDA, nothing is missing
and nothing is done.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ABSENT = "libcuda_absent.so"
FAMILIES = re.compile(r"lib(cu|nv|nccl)\w*\.so[.\d]*")
SYMBOLS = re.compile(
    r"(cublas|cudnn|cufft|cuFile|cusolver|cusparse|nccl|nvJitLink|nvrtc|nvshmem|nvtx)"
)
DRIVER = "libcuda.so.1"
"""Belongs to the GPU's driver and so is in no package; torch asks for it only lazily."""


def main() -> int:
    """Find what is missing, and put the one library in its place."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        print("torch is not installed: nothing to do")
        return 0
    folder = Path(spec.origin).parent / "lib"
    libraries = sorted(folder.glob("*.so"))
    missing = sorted(set().union(*map(needed, libraries)) - present(folder) - {DRIVER})
    if not missing:
        print("torch lacks no library: nothing to do")
        return 0
    symbols: dict[str, str] = {}
    for library in libraries:
        symbols.update(undefined(library))
    build(folder / ABSENT, symbols)
    for name in missing:
        (folder / name).symlink_to(ABSENT)
    print(f"{len(symbols)} functions of {', '.join(missing)} answer with an error")
    return 0


def needed(library: Path) -> set[str]:
    """Return the CUDA libraries that a library is linked to."""
    words = re.findall(r"\(NEEDED\).*\[(.+)\]", output("readelf", "--dynamic", library))
    return {word for word in words if FAMILIES.fullmatch(word)}


def present(folder: Path) -> set[str]:
    """Return the names of the libraries that torch comes with and that packages have brought."""
    packages = folder.parent.parent / "nvidia"
    return {path.name for place in (folder, packages) for path in place.rglob("*.so*")}


def undefined(library: Path) -> dict[str, str]:
    """Return the CUDA functions that a library looks up, each with its symbol version or ""."""
    found = {}
    for line in output("nm", "--dynamic", "--undefined-only", library).splitlines():
        symbol, _, version = line.split()[-1].partition("@")
        if SYMBOLS.match(symbol):
            found[symbol] = version
    return found


def build(target: Path, symbols: dict[str, str]) -> None:
    """Compile a library that has these symbols in these versions."""
    nodes: dict[str, list[str]] = {}
    for symbol in sorted(symbols):
        nodes.setdefault(symbols[symbol] or "unversioned", []).append(symbol)
    versions = "".join(f"{node} {{ {'; '.join(nodes[node])}; }};\n" for node in sorted(nodes))
    with tempfile.TemporaryDirectory() as folder:
        script, source = Path(folder, "versions"), Path(folder, "absent.c")
        script.write_text(versions)
        source.write_text("".join(map(function, sorted(symbols))))
        flags = ["-shared", "-fPIC", "-O1", "-s", f"-Wl,--version-script={script}"]
        print(output("gcc", *flags, "-o", target, source), end="")


def function(symbol: str) -> str:
    """Write one function in C; those that give words give words."""
    if symbol == "cudnnGetVersion":
        major, minor, patch = cudnn_version()
        return f"unsigned long {symbol}(void) {{ return {major * 10000 + minor * 100 + patch}; }}\n"
    if symbol == "cudnnGetProperty":
        known = ", ".join(map(str, cudnn_version()))
        return (
            f"int {symbol}(unsigned what, int *value) {{\n"
            f"    static const int version[] = {{{known}}};\n"
            "    if (what > 2) return 1;\n"
            "    *value = version[what];\n"
            "    return 0;\n"
            "}\n"
        )
    if "String" in symbol or symbol.endswith("GetLastError"):
        return f'const char *{symbol}(void) {{ return "CUDA is not in the cpu image"; }}\n'
    return f"int {symbol}(void) {{ return 1; }}\n"


def cudnn_version() -> tuple[int, int, int]:
    """Return major, minor and patch of the cuDNN that torch was built for."""
    requirements = " ".join(importlib.metadata.requires("torch") or [])
    match = re.search(r"nvidia-cudnn-cu\d+\s*==\s*(\d+)\.(\d+)\.(\d+)", requirements)
    major, minor, patch = match.groups() if match else (0, 0, 0)
    return int(major), int(minor), int(patch)


def output(*argv: str | Path) -> str:
    """Return what a program prints."""
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
