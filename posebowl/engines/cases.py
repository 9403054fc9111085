"""Small honest and hostile submissions, each with the verdict that any engine must give it."""

from __future__ import annotations

from typing import Final

from posebowl.engines.call_cases import CALL_CASES
from posebowl.engines.case import OK, Case, python
from posebowl.engines.escape_cases import ESCAPE_CASES
from posebowl.errors import Verdict

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
        about="takes memory without end, in a file that has no name",
        main=OK
        + python("import os\nfd = os.memfd_create('x')\nwhile True: os.write(fd, bytes(8 << 20))"),
        verdict=Verdict.MEMORY_LIMIT,
        limits={"memory_bytes": 256 * MIB},
    ),
    Case(
        name="hog_in_sockets",
        about="takes memory without end, in what its sockets have not read",
        main=OK
        + python(
            "import os, resource, socket\n"
            "most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))\n"
            "held = []\n"
            "while True:\n"
            "    try: held += socket.socketpair()\n"
            "    except OSError:\n"
            "        if os.fork(): os.wait()\n"
            "        held = []\n"
            "        continue\n"
            "    held[-1].setblocking(False)\n"
            "    try:\n"
            "        while True: held[-1].send(bytes(1 << 16))\n"
            "    except BlockingIOError: pass\n"
        ),
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
        about="fills the disk below folders that are deeper than any path",
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
        about="makes thousands of empty files",
        main=OK + python("for name in range(5000): open(f'../submission/{name}', 'w')", ""),
        verdict=Verdict.OUTPUT_LIMIT,
        limits={"output_bytes": 16 * MIB},
        says="more than 1,024 files",
    ),
    Case(
        name="heavy_zip",
        about="brings more in its zip than it may write",
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
        # What it owns is the image's: with Docker without root, a run is user 0 of its container.
        main=OK
        + "[ ! -O /etc/shadow ] && cat /etc/shadow 2>/dev/null && exit 1\n"
        + "ls /etc/ssh 2>/dev/null && exit 2; exit 0",
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
            "outside = pathlib.Path('/proc/self/uid_map').read_text().split()[1]\n"
            "assert os.getuid() != 0 or outside != '0'\n"
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
        about="reads the secret that stands for its end, prints it, and goes on",
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
    *CALL_CASES,
    *ESCAPE_CASES,
)
