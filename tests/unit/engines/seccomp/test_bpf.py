"""The filter as a program: interpreted here as the kernel does, and given to a real kernel."""

from __future__ import annotations

import errno
import json
import platform
import struct
import subprocess
import sys

import pytest
from hypothesis import given, strategies as st

from posebowl.engines.embedded import sandbox
from posebowl.engines.seccomp import bpf
from posebowl.engines.seccomp.numbers import NUMBERS
from posebowl.engines.seccomp.policy import ALLOWED, CONDITIONAL, DENIED
from posebowl.engines.seccomp.profile import profile

MACHINES = tuple(NUMBERS)
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
I386, ARM = 0x40000003, 0x40000028
PERM, ABSENT = 0x50000 | errno.EPERM, 0x50000 | 38


def judged(program: bytes, architecture: int, number: int, arguments: tuple[int, ...] = ()) -> int:
    """Interpret a filter: what it answers to one system call."""
    words = list(struct.iter_unpack("<HBBI", program))
    data = struct.pack("<IIQ6Q", number, architecture, 0, *(*arguments, *[0] * 6)[:6])
    accumulator = place = 0
    while True:
        code, if_true, if_false, value = words[place]
        place += 1
        if code == 0x20:
            accumulator = struct.unpack_from("<I", data, value)[0]
        elif code == 0x54:
            accumulator &= value
        elif code == 0x15:
            place += if_true if accumulator == value else if_false
        elif code == 0x35:
            place += if_true if accumulator >= value else if_false
        else:
            assert code == 0x06
            return int(value)


def of(machine: str, name: str, *arguments: int) -> int:
    program = bpf.program(machine)
    return judged(program, ARCHITECTURE[machine], NUMBERS[machine][name], arguments)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_call_is_answered_as_the_policy_says(machine: str) -> None:
    answers = {name: of(machine, name) for name in NUMBERS[machine]}
    assert {name for name, answer in answers.items() if answer == PERM} == (
        DENIED & NUMBERS[machine].keys()
    )
    for name in ALLOWED & NUMBERS[machine].keys():
        assert answers[name] == bpf.ALLOW, name
    assert answers["clone3"] == ABSENT
    assert answers.keys() <= ALLOWED | DENIED | {"clone3"} | CONDITIONAL.keys()


@pytest.mark.parametrize("machine", MACHINES)
def test_numbers_that_no_call_has_do_not_exist(machine: str) -> None:
    program = bpf.program(machine)
    unknown = set(range(2000)) - set(NUMBERS[machine].values())
    assert len(unknown) > 1500
    for number in (*unknown, 0x3FFFFFFF):
        assert judged(program, ARCHITECTURE[machine], number) == ABSENT, number


@pytest.mark.parametrize(
    ("machine", "architecture", "number"),
    [
        ("x86_64", I386, 20),
        ("x86_64", I386, 102),  # socketcall, whose arguments no filter sees
        ("x86_64", ARCHITECTURE["aarch64"], 39),
        ("x86_64", ARCHITECTURE["x86_64"], 0x40000000 + 39),  # x32
        ("x86_64", ARCHITECTURE["x86_64"], 0xFFFFFFFF),
        ("aarch64", ARM, 20),
        ("aarch64", ARCHITECTURE["x86_64"], 39),
    ],
)
def test_another_architecture_ends_the_process(
    machine: str, architecture: int, number: int
) -> None:
    assert judged(bpf.program(machine), architecture, number) == bpf.KILL


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("name", "arguments", "allowed"),
    [
        ("socket", (1, 1), True),
        ("socket", (2, 1), True),
        ("socket", (10, 2), True),
        ("socket", (2, 1, 6), True),
        ("socket", (10, 2, 17), True),
        ("socket", (2, 2, 1), False),  # ICMP
        ("socket", (2, 1, 132), False),  # SCTP
        ("socket", (10, 1, 262), False),  # TCP over several paths
        ("socket", (8, 1), False),
        ("socket", (16, 3, 0), True),
        ("socket", (16, 3, 12), False),  # nftables
        ("socket", (0,), False),
        ("socket", (17, 3), False),
        ("socket", (38, 5), False),
        ("socket", (38 | 1 << 32, 5), False),
        ("socket", (40, 1), False),
        ("socketpair", (1, 1), True),
        ("socketpair", (40, 1), False),
        ("clone", (0x1200011,), True),
        ("clone", (0x3D0F00,), True),
        *(("clone", (0x11 | 1 << bit,), False) for bit in (17, 25, 26, 27, 28, 29, 30)),
        ("clone", (0x10000011 | 1 << 40,), False),
        ("personality", (0,), True),
        ("personality", (0xFFFFFFFF,), True),
        ("personality", (8,), False),
        ("personality", (0x0040000,), False),
    ],
)
def test_arguments_decide(
    machine: str, name: str, arguments: tuple[int, ...], allowed: bool
) -> None:
    assert of(machine, name, *arguments) == (bpf.ALLOW if allowed else ABSENT)


def by_profile(name: str, arguments: tuple[int, ...]) -> str:
    """Interpret the profile of Docker and Podman."""
    document = json.loads(profile())
    for rule in document["syscalls"]:
        if name not in rule["names"]:
            continue
        for argument in rule.get("args", ()):
            assert argument["op"] == "SCMP_CMP_MASKED_EQ"
            if arguments[argument["index"]] & argument["value"] != argument["valueTwo"]:
                break
        else:
            return str(rule["action"])
    return str(document["defaultAction"])


NAMES = st.sampled_from(sorted({name for table in NUMBERS.values() for name in table}))
ARGUMENT = st.one_of(st.integers(0, 64), st.integers(0, 2**64 - 1))


@given(name=NAMES, arguments=st.tuples(*[ARGUMENT] * 6), machine=st.sampled_from(MACHINES))
def test_profile_and_program_agree(name: str, arguments: tuple[int, ...], machine: str) -> None:
    if name in NUMBERS[machine]:
        allowed = by_profile(name, arguments) == "SCMP_ACT_ALLOW"
        assert (of(machine, name, *arguments) == bpf.ALLOW) == allowed


def test_other_machines_have_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    assert bpf.program("riscv64") == b""
    for machine, known in {**dict.fromkeys(MACHINES, True), "riscv64": False}.items():
        monkeypatch.setattr(platform, "machine", lambda named=machine: named)
        assert (bpf.problem() == "") == known


@pytest.mark.parametrize("machine", MACHINES)
def test_a_program_fits_the_kernel(machine: str) -> None:
    words = list(struct.iter_unpack("<HBBI", bpf.program(machine)))
    assert len(words) <= 4096
    for place, (code, if_true, if_false, _) in enumerate(words):
        if code in {0x15, 0x35}:
            assert place + 1 + max(if_true, if_false) < len(words)
    assert words[-1] == (0x06, 0, 0, bpf.ALLOW)


_TRY = """
import ctypes, os, socket, sys
sys.path.insert(0, {folder!r})
import sandbox
before = open('/proc/self/status').read()
sandbox.call('prctl', sandbox.libc.prctl(sandbox.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
sandbox.install_filter(bytes.fromhex({code!r}))
after = open('/proc/self/status').read()
for text in (before, after): print(*[line.split()[1] for line in text.splitlines()
    if line.startswith('Seccomp')])
socket.socket(socket.AF_UNIX).close()
try: socket.socket(38, socket.SOCK_SEQPACKET)
except OSError as error: print(error.errno)
print(sandbox.libc.ptrace(0, 0, 0, 0), ctypes.get_errno())
if os.fork() == 0: os._exit(0)
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs seccomp")
def test_the_kernel_takes_it_and_answers_alike() -> None:
    code = bpf.program(platform.machine()).hex()
    folder = str(sandbox.__file__).rpartition("/")[0]
    script = _TRY.format(folder=folder, code=code)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True
    )
    before, after, family, traced, child = done.stdout.splitlines()
    assert after.split()[0] == "2"
    if len(after.split()) > 1:  # kernels that count
        assert int(after.split()[1]) == int(before.split()[1]) + 1
    assert (family, traced, child) == ("38", "-1 1", "0")
