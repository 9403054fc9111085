"""Submissions that look for ways out, and odd ends: what public collections try, in our words.

docs/security.md names the collections.
"""

from __future__ import annotations

from typing import Final

from posebowl.engines.case import OK, Case, python
from posebowl.errors import Verdict

ESCAPE_CASES: Final = (
    Case(
        name="kernel_settings",
        about="changes settings of the kernel, and starts programs through it",
        main=python(
            "import os\n"
            "tops = ('/proc/sys', '/proc/irq', '/sys/fs/cgroup', '/sys/fs/bpf')\n"
            "files = ['/proc/sysrq-trigger', '/sys/kernel/uevent_helper', '/sys/power/state']\n"
            "for top in tops:\n"
            "    for folder, _, names in os.walk(top): files += [f'{folder}/{n}' for n in names]\n"
            "def opens(file):\n"
            "    try: os.close(os.open(file, os.O_WRONLY | os.O_NONBLOCK))\n"
            "    except OSError: return False\n"
            "    return True\n"
            "found = [file for file in files if opens(file)]\n"
            "assert not found, found\n"
        ),
    ),
    Case(
        name="devices",
        about="opens the machine's disks, memory and virtual machines",
        main=python(
            "import os, stat\n"
            "for folder, _, names in os.walk('/dev'):\n"
            "    for name in names:\n"
            "        mode = os.lstat(f'{folder}/{name}').st_mode\n"
            "        assert not stat.S_ISBLK(mode), name\n"
            "for name in ('mem', 'kmem', 'port', 'kmsg', 'kvm', 'sda', 'vda', 'loop0', 'uinput'):\n"
            "    try: os.open(f'/dev/{name}', os.O_RDONLY)\n"
            "    except OSError: pass\n"
            "    else: raise SystemExit(name)\n"
            "for kind in (stat.S_IFBLK, stat.S_IFCHR):\n"
            "    try: os.mknod('device', 0o600 | kind, os.makedev(1, 1))\n"
            "    except OSError: continue\n"
            "    raise SystemExit('a device of its own')\n"
        ),
    ),
    Case(
        name="sockets_of_the_host",
        about="looks for the sockets of engines and of the machine's services",
        main=python(
            "import os, stat\n"
            "with open('/proc/net/unix') as lines: others = lines.readlines()[1:]\n"
            "assert not others, others\n"
            "found = [\n"
            "    f'{folder}/{name}'\n"
            "    for top in ('/run', '/var', '/tmp', '/home', '/mnt')\n"
            "    for folder, _, names in os.walk(top)\n"
            "    for name in names\n"
            "    if stat.S_ISSOCK(os.lstat(f'{folder}/{name}').st_mode)\n"
            "]\n"
            "assert not found, found\n"
        ),
    ),
    Case(
        name="secrets_in_variables",
        about="looks for passwords and proxies in its environment and that of process 1",
        main=python(
            "import os, re\n"
            "seen = ' '.join(os.environ)\n"
            "try: seen += ' ' + open('/proc/1/environ').read().replace('\\0', ' ')\n"
            "except OSError: pass\n"
            "words = 'proxy|token|secret|passw|api_?key|aws_|uv_index|pip_|ssh_|docker_|kube'\n"
            "found = re.findall(rf'(?i)\\S*(?:{words})\\S*', seen)\n"
            "assert not found, found\n"
        ),
    ),
    Case(
        name="open_files",
        about="looks for files and folders that whoever started it left open",
        main=python(
            "import os, stat\n"
            "def opened(number):\n"
            "    try: return os.fstat(number)\n"
            "    except OSError: return None\n"
            "found = [number for number in range(3, 4096) if opened(number)]\n"
            "assert not found, found\n"
            "assert not any(stat.S_ISREG(opened(number).st_mode) for number in (1, 2))\n"
        ),
    ),
    Case(
        name="keyboard",
        about="types into the terminal of whoever started it",
        main=python(
            "import fcntl, os\n"
            "for number in (0, 1, 2):\n"
            "    assert not os.isatty(number)\n"
            "    try: fcntl.ioctl(number, 0x5412, b'x')  # TIOCSTI\n"
            "    except OSError: continue\n"
            "    raise SystemExit('it typed')\n"
            "try: os.open('/dev/tty', os.O_RDWR)\n"
            "except OSError: pass\n"
            "else: raise SystemExit('a terminal')\n"
        ),
    ),
    Case(
        name="stdin",
        about="waits for input",
        main="if read -r line; then exit 1; fi\n" + OK,
    ),
    Case(
        name="stopped",
        about="stops itself and waits for somebody to let it go on",
        main=OK + "kill -STOP $$\n",
        verdict=Verdict.TIME_LIMIT,
        limits={"wall_time_s": 1.0, "grace_s": 0.5},
    ),
    Case(
        name="threads",
        about="starts threads without end",
        main=OK
        + python(
            "import threading, time\n"
            "while True:\n"
            "    try: threading.Thread(target=time.sleep, args=(100,)).start()\n"
            "    except RuntimeError: time.sleep(0.01)\n"
        ),
        verdict=Verdict.TIME_LIMIT,
        limits={"wall_time_s": 2.0, "grace_s": 0.5, "processes": 128},
    ),
    Case(
        name="abort",
        about="aborts, as a failed assertion in C does",
        main="exec python -c 'import os; os.abort()'",
        verdict=Verdict.SIGNALED,
        signal=6,
    ),
    Case(
        name="flood",
        about="prints more than a log may hold",
        main=OK + "head -c 50000000 /dev/zero | tr '\\0' x",
        log="xxx",
    ),
    Case(
        name="system_v_memory",
        about="raises the limit of shared memory, and takes it in segments that nobody has open",
        # A watchdog sees none of them: there the kernel refuses most, and the rest is taken openly.
        main=OK
        + python(
            "import ctypes\n"
            "try: open('/proc/sys/kernel/shmall', 'w').write('999999')\n"
            "except OSError: pass\n"
            "libc, held = ctypes.CDLL(None), []\n"
            "libc.shmat.restype = ctypes.c_void_p\n"
            "for _ in range(8):\n"
            "    segment = libc.shmget(0, 64 << 20, 0o1600)\n"
            "    while segment < 0: held.append(b'x' * (8 << 20))\n"
            "    place = ctypes.c_void_p(libc.shmat(segment, None, 0))\n"
            "    ctypes.memset(place, 1, 64 << 20)\n"
            "    libc.shmdt(place)\n"
        ),
        verdict=Verdict.MEMORY_LIMIT,
        limits={"memory_bytes": 256 << 20},
    ),
)
