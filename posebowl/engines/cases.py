"""Small honest and hostile submissions, each with the verdict that any engine must give it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from posebowl.errors import Verdict

OK: Final = "cp ../data/submission_format.csv ../submission/submission.csv\n"
"""The shortest valid main.sh."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A submission: main.sh and the files beside it, and how its run must end."""

    name: str
    main: str
    verdict: Verdict = Verdict.OK
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)
    """Changes to the limits of a run."""
    says: str = ""
    """What the message of the verdict, or a warning, must contain."""
    log: str = ""
    """What the log must contain."""
    exit_code: int | None = None
    signal: int | None = None
    kernel_memory: bool = False
    """Needs the kernel to enforce the memory limit."""


def python(code: str, then: str = OK) -> str:
    """Return a main.sh that runs Python code, and then a shell line if the code succeeded."""
    return f"set -e\npython - <<'END'\n{code}\nEND\n{then}"


MIB: Final = 1 << 20
HOG: Final = "held = []\nwhile True: held.append(b'x' * (8 << 20))"

CASES: Final = (
    Case(name="ok_min", main=OK),
    Case(name="exit7", main=OK + "exit 7", verdict=Verdict.RUNTIME_ERROR, exit_code=7),
    Case(name="segv", main="kill -SEGV $$", verdict=Verdict.SIGNALED, signal=11),
    Case(
        name="noterm",
        main=OK + "trap '' TERM\nwhile :; do sleep 1; done",
        verdict=Verdict.TIME_LIMIT,
        limits={"wall_time_s": 1.0, "grace_s": 1.0},
    ),
    Case(
        name="spin",
        main=OK + "for i in 1 2 3 4 5 6; do while :; do :; done & done\nwait",
        verdict=Verdict.TIME_LIMIT,
        limits={"wall_time_s": 1.0, "grace_s": 1.0},
    ),
    Case(
        name="hog",
        main=OK + python(HOG),
        verdict=Verdict.MEMORY_LIMIT,
        limits={"memory_bytes": 256 * MIB},
        says="256.0 MiB",
    ),
    Case(
        name="childoom",
        main=f"python -c '{HOG.replace(chr(39), chr(34))}' || true\n" + OK,
        limits={"memory_bytes": 256 * MIB},
        says="ran out of memory",
        kernel_memory=True,
    ),
    Case(
        name="forks",
        main=OK
        + python(
            "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        ),
        verdict=Verdict.TIME_LIMIT,
        limits={"wall_time_s": 2.0, "grace_s": 0.5, "processes": 128},
    ),
    Case(
        name="fill",
        main=OK + "while :; do head -c 50000000 /dev/zero >> big || exit 1; done",
        verdict=Verdict.OUTPUT_LIMIT,
        limits={"output_bytes": 200 * MIB, "wall_time_s": 120.0},
    ),
    Case(
        name="reads_labels",
        main=OK + "ls -R /code_execution /home /mnt /root 2>&1 | grep -i label && exit 1; exit 0",
    ),
    Case(
        name="no_host_files",
        main=OK
        + "cat /etc/shadow 2>/dev/null && exit 1; ls /etc/ssh 2>/dev/null && exit 2; exit 0",
    ),
    Case(
        name="no_host_processes",
        main=OK + "for p in /proc/[0-9]*; do echo $p; done > seen\n[ $(wc -l < seen) -lt 8 ]",
    ),
    Case(
        name="no_privileges",
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
        main=python(
            "import socket\n"
            "server = socket.create_server(('127.0.0.1', 0))\n"
            "socket.create_connection(server.getsockname(), timeout=5)\n"
        ),
    ),
    Case(name="nocsv", main="true", verdict=Verdict.BAD_OUTPUT, says="submission.csv"),
    Case(
        name="misplaced",
        main="echo > submission.csv",
        verdict=Verdict.BAD_OUTPUT,
        says="in the working directory",
    ),
    Case(
        name="csvlink",
        main="ln -s /etc/passwd ../submission/submission.csv",
        verdict=Verdict.BAD_OUTPUT,
        says="link",
    ),
    Case(
        name="csvdir",
        main="mkdir ../submission/submission.csv",
        verdict=Verdict.BAD_OUTPUT,
        says="folder",
    ),
    Case(
        name="fifo",
        main="mkfifo ../submission/submission.csv",
        verdict=Verdict.BAD_OUTPUT,
        says="FIFO",
    ),
    Case(
        name="unreadable",
        main=OK + "chmod 000 ../submission/submission.csv; mkdir a; chmod 000 a",
    ),
    Case(name="closed_results", main=OK + "chmod 000 ../submission"),
    Case(name="daemon", main=OK + "(sleep 1000) &\necho started", log="started"),
    Case(
        name="escapes",
        main=OK + r"printf 'red \033[31m and \033]0;title\007 and \233 \n'",
        log=r"red \x1b[31m and \x1b]0;title\x07",
    ),
    Case(
        name="forged_marks",
        main=OK + r"printf '\036ready 00\n\036end 00\n'; exit 9",
        verdict=Verdict.RUNTIME_ERROR,
        exit_code=9,
    ),
    Case(
        name="kills_everything",
        main=OK + "kill -KILL -1; kill -KILL 1; exit 5",
        verdict=Verdict.RUNTIME_ERROR,
        exit_code=5,
    ),
    Case(
        name="sparse",
        main="exec truncate -s 1T ../submission/submission.csv",
        verdict=Verdict.OUTPUT_LIMIT,
        says="larger than",
        exit_code=153,
    ),
    Case(
        name="sparse_in_python",
        main=python("open('../submission/submission.csv', 'w').truncate(1 << 40)"),
        verdict=Verdict.RUNTIME_ERROR,
        log="File too large",
        exit_code=1,
    ),
    Case(name="broken_pipe", main="set -e\nyes 2>said | head -n 1\n[ ! -s said ]\n" + OK),
    Case(
        name="as_on_the_platform",
        main="set -e\ntouch /code_execution/mine\nmkdir /code_execution/folder\n"
        '[ "$PYTHONUNBUFFERED" = 1 ]\n[ $(umask) = 0022 ]\n' + OK,
    ),
)
