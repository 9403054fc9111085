"""Small honest and hostile submissions, each with the verdict that any engine must give it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from posebowl.engines.seccomp.numbers import NUMBERS
from posebowl.engines.seccomp.policy import DENIED
from posebowl.errors import Verdict

OK: Final = "cp ../data/submission_format.csv ../submission/submission.csv\n"
"""The shortest valid main.sh."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A submission: main.sh and the files beside it, and how its run must end."""

    name: str
    about: str = ""
    """What it does, for people: a sentence without a subject."""
    main: str
    verdict: Verdict = Verdict.OK
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)
    """Changes to the limits of a run."""
    says: str = ""
    """What the message of the verdict, or a warning, must contain."""
    log: str = ""
    """What the log must contain."""
    lasts_s: float = 0.0
    """How long the run must be billed for, at least."""
    exit_code: int | None = None
    signal: int | None = None
    kernel_memory: bool = False
    """Needs the kernel to enforce the memory limit."""


def python(code: str, then: str = OK) -> str:
    """Return a main.sh that runs Python code, and then a shell line if the code succeeded."""
    return f"set -e\npython - <<'END'\n{code}\nEND\n{then}"


def refused(code: str) -> str:
    """Return a main.sh that runs Python code with `call(name, *numbers)`, a bare system call.

    It returns an error number, or 0 where the kernel did what it was asked to.
    """
    names = DENIED | {"clone", "clone3", "personality", "socket", "socketpair"}
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


MIB: Final = 1 << 20
HOG: Final = "held = []\nwhile True: held.append(b'x' * (8 << 20))"

CASES: Final = (
    Case(name="ok_min", about="copies the format file, the shortest valid submission", main=OK),
    Case(
        name="exit7",
        about="writes its predictions, then exits with 7",
        main=OK + "exit 7",
        verdict=Verdict.RUNTIME_ERROR,
        exit_code=7,
    ),
    Case(
        name="segv",
        about="sends itself a segmentation fault",
        main="kill -SEGV $$",
        verdict=Verdict.SIGNALED,
        signal=11,
    ),
    Case(
        name="noterm",
        about="ignores TERM and never ends",
        main=OK + "trap '' TERM\nwhile :; do sleep 1; done",
        verdict=Verdict.TIME_LIMIT,
        limits={"wall_time_s": 1.0, "grace_s": 1.0},
    ),
    Case(
        name="spin",
        about="keeps six processes busy for ever",
        main=OK + "for i in 1 2 3 4 5 6; do while :; do :; done & done\nwait",
        verdict=Verdict.TIME_LIMIT,
        limits={"wall_time_s": 1.0, "grace_s": 1.0},
    ),
    Case(
        name="hog",
        about="takes memory without end",
        main=OK + python(HOG),
        verdict=Verdict.MEMORY_LIMIT,
        limits={"memory_bytes": 256 * MIB},
        says="256.0 MiB",
    ),
    Case(
        name="hog_in_unnamed_files",
        main=OK
        + python("import os\nfd = os.memfd_create('x')\nwhile True: os.write(fd, bytes(8 << 20))"),
        verdict=Verdict.MEMORY_LIMIT,
        limits={"memory_bytes": 256 * MIB},
    ),
    Case(
        name="childoom",
        about="lets a child run out of memory, and goes on",
        main=f"python -c '{HOG.replace(chr(39), chr(34))}' || true\n" + OK,
        limits={"memory_bytes": 256 * MIB},
        says="ran out of memory",
        kernel_memory=True,
    ),
    Case(
        name="forks",
        about="starts processes without end",
        main=OK
        + python(
            "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        ),
        verdict=Verdict.TIME_LIMIT,
        limits={"wall_time_s": 2.0, "grace_s": 0.5, "processes": 128},
    ),
    Case(
        name="fill",
        about="writes files without end",
        main=OK + "while :; do head -c 50000000 /dev/zero >> big || exit 1; done",
        verdict=Verdict.OUTPUT_LIMIT,
        limits={"output_bytes": 200 * MIB, "wall_time_s": 120.0},
    ),
    Case(
        name="fill_below_any_path",
        main=OK
        + python(
            "import os\n"
            "for _ in range(3000): os.mkdir('d'); os.chdir('d')\n"
            "for name in range(100): open(str(name), 'wb').write(bytes(1 << 20))\n"
            "import time; time.sleep(1)\n",
            "",
        ),
        verdict=Verdict.OUTPUT_LIMIT,
        limits={"output_bytes": 50 * MIB},
        says="wrote more than 50.0 MiB",
    ),
    Case(
        name="many_files",
        main=OK + python("for name in range(5000): open(str(name), 'w')", ""),
        verdict=Verdict.OUTPUT_LIMIT,
        limits={"output_bytes": 16 * MIB},
        says="more than 1,024 files",
    ),
    Case(
        name="heavy_zip",
        main=OK,
        files={"weights.bin": bytes(3 * MIB)},
        limits={"output_bytes": 2 * MIB},
    ),
    Case(
        name="reads_labels",
        about="looks for labels in every folder that it can see",
        main=OK + "ls -R /code_execution /home /mnt /root 2>&1 | grep -i label && exit 1; exit 0",
    ),
    Case(
        name="no_host_files",
        about="reads files of the host",
        main=OK
        + "cat /etc/shadow 2>/dev/null && exit 1; ls /etc/ssh 2>/dev/null && exit 2; exit 0",
    ),
    Case(
        name="no_host_processes",
        about="lists the processes that it can see",
        main=OK + "for p in /proc/[0-9]*; do echo $p; done > seen\n[ $(wc -l < seen) -lt 8 ]",
    ),
    Case(
        name="no_privileges",
        about="looks for rights beyond those of a user, and uses chroot",
        main=python(
            "import pathlib, re, os\n"
            "text = pathlib.Path('/proc/self/status').read_text()\n"
            "assert int(re.search(r'CapEff:\\s*(\\w+)', text)[1], 16) == 0, text\n"
            "assert re.search(r'NoNewPrivs:\\s*1', text), text\n"
            "assert os.getuid() != 0\n"
            "try: os.chroot('/tmp')\n"
            "except PermissionError: pass\n"
            "else: raise SystemExit('chroot')\n"
        ),
    ),
    Case(
        name="network",
        about="connects to addresses outside",
        main=python(
            "import socket\n"
            "for address in ('192.0.2.1', '127.0.0.53'):\n"
            "    try: socket.create_connection((address, 53), timeout=3)\n"
            "    except OSError: continue\n"
            "    raise SystemExit('a network')\n"
        ),
    ),
    Case(
        name="loopback",
        about="talks to itself over 127.0.0.1",
        main=python(
            "import socket\n"
            "server = socket.create_server(('127.0.0.1', 0))\n"
            "socket.create_connection(server.getsockname(), timeout=5)\n"
        ),
    ),
    Case(
        name="nocsv",
        about="writes no submission.csv",
        main="true",
        verdict=Verdict.BAD_OUTPUT,
        says="submission.csv",
    ),
    Case(
        name="misplaced",
        about="writes submission.csv into the working directory",
        main="echo > submission.csv",
        verdict=Verdict.BAD_OUTPUT,
        says="in the working directory",
    ),
    Case(
        name="csvlink",
        about="makes submission.csv a link to a file of the system",
        main="ln -s /etc/passwd ../submission/submission.csv",
        verdict=Verdict.BAD_OUTPUT,
        says="link",
    ),
    Case(
        name="csvdir",
        about="makes submission.csv a folder",
        main="mkdir ../submission/submission.csv",
        verdict=Verdict.BAD_OUTPUT,
        says="folder",
    ),
    Case(
        name="fifo",
        about="makes submission.csv a FIFO",
        main="mkfifo ../submission/submission.csv",
        verdict=Verdict.BAD_OUTPUT,
        says="FIFO",
    ),
    Case(
        name="unreadable",
        about="takes all rights from its submission.csv",
        main=OK + "chmod 000 ../submission/submission.csv; mkdir a; chmod 000 a",
    ),
    Case(
        name="closed_results",
        about="takes all rights from the folder of results",
        main=OK + "chmod 000 ../submission",
    ),
    Case(
        name="daemon",
        about="leaves a process behind",
        main=OK + "(sleep 1000) &\necho started",
        log="started",
    ),
    Case(
        name="escapes",
        about="prints what controls a terminal",
        main=OK + r"printf 'red \033[31m and \033]0;title\007 and \233 \n'",
        log=r"red \x1b[31m and \x1b]0;title\x07",
    ),
    Case(
        name="forged_marks",
        about="prints what looks like the runtime's own marks",
        main=OK + r"printf '\036ready 00\n\036end 00\n'; exit 9",
        verdict=Verdict.RUNTIME_ERROR,
        exit_code=9,
    ),
    Case(
        name="forged_end",
        # Whoever may read process 1 finds the secret that stands for the end of the run.
        main=OK
        + python(
            "import re, time\n"
            "try:\n"
            "    maps, memory = open('/proc/1/maps'), open('/proc/1/mem', 'rb')\n"
            "    for line in maps:\n"
            "        low, high = (int(end, 16) for end in line.split()[0].split('-'))\n"
            "        try: memory.seek(low); text = memory.read(high - low)\n"
            "        except (OSError, OverflowError, ValueError): continue\n"
            "        for token in set(re.findall(rb'[0-9a-f]{32}', text)):\n"
            "            print(end=f'\\036end {token.decode()}\\n', flush=True)\n"
            "except OSError as error: print(error)\n"
            "time.sleep(1.5)\n"
        ),
        lasts_s=1.5,
    ),
    Case(
        name="kills_everything",
        about="kills every process that it can",
        main=OK + "kill -KILL -1; kill -KILL 1; exit 5",
        verdict=Verdict.RUNTIME_ERROR,
        exit_code=5,
    ),
    Case(
        name="sparse",
        about="makes submission.csv a file of 1 TB without content",
        main="exec truncate -s 1T ../submission/submission.csv",
        verdict=Verdict.OUTPUT_LIMIT,
        says="larger than",
        exit_code=153,
    ),
    Case(
        name="sparse_in_python",
        about="does the same from Python",
        main=python("open('../submission/submission.csv', 'w').truncate(1 << 40)"),
        verdict=Verdict.RUNTIME_ERROR,
        log="File too large",
        exit_code=1,
    ),
    Case(
        name="broken_pipe",
        about="writes into a pipe that nobody reads any more",
        main="set -e\nyes 2>said | head -n 1\n[ ! -s said ]\n" + OK,
    ),
    Case(
        name="as_on_the_platform",
        about="uses folders, variables and modes of the platform",
        main="set -e\ntouch /code_execution/mine\nmkdir /code_execution/folder\n"
        '[ "$PYTHONUNBUFFERED" = 1 ]\n[ $(umask) = 0022 ]\n' + OK,
    ),
    Case(
        name="af_alg",
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
        main=refused(
            "families = range(64)\n"
            "reached = [each for each in families if call('socket', each, 2) not in FILTERED]\n"
            "assert reached == [1, 2, 10, 16], reached\n"
            "for protocol in range(1, 32): assert call('socket', 16, 3, protocol) in FILTERED\n"
            "assert call('socket', 38 | 1 << 32, 5) in FILTERED\n"
        ),
    ),
    Case(
        name="denied_calls",
        main=refused(
            f"names = {sorted(DENIED)}\n"
            "reached = [name for name in names if name in NUMBERS and call(name) not in FILTERED]\n"
            "assert not reached, reached\n"
        ),
    ),
    Case(
        name="keyrings",
        main=refused(
            "assert call('keyctl', 0, -3, 1) in FILTERED\n"
            "assert call('keyctl', 8, -4, -3) in FILTERED\n"
            "assert not open('/proc/keys').read()\n"
        ),
    ),
    Case(
        name="new_namespaces",
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
        main=refused(
            "for persona in (8, 0x20000, 0x40000, 0x400000):\n"
            "    assert call('personality', persona) in FILTERED, hex(persona)\n"
            "assert call('personality', 0xffffffff) == 0\n"
        ),
    ),
    # getpid() by the numbers of i386, through the interrupt that programs of 32 bits use. A
    # kernel without them ends the process too.
    Case(
        name="i386", main=machine_code("b814000000cd80c3", ends_by="signal.SIGSYS, signal.SIGSEGV")
    ),
    Case(name="x32", main=machine_code("b8270000400f05c3", ends_by="signal.SIGSYS")),
    Case(
        name="honest_calls",
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
