"""Programs that an engine must survive, each with the verdict that it must get."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from posebowl.errors import Verdict

OK = "cp ../data/submission_format.csv ../submission/submission.csv\n"
"""The least that is valid."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A submission: main.sh and what lies beside it."""

    name: str
    main: str
    verdict: Verdict = Verdict.OK
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    limits: Mapping[str, Any] = field(default_factory=dict)
    """Changes to the limits of a run."""
    says: str = ""
    """What the message, or a warning, must contain."""
    log: str = ""
    """What the log must contain."""
    exit_code: int | None = None
    signal: int | None = None
    kernel_memory: bool = False
    """Needs the kernel to enforce the memory limit."""


def python(code: str, then: str = OK) -> str:
    """Return a main.sh that runs Python code, and then a shell line if that went well."""
    return f"set -e\npython - <<'END'\n{code}\nEND\n{then}"


MIB = 1 << 20
HOG = "held = []\nwhile True: held.append(b'x' * (8 << 20))"

PROGRAMS = (
    Program(name="ok_min", main=OK),
    Program(name="exit7", main=OK + "exit 7", verdict=Verdict.RUNTIME_ERROR, exit_code=7),
    Program(name="segv", main="kill -SEGV $$", verdict=Verdict.SIGNALED, signal=11),
    Program(
        name="segv_in_python",
        main="python -c 'import ctypes; ctypes.string_at(0)'",
        verdict=Verdict.SIGNALED,
        signal=11,
    ),
    Program(
        name="noterm",
        main=OK + "trap '' TERM\nwhile :; do sleep 1; done",
        verdict=Verdict.TIME_LIMIT,
        limits={"wall_time_s": 1.0, "grace_s": 1.0},
    ),
    Program(
        name="stopped",
        main=OK + "kill -STOP $$",
        verdict=Verdict.TIME_LIMIT,
        limits={"wall_time_s": 1.0, "grace_s": 1.0},
    ),
    Program(
        name="spin",
        main=OK + "for i in 1 2 3 4 5 6; do while :; do :; done & done\nwait",
        verdict=Verdict.TIME_LIMIT,
        limits={"wall_time_s": 1.0, "grace_s": 1.0},
    ),
    Program(
        name="hog",
        main=OK + python(HOG),
        verdict=Verdict.MEMORY_LIMIT,
        limits={"memory_bytes": 256 * MIB},
        says="256.0 MiB",
    ),
    Program(
        name="hog_in_shared_memory",
        main=OK + "head -c 1000000000 /dev/zero > /dev/shm/big\n" + python("b'x' * (230 << 20)"),
        verdict=Verdict.MEMORY_LIMIT,
        limits={"memory_bytes": 256 * MIB, "wall_time_s": 60.0},
        kernel_memory=True,
    ),
    Program(
        name="childoom",
        main=f"python -c '{HOG.replace(chr(39), chr(34))}' || true\n" + OK,
        limits={"memory_bytes": 256 * MIB},
        says="want of memory",
        kernel_memory=True,
    ),
    Program(
        name="forks",
        main=OK
        + python(
            "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
        ),
        verdict=Verdict.TIME_LIMIT,
        limits={"wall_time_s": 2.0, "grace_s": 0.5, "processes": 128},
    ),
    Program(
        name="flood",
        main=OK + "echo the head\nyes | head -c 5000000000\necho the tail",
        log="bytes left out here",
        limits={"log_bytes": 1 * MIB, "wall_time_s": 600.0},
    ),
    Program(
        name="fill",
        main=OK + "while :; do head -c 50000000 /dev/zero >> big || exit 1; done",
        verdict=Verdict.OUTPUT_LIMIT,
        limits={"output_bytes": 200 * MIB, "wall_time_s": 120.0},
    ),
    Program(
        name="fill_many_files",
        main=OK
        + "i=0; while :; do i=$((i+1)); head -c 20000000 /dev/zero > ../submission/$i; done",
        verdict=Verdict.OUTPUT_LIMIT,
        limits={"output_bytes": 200 * MIB, "wall_time_s": 120.0},
    ),
    Program(
        name="writes_data",
        main="if echo x > ../data/submission_format.csv || touch ../data/images/new\n"
        "then exit 1; fi\n" + OK,
    ),
    Program(
        name="reads_labels",
        main=OK + "ls -R /code_execution /home /mnt /root 2>&1 | grep -i label && exit 1; exit 0",
    ),
    Program(
        name="no_host_files",
        main=OK
        + "cat /etc/shadow 2>/dev/null && exit 1; ls /etc/ssh 2>/dev/null && exit 2; exit 0",
    ),
    Program(
        name="no_host_processes",
        main=OK + "for p in /proc/[0-9]*; do echo $p; done > seen\n[ $(wc -l < seen) -lt 8 ]",
    ),
    Program(
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
    Program(
        name="network",
        main=python(
            "import socket\n"
            "for address in ('192.0.2.1', '127.0.0.53'):\n"
            "    try: socket.create_connection((address, 53), timeout=3)\n"
            "    except OSError: continue\n"
            "    raise SystemExit('a network')\n"
        ),
    ),
    Program(
        name="loopback",
        main=python(
            "import socket\n"
            "server = socket.create_server(('127.0.0.1', 0))\n"
            "socket.create_connection(server.getsockname(), timeout=5)\n"
        ),
    ),
    Program(
        name="shared_memory",
        main=python(
            "from multiprocessing import Pool\n"
            "import os\n"
            "with Pool(2) as pool: assert pool.map(abs, [-1, -2]) == [1, 2]\n"
        ),
    ),
    Program(name="nocsv", main="true", verdict=Verdict.BAD_OUTPUT, says="submission.csv"),
    Program(
        name="csvlink",
        main="ln -s /etc/passwd ../submission/submission.csv",
        verdict=Verdict.BAD_OUTPUT,
        says="link",
    ),
    Program(
        name="csv_in_linked_folder",
        main="rmdir ../submission 2>/dev/null; ln -s /etc ../submission/x\n"
        "ln -s x/passwd ../submission/submission.csv",
        verdict=Verdict.BAD_OUTPUT,
        says="link",
    ),
    Program(
        name="csvdir",
        main="mkdir ../submission/submission.csv",
        verdict=Verdict.BAD_OUTPUT,
        says="folder",
    ),
    Program(
        name="fifo",
        main="mkfifo ../submission/submission.csv",
        verdict=Verdict.BAD_OUTPUT,
        says="FIFO",
    ),
    Program(
        name="giant",
        main="truncate -s 2000000000 ../submission/submission.csv",
        verdict=Verdict.BAD_OUTPUT,
        limits={"predictions_bytes": 1 * MIB},
    ),
    Program(
        name="unreadable",
        main=OK + "chmod 000 ../submission/submission.csv; mkdir a; chmod 000 a",
    ),
    Program(name="closed_results", main=OK + "chmod 000 ../submission"),
    Program(
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
            "time.sleep(60)\n"
        ),
        verdict=Verdict.TIME_LIMIT,
        limits={"wall_time_s": 2.0, "grace_s": 1.0},
    ),
    Program(name="daemon", main=OK + "(sleep 1000) &\necho started", log="started"),
    Program(
        name="detached_daemon",
        main=OK + "setsid sh -c 'sleep 1000' >/dev/null 2>&1 &\necho started",
        log="started",
    ),
    Program(
        name="escapes",
        main=OK + r"printf 'red \033[31m and \033]0;title\007 and \233 \n'",
        log=r"red \x1b[31m and \x1b]0;title\x07",
    ),
    Program(
        name="forged_marks",
        main=OK + r"printf '\036ready 00\n\036end 00\n'; exit 9",
        verdict=Verdict.RUNTIME_ERROR,
        exit_code=9,
    ),
    Program(
        name="kills_everything",
        main=OK + "kill -KILL -1; kill -KILL 1; exit 5",
        verdict=Verdict.RUNTIME_ERROR,
        exit_code=5,
    ),
    Program(
        name="both_paths",
        main="ls /code_execution/data/images/*.png > one\n"
        "(cd ../data/images && ls $PWD/*.png) > two\ncmp one two || exit 1\n" + OK,
    ),
    Program(
        name="deep",
        main=OK + python("import os\nfor i in range(3000):\n    os.mkdir('d'); os.chdir('d')", ""),
    ),
)
