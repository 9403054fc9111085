"""The policy as a program for the kernel's own filter machine, for the embedded engine.

Five kinds of instruction are all it takes, since a filter only compares numbers: a binding of
libseccomp would be one more thing to install, and the library is not on every machine.

A call by the numbers of another architecture (i386, x32) ends the process. Instructions, and what
a program is given to look at: linux/bpf_common.h, linux/seccomp.h and seccomp(2).
"""

from __future__ import annotations

import itertools
import platform
import struct
from collections.abc import Iterator, Mapping
from typing import Final

from posebowl.engines.seccomp.numbers import NUMBERS
from posebowl.engines.seccomp.policy import (
    ABSENT,
    ABSENT_ERRNO,
    CONDITIONAL,
    DENIED,
    DENIED_ERRNO,
    Condition,
)

_ARCHITECTURES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH_* of linux/audit.h."""
_X32: Final = 0x40000000
"""Set in the numbers of the x32 interface of x86_64, whose calls are not those of `numbers`."""

_LOAD, _AND, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""Offsets in struct seccomp_data; arguments have eight bytes, the lower four first."""

ALLOW: Final = 0x7FFF0000
KILL: Final = 0x80000000
_ERRNO: Final = 0x00050000

Instruction = tuple[int, int, int, int]
"""Code, instructions to skip if a comparison holds and if it does not, and a number."""


def problem() -> str:
    """Return why there is no filter for this machine, in a sentence; empty if there is one."""
    machine = platform.machine()
    return "" if machine in NUMBERS else f"this tool does not know the system calls of {machine}"


def program(machine: str) -> bytes:
    """Return the filter for a machine as `uname` names it; empty if its calls are not known."""
    numbers = NUMBERS.get(machine)
    if numbers is None:
        return b""
    # All numbers are those of a machine with the lower bytes first.
    return b"".join(struct.pack("<HBBI", *word) for word in _program(machine, numbers))


def _program(machine: str, numbers: Mapping[str, int]) -> Iterator[Instruction]:
    yield (_LOAD, 0, 0, _ARCHITECTURE)
    yield (_EQUAL, 1, 0, _ARCHITECTURES[machine])
    yield (_RETURN, 0, 0, KILL)
    yield (_LOAD, 0, 0, _NUMBER)
    if machine == "x86_64":
        yield (_AT_LEAST, 0, 1, _X32)
        yield (_RETURN, 0, 0, KILL)
    for first, end in _gaps(sorted(numbers.values())):
        yield (_AT_LEAST, 2, 0, end)
        yield (_AT_LEAST, 0, 1, first)
        yield (_RETURN, 0, 0, _ERRNO | ABSENT_ERRNO)
    yield (_AT_LEAST, 0, 1, max(numbers.values()) + 1)
    yield (_RETURN, 0, 0, _ERRNO | ABSENT_ERRNO)
    for names, error in ((DENIED, DENIED_ERRNO), (ABSENT, ABSENT_ERRNO)):
        for number in sorted(numbers[name] for name in names & numbers.keys()):
            yield (_EQUAL, 0, 1, number)
            yield (_RETURN, 0, 0, _ERRNO | error)
    for name, groups in CONDITIONAL.items():
        checks = [word for group in groups for word in _check(group)]
        yield (_EQUAL, 0, len(checks) + 1, numbers[name])
        yield from checks
        yield (_RETURN, 0, 0, _ERRNO | ABSENT_ERRNO)
    yield (_RETURN, 0, 0, ALLOW)


def _check(group: tuple[Condition, ...]) -> list[Instruction]:
    """Return instructions that allow the call if all conditions hold, and go on otherwise.

    The kernel takes only the lower half of each of these arguments.
    """
    words: list[Instruction] = [(_RETURN, 0, 0, ALLOW)]
    for condition in reversed(group):
        words = [
            (_LOAD, 0, 0, _ARGUMENTS + 8 * condition.argument),
            (_AND, 0, 0, condition.mask),
            (_EQUAL, 0, len(words), condition.value),
            *words,
        ]
    return words


def _gaps(numbers: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the first of each row of numbers that no call has, and the one after its last."""
    for before, after in itertools.pairwise(numbers):
        if after > before + 1:
            yield before + 1, after
