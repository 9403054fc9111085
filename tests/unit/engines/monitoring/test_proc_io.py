"""Bytes that a family of processes reads and writes, the ended ones among them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from posebowl.engines.monitoring.proc_io import ProcIo, family

MIB = 1 << 20
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="is of Linux")

# Each line read from stdin is a shell command that is waited for; "done" follows it.
SHELL = 'while read -r line; do sh -c "$line"; echo done; done'


class Shell:
    def __init__(self, child: subprocess.Popen[str]) -> None:
        self.child = child
        self.pid = child.pid

    def run(self, command: str) -> None:
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        print(command, file=self.child.stdin, flush=True)
        assert self.child.stdout.readline() == "done\n"


@pytest.fixture
def shell() -> Iterator[Shell]:
    with subprocess.Popen(
        ["sh", "-c", SHELL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        yield Shell(child)
        child.kill()


@pytest.fixture
def traffic(shell: Shell) -> ProcIo:
    """Count again at each look, however long it took."""
    return ProcIo(shell.pid, share=1e9)


def test_what_ended_counts_once(shell: Shell, traffic: ProcIo) -> None:
    shell.run("head -c 5M /dev/zero > /dev/null")
    read, written = traffic.bytes()
    assert 5 * MIB <= read < 6 * MIB
    assert 5 * MIB <= written < 6 * MIB
    shell.run("head -c 3M /dev/zero | cat > /dev/null")
    read, _ = traffic.bytes()
    assert 11 * MIB <= read < 13 * MIB


def test_it_begins_at_nothing_and_never_falls(shell: Shell, traffic: ProcIo) -> None:
    assert traffic.bytes()[0] < MIB
    shell.run("head -c 5M /dev/zero > /dev/null")
    before = traffic.bytes()
    shell.child.kill()
    shell.child.wait()
    assert traffic.bytes() == before


def test_the_last_look_is_a_fresh_one(shell: Shell) -> None:
    found = ProcIo(shell.pid, share=1e-12)
    before = found.bytes()
    shell.run("head -c 5M /dev/zero > /dev/null")
    assert found.bytes() == before
    assert found.bytes(fresh=True)[0] >= 5 * MIB


def test_a_family_has_the_root_and_those_below() -> None:
    with subprocess.Popen(
        ["sh", "-c", "sleep 60 & sleep 60 & echo up; wait"], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n"
        found = family(child.pid)
        assert found[0] == child.pid
        assert len(found) == 3
        subprocess.run(["kill", *map(str, found)], check=True)


def test_nobody_reads_nothing() -> None:
    assert ProcIo(1 << 30).bytes() == (0, 0)
