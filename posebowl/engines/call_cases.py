"""Submissions that make system calls: those that are denied, and those that packages need."""

from __future__ import annotations

from typing import Final

from posebowl.engines.case import Case, python
from posebowl.engines.seccomp.numbers import NUMBERS
from posebowl.engines.seccomp.policy import ABSENT, CONDITIONAL, DENIED


def refused(code: str) -> str:
    """Return a main.sh that runs Python code with `call(name, *numbers)`, a bare system call.

    It returns an error number, or 0 where the kernel did what it was asked to.
    """
    names = DENIED | ABSENT | CONDITIONAL.keys()
    numbers = {
        machine: {name: number for name, number in table.items() if name in names}
        for machine, table in NUMBERS.items()
    }
    return python(
        f"import ctypes, errno, os\nNUMBERS = {numbers}[os.uname().machine]\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def call(name, *numbers):\n"
        "    words = [ctypes.c_long(word) for word in (NUMBERS[name], *numbers, *[0] * 6)]\n"
        "    return 0 if libc.syscall(*words[:7]) >= 0 else ctypes.get_errno()\n"
        "FILTERED = {errno.EPERM, errno.ENOSYS}\n" + code
    )


def machine_code(code: str, *, ends_by: str) -> str:
    """Return a main.sh that runs a few bytes of x86_64 code, which must end its process."""
    return python(
        "import ctypes, mmap, os, signal, sys\n"
        "if os.uname().machine != 'x86_64': sys.exit()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)\n"
        f"    page.write(bytes.fromhex('{code}'))\n"
        "    start = ctypes.addressof(ctypes.c_char.from_buffer(page))\n"
        "    print('it returned', ctypes.CFUNCTYPE(ctypes.c_int)(start)(), flush=True)\n"
        "    os._exit(0)\n"
        "code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\n"
        f"assert -code in {{{ends_by}}}, code\n"
    )


CALL_CASES: Final = (
    Case(
        name="af_alg",
        about="opens the sockets that reach most of the kernel",
        main=python(
            "import socket\n"
            "for family in (socket.AF_ALG, socket.AF_VSOCK, socket.AF_PACKET, socket.AF_CAN):\n"
            "    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):\n"
            "        try: socket.socket(family, kind)\n"
            "        except OSError as error: assert error.errno in {1, 38}, error\n"
            "        else: raise SystemExit(f'{family} {kind}')\n"
        ),
    ),
    Case(
        name="socket_families",
        about="tries sockets of every family and protocol",
        main=refused(
            "families = range(64)\n"
            "reached = [each for each in families if call('socket', each, 2) not in FILTERED]\n"
            "assert reached == [1, 2, 10, 16], reached\n"
            "for protocol in range(1, 32): assert call('socket', 16, 3, protocol) in FILTERED\n"
            "tried = [(family, kind, protocol) for family in (2, 10) for kind in (1, 2, 3, 5)\n"
            "    for protocol in {*range(1, 256), 262} - {6, 17}]\n"
            "reached = [each for each in tried if call('socket', *each) not in FILTERED]\n"
            "assert not reached, reached\n"
            "assert call('socket', 38 | 1 << 32, 5) in FILTERED\n"
        ),
    ),
    Case(
        name="denied_calls",
        about="makes each system call that is denied",
        main=refused(
            f"names = {sorted(DENIED)}\n"
            "reached = [name for name in names if name in NUMBERS and call(name) not in FILTERED]\n"
            "assert not reached, reached\n"
        ),
    ),
    Case(
        name="keyrings",
        about="looks for the caller's keys",
        main=refused(
            "assert call('keyctl', 0, -3, 1) in FILTERED\n"
            "assert call('keyctl', 8, -4, -3) in FILTERED\n"
            "assert not open('/proc/keys').read()\n"
        ),
    ),
    Case(
        name="new_namespaces",
        about="makes namespaces of its own",
        main=refused(
            "for flag in [0x20000, *(1 << bit for bit in range(25, 31))]:\n"
            "    parent = os.getpid()\n"
            "    found = call('clone', flag | 17)\n"
            "    if os.getpid() != parent: os._exit(0)\n"
            "    assert found in FILTERED, (hex(flag), found)\n"
            "    assert call('unshare', flag) in FILTERED, hex(flag)\n"
            "assert call('clone3') == errno.ENOSYS\n"
        ),
    ),
    Case(
        name="personality",
        about="asks for the behaviour of other kernels",
        main=refused(
            "for persona in (8, 0x20000, 0x40000, 0x400000):\n"
            "    assert call('personality', persona) in FILTERED, hex(persona)\n"
            "assert call('personality', 0xffffffff) == 0\n"
        ),
    ),
    Case(
        name="snapshots",
        about="makes a snapshot that cannot be removed, where the file system has them",
        main=refused(
            "import fcntl\n"
            "output = os.open('../submission', os.O_RDONLY)\n"
            "for number in (1, 14, 23, 24, 45):\n"
            "    request = 1 << 30 | 4096 << 16 | 0x94 << 8 | number\n"
            "    found = call('ioctl', output, request, 0)\n"
            "    assert found in FILTERED, (number, found)\n"
            "    assert call('ioctl', output, request | 1 << 32) in FILTERED\n"
            "ours, theirs = os.pipe()\n"
            "os.write(theirs, b'four')\n"
            "assert fcntl.ioctl(ours, 0x541b, bytes(4)) == bytes([4, 0, 0, 0])  # FIONREAD\n"
        ),
    ),
    # getpid() by the numbers of i386, through the interrupt that programs of 32 bits use. A
    # kernel without them ends the process too.
    Case(
        name="i386",
        about="makes a system call by a number of 32-bit programs",
        main=machine_code("b814000000cd80c3", ends_by="signal.SIGSYS, signal.SIGSEGV"),
    ),
    Case(
        name="x32",
        about="makes a system call by a number of x32",
        main=machine_code("b8270000400f05c3", ends_by="signal.SIGSYS"),
    ),
    Case(
        name="honest_calls",
        about="uses processes, threads, semaphores and memory as packages do",
        main=python(
            "import asyncio, ctypes, mmap, multiprocessing, os, socket\n"
            "import subprocess, tempfile, threading\n"
            "lock, shared = multiprocessing.Lock(), multiprocessing.Value('i', 0)\n"
            "def count():\n"
            "    with lock: shared.value += 1\n"
            "workers = [multiprocessing.Process(target=count) for _ in range(2)]\n"
            "for worker in workers: worker.start()\n"
            "for worker in workers: worker.join()\n"
            "assert shared.value == 2\n"
            "threads = [threading.Thread(target=count) for _ in range(8)]\n"
            "for thread in threads: thread.start()\n"
            "for thread in threads: thread.join()\n"
            "assert shared.value == 10\n"
            "memory = os.memfd_create('weights')\n"
            "assert os.write(memory, bytes(4096)) == 4096\n"
            "mmap.mmap(memory, 4096).close()\n"
            "with tempfile.TemporaryFile() as file:\n"
            "    assert os.sendfile(file.fileno(), memory, 0, 9) == 9\n"
            "os.sched_setaffinity(0, os.sched_getaffinity(0))\n"
            "assert subprocess.run(['uname', '-s'], capture_output=True).stdout == b'Linux\\n'\n"
            "assert socket.if_nameindex() == [(1, 'lo')]\n"
            "for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6):\n"
            "    try: socket.socket(family)\n"
            "    except OSError as error: assert error.errno == 97, error\n"
            "socket.socketpair()\n"
            "asyncio.run(asyncio.create_subprocess_exec('true'))\n"
            "assert ctypes.CDLL(None).prctl(15, b'honest') == 0\n"
            "assert ctypes.CDLL(None).personality(0xffffffff) >= 0\n"
        ),
    ),
)
