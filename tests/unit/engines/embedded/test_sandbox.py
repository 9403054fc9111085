"""What sandbox.py reads and writes as text; the rest of it needs namespaces."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from posebowl.engines.embedded import sandbox


def info(point: bytes) -> bytes:
    """Write a line of mountinfo as the kernel does, which escapes these and no others."""
    escaped = re.sub(rb"[ \t\n\\#]", lambda found: b"\\%03o" % found[0][0], point)
    return b"161 139 254:0 /from " + escaped + b" ro,nosuid - ext4 /dev/vda rw\n"


@pytest.mark.parametrize(
    "point",
    [
        b"/",
        b"/plain",
        b"/with space",
        b"/tab\tand\nnewline",
        rb"/back\slash\040",
        b"/hash#",
        "/Zürich".encode(),
        "/no\u00a0break".encode(),
        "/wide\u3000space".encode(),
        "/line\u2028separator\x85".encode(),
        b"/form\x0cfeed\x1c",
        b"/no-utf8-\xff\xfe",
    ],
)
def test_mount_points_of_any_name(point: bytes) -> None:
    text = info(b"/before") + info(point) + info(b"/after")
    assert sandbox.mount_points(text) == ["/before", os.fsdecode(point), "/after"]


@given(st.lists(st.binary(max_size=12).filter(lambda name: b"\0" not in name), max_size=4))
def test_mount_points_round_trip(names: list[bytes]) -> None:
    points = [b"/" + name for name in names]
    assert sandbox.mount_points(b"".join(map(info, points))) == [*map(os.fsdecode, points)]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_mounts_below_are_those_of_this_machine() -> None:
    assert "/proc" in sandbox.mounts_below(Path("/proc"))
    assert all(re.match("/proc(/|$)", point) for point in sandbox.mounts_below(Path("/proc")))
    assert sandbox.mounts_below(Path("/pro")) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs libc's mount")
def test_a_bind_that_cannot_be_made_read_only_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(sandbox, "mount", lambda *words: asked.append(words[3]))
    bind = sandbox.Bind(str(tmp_path), "/inside", writable=False)
    with pytest.raises(OSError, match="not in the list of mounts"):
        sandbox.bind(tmp_path / "root", bind)
    assert asked == [sandbox.MS_BIND | sandbox.MS_REC]


@pytest.mark.parametrize(
    ("path", "escaped"),
    [("/a b", "/a b"), ("/a,b", r"/a\,b"), ("/a:b", r"/a\:b"), ("/a\\b", r"/a\\b")],
)
def test_escaped(path: str, escaped: str) -> None:
    assert sandbox.escaped(path) == escaped


@given(st.text(alphabet="a,:\\", max_size=12))
def test_escaping_loses_nothing_and_leaves_no_separator(path: str) -> None:
    text = sandbox.escaped(path)
    assert re.sub(r"\\(.)", r"\1", text) == path
    assert not re.search(r"[,:]", re.sub(r"\\.", "", text))


def test_it_needs_the_standard_library_only() -> None:
    tree = ast.parse(Path(sandbox.__file__).read_text())
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported
    assert imported <= sys.stdlib_module_names


def test_a_failure_before_the_entrypoint_is_one_line_and_code_70(tmp_path: Path) -> None:
    config = tmp_path / "none.json"
    argv = [sys.executable, "-I", "-S", sandbox.__file__, str(config)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 70
    assert re.fullmatch(r"sandbox: .*No such file or directory.*\n", done.stderr)
    assert done.stdout == ""


_KEYRINGS = """
import sys
sys.path.insert(0, {folder!r})
import sandbox
number = sandbox.SYS_KEYCTL[sandbox.os.uname().machine]
for ring in (1, 2):
    sandbox.join_keyring()
    print(sandbox.libc.syscall(number, 0, -3, 0))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs the kernel's keys")
def test_each_run_has_a_session_keyring_of_its_own() -> None:
    script = _KEYRINGS.format(folder=str(Path(sandbox.__file__).parent))
    argv = [sys.executable, "-I", "-S", "-c", script]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    first, second = done.stdout.split()
    # In a container whose filter denies keys, both are -1.
    assert (first != second) == (first != "-1")
