"""What lies in the buffers of a run's sockets, which takes memory that no process shows.

The kernel lists them by sock_diag(7), without any right, to a socket made in the run's network
namespace (linux/sock_diag.h, unix_diag.h, inet_diag.h and netlink_diag.h).
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

_COST: Final = 5
"""Times that a look takes, until the next one."""
_PATIENCE_S: Final = 5.0
_BY_FAMILY, _DUMP, _ERROR, _DONE = 20, 0x301, 2, 3
_TCP, _UDP = 6, 17
_LISTENING: Final = 10
_MOST_PER_BYTE: Final = 1024
"""What a message takes beside its content, at most."""
_WMEM_MAX: Final = Path("/proc/sys/net/core/wmem_max")


class _Question(NamedTuple):
    """A request for all sockets of a kind, and how to read the answers."""

    request: bytes
    header: int
    memory: int
    """The attribute that holds SK_MEMINFO_*."""


_UNIX: Final = _Question(struct.pack("=BBHIIIII", 1, 0, 0, 0xFFFFFFFF, 0, 0x34, 0, 0), 16, 5)
_PEER, _QUEUED = 2, 4
"""Attributes of a local socket: the other end, and what lies unread."""
_QUESTIONS: Final = (
    _UNIX,
    *(
        _Question(struct.pack("=BBBBI48x", family, protocol, 1 << 6, 0, 0xFFFFFFFF), 72, 7)
        for family in (socket.AF_INET, socket.AF_INET6)
        for protocol in (_TCP, _UDP)
    ),
    _Question(struct.pack("=BBHIIII", 16, 255, 0, 0, 1, 0, 0), 28, 0),
)


class SocketBuffers:
    """Sums up the buffers of all sockets of a network namespace.

    Args:
        diagnosis: A socket of NETLINK_SOCK_DIAG that was made in it.

    Raises:
        OSError: The kernel does not list the sockets of a kind.
    """

    def __init__(
        self, diagnosis: socket.socket, clock: Callable[[], float] = time.monotonic
    ) -> None:
        diagnosis.settimeout(_PATIENCE_S)
        self._diagnosis = diagnosis
        self._clock = clock
        # A sender may ask for buffers of this size, of which the kernel makes twice as much.
        self._most = 2 * int(_WMEM_MAX.read_text())
        self._next_at = 0.0
        self._last = 0
        self.held()

    @classmethod
    def lent(cls, channel: socket.socket) -> SocketBuffers | None:
        """Return one with the socket that a run has sent; None without one that works."""
        channel.settimeout(_PATIENCE_S)
        _, descriptors, *_ = socket.recv_fds(channel, 1, 1)
        for descriptor in descriptors:
            diagnosis = socket.socket(fileno=descriptor)
            try:
                return cls(diagnosis)
            except OSError:
                diagnosis.close()
        return None

    def close(self) -> None:
        """Close the socket."""
        self._diagnosis.close()

    def held(self) -> int:
        """Return what the buffers hold."""
        now = self._clock()
        if now >= self._next_at:
            self._last = sum(
                self._of(question, message)
                for question in _QUESTIONS
                for message in self._answers(question.request)
            )
            self._next_at = now + _COST * (self._clock() - now)
        return self._last

    def _of(self, question: _Question, message: bytes) -> int:
        found = dict(_attributes(message[question.header :]))
        if question.memory not in found:  # a connection that has ended
            return 0
        received, _, sent, _, ahead, unsent, _, waiting, *_ = struct.unpack(
            "=9I", found[question.memory]
        )
        held = int(received + max(sent, unsent) + ahead + waiting)
        queued: int = struct.unpack("=II", found.get(_QUEUED, bytes(8)))[0]
        if question is not _UNIX or not queued or any(found.get(_PEER, b"")):
            return held
        # Whoever sent this has closed its end, with which its size is gone. Where connections
        # wait, their number is known, but not whether the other ends live.
        unread = queued * (self._most if message[2] == _LISTENING else _MOST_PER_BYTE)
        return held + min(unread, self._most)

    def _answers(self, request: bytes) -> Iterator[bytes]:
        head = struct.pack("=IHHII", 16 + len(request), _BY_FAMILY, _DUMP, 0, 0)
        self._diagnosis.send(head + request)
        while True:
            data = self._diagnosis.recv(1 << 16)
            while data:
                size, kind = struct.unpack_from("=IH", data)
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    raise OSError(-struct.unpack_from("=i", data, 16)[0], "no list of sockets")
                yield data[16:size]
                data = data[(size + 3) & ~3 :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        size, kind = struct.unpack_from("=HH", data)
        yield kind & 0x3FFF, data[4:size]
        data = data[(size + 3) & ~3 :]
