"""What lies in buffers of sockets, counted in a network of the test's own."""

from __future__ import annotations

import functools
import json
import socket
import subprocess
import sys
from collections.abc import Mapping

import pytest

from posebowl import paths
from posebowl.engines.embedded import namespaces, sandbox
from posebowl.engines.monitoring.socket_buffers import SocketBuffers

KIB = 1024
STEPS = """
import json, socket, sys
from posebowl.engines.embedded.sandbox import raise_loopback
from posebowl.engines.monitoring.socket_buffers import SocketBuffers

raise_loopback()
diagnosis = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)
buffers = SocketBuffers(diagnosis, clock=lambda: 0.0)
before, seen = buffers.held(), {}

def step(what):
    seen[what] = buffers.held() - before

def fill(sender, size):
    sender.setblocking(False)
    try:
        while True: sender.send(bytes(size))
    except BlockingIOError: pass

for kind, size in (("STREAM", 65536), ("SEQPACKET", 20000), ("DGRAM", 20000)):
    ours, theirs = socket.socketpair(socket.AF_UNIX, getattr(socket, f"SOCK_{kind}"))
    fill(ours, size)
    step(f"{kind} full")
    ours.close()
    step(f"{kind} closed by its sender")
    theirs.close()
    step(f"{kind} gone")
ours, theirs = socket.socketpair()
ours.send(b"hello")
ours.close()
step("a word without its sender")
theirs.close()
local, caller = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
local.bind("\\0here")
local.listen()
caller.connect("\\0here")
fill(caller, 65536)
caller.close()
step("waiting for accept")
local.close()
for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    server = socket.create_server((host, 0), family=family)
    caller = socket.create_connection(server.getsockname()[:2])
    fill(caller, 65536)
    step(f"TCP {host}")
    caller.close()
    step(f"TCP {host} closed by its sender")
    server.close()
    heard, caller = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
    heard.bind((host, 0))
    for _ in range(1000): caller.sendto(bytes(1000), heard.getsockname())
    step(f"UDP {host}")
    heard.close()
    caller.close()
links = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
links.send(bytes([20, 0, 0, 0, 18, 0, 1, 3, *bytes(12)]))  # RTM_GETLINK
step("an answer of the kernel")
links.close()
step("end")
buffers.close()
print(json.dumps(seen))
"""


@functools.cache
def seen() -> Mapping[str, int]:
    """Return what was counted after each step."""
    argv = [*namespaces.unshare(), sys.executable, "-c", STEPS]
    done = subprocess.run(argv, check=False, cwd=paths.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.skipif(namespaces.problem() is not None, reason="no namespaces here")
@pytest.mark.parametrize(
    ("what", "least_kib"),
    [
        ("STREAM full", 150),
        ("STREAM closed by its sender", 150),
        ("SEQPACKET full", 150),
        ("SEQPACKET closed by its sender", 150),
        ("DGRAM full", 150),
        ("DGRAM closed by its sender", 150),
        ("waiting for accept", 150),
        ("TCP 127.0.0.1", 500),
        ("TCP 127.0.0.1 closed by its sender", 500),
        ("TCP ::1", 500),
        ("UDP 127.0.0.1", 150),
        ("UDP ::1", 150),
        ("an answer of the kernel", 1),
    ],
)
def test_what_lies_unread_is_counted(what: str, least_kib: int) -> None:
    assert seen()[what] >= least_kib * KIB


@pytest.mark.skipif(namespaces.problem() is not None, reason="no namespaces here")
def test_what_is_gone_or_small_is_not() -> None:
    for kind in ("STREAM", "SEQPACKET", "DGRAM"):
        assert seen()[f"{kind} gone"] == 0
    assert 5 <= seen()["a word without its sender"] <= 8 * KIB
    assert seen()["end"] <= 8 * KIB


def test_between_two_looks_the_last_one_counts() -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as diagnosis:
        times = iter([0.0, 1.0, 4.9, 4.9, 5.0])  # the first look takes a second: five of rest
        buffers = SocketBuffers(diagnosis, clock=lambda: next(times))
        first = buffers.held()
        diagnosis.close()
        assert buffers.held() == first
        with pytest.raises(OSError, match="descriptor"):
            buffers.held()


def lent(kind: int | None) -> SocketBuffers | None:
    """Return what is made of a socket that sandbox.py sends, or of nothing."""
    ours, theirs = socket.socketpair()
    with ours:
        if kind is None:
            theirs.close()
        else:
            descriptor = theirs.detach()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(sandbox, "NETLINK_SOCK_DIAG", kind)
                sandbox.lend_diagnosis(descriptor)
        return SocketBuffers.lent(ours)


@pytest.mark.parametrize(("kind", "works"), [(4, True), (0, False), (31, False), (None, False)])
def test_only_a_socket_that_lists_others_counts(kind: int | None, works: bool) -> None:
    buffers = lent(kind)
    assert (buffers is not None) == works
    if buffers:
        assert buffers.held() >= 0
        buffers.close()
