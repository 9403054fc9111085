"""Build the private root of an embedded run and become its process 1.

Started by the embedded engine as a script, through util-linux `unshare`, in new mount, pid,
ipc, uts and network namespaces (and a new user namespace where the caller is not root):

    python -I -S sandbox.py SPEC.json

It joins the run's control groups, builds a root that holds system folders of the host, the
run's own folders and nothing else, enters it, gives up every privilege, installs the filter of
system calls and executes the entrypoint. Standard library only; it must not import posebowl,
which is not on its path.

Whatever fails before the entrypoint is written to stderr as one line, with exit code 70. The host
reads stderr apart from the log, and treats such an end as the engine's own failure.

Mount flags and system calls: mount(2), pivot_root(2), unshare(2), capabilities(7), and
Documentation/filesystems/overlayfs.rst of Linux.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import re
import resource
import signal
import socket
import struct
import sys
import termios
from pathlib import Path
from typing import Any, Final, NamedTuple

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
MNT_DETACH: Final = 2
CLONE_NEWUSER: Final = 0x10000000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
PR_SET_SECCOMP, SECCOMP_MODE_FILTER, KEYCTL_JOIN_SESSION_KEYRING = 22, 2, 1
SYS_PIVOT_ROOT: Final = {"x86_64": 155, "aarch64": 41}
SYS_KEYCTL: Final = {"x86_64": 250, "aarch64": 219}
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
NETLINK_SOCK_DIAG: Final = 4

# Flags that a mount already has, and that a remount in a user namespace may not take away.
KEPT_FLAGS: Final = MS_NOSUID | MS_NODEV | MS_NOEXEC | 0x400 | 0x800  # ... noatime, nodiratime

# Of /etc only what programs need to start and to tell the time: no names, keys or passwords.
ETC: Final = (
    "alternatives", "debian_version", "fonts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d",
    "localtime", "magic", "mime.types", "os-release", "protocols", "services", "terminfo",
    "timezone",
)  # fmt: skip
# Of the machine rather than of the run: engines hide these in containers, too.
HIDDEN_PROC: Final = ("kcore", "key-users", "keys", "latency_stats", "sched_debug", "timer_list")
# Where the network is open: what finds names and trusts servers.
NETWORK_ETC: Final = ("ca-certificates", "pki", "resolv.conf", "ssl")
DEVICES: Final = ("null", "zero", "full", "random", "urandom")
RUNNER: Final = 1000

libc = ctypes.CDLL(None, use_errno=True)


class Bind(NamedTuple):
    """A file or folder of the host, shown inside at `target`."""

    source: str
    target: str
    writable: bool


def main() -> None:
    """Build the root, enter it and become the entrypoint; never return."""
    spec: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    os.umask(0o022)
    for folder in spec["cgroups"]:  # with all that will come from this process
        Path(folder, "cgroup.procs").write_text("0")
    os.sched_setaffinity(0, spec["cpus"])
    if not spec["network"]:
        raise_loopback()
    for channel in spec.get("passed", ()):
        lend_diagnosis(channel)
    build_root(spec)
    enter_root(spec["root"])
    if spec.get("terminal"):
        os.setsid()  # of which stdin becomes the terminal, so that its keys are for the run
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    set_limits(spec)
    drop_privileges(spec["uid"], spec["groups"])
    join_keyring()
    os.chdir("/code_execution")
    restore_signals()
    install_filter(bytes.fromhex(spec["filter"]))
    if spec.get("stderr"):
        os.dup2(spec["stderr"], 2)
    os.execve("/bin/sh", ["/bin/sh", *spec["argv"]], spec["env"])  # noqa: S606


def join_keyring() -> None:
    """Replace the session keyring, which is inherited and holds keys of whoever runs this.

    A kernel without keys, or a container's own filter, has none to replace; and where the user
    has as many keyrings as allowed, the run's filter still denies all calls on keys.
    """
    libc.syscall(SYS_KEYCTL[os.uname().machine], KEYCTL_JOIN_SESSION_KEYRING, None)


def install_filter(code: bytes) -> None:
    """Install the filter of system calls, for this process and all that come from it.

    A kernel without filters refuses; the host reads back whether one is in force.
    """
    if code:
        buffer = ctypes.create_string_buffer(code, len(code))
        program = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))  # struct sock_fprog
        libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0)


def restore_signals() -> None:
    """Restore the default actions of all signals: Python ignores SIGPIPE and SIGXFSZ."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)


def raise_loopback() -> None:
    """Switch on the loopback interface, the only one that the run has (as in a container)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(sock, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def lend_diagnosis(channel: int) -> None:
    """Send the host a socket that lists those of this network, if the kernel has such sockets."""
    with socket.socket(fileno=channel) as host, contextlib.suppress(OSError):
        kind = (socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
        with socket.socket(*kind) as diagnosis:
            socket.send_fds(host, [b"."], [diagnosis.fileno()])


def build_root(spec: dict[str, Any]) -> None:
    """Mount all that the run sees below the folder spec["root"]."""
    root = Path(spec["root"])
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m")
    add_system(root, spec["system"])
    covered = cover(root, spec["hidden"])
    add_etc(root / "etc", network=spec["network"])
    add_kernel(root, counts_memory=spec["counts_memory"])
    add_devices(root / "dev", spec["shm_bytes"], spec["devices"])
    for item in spec["binds"]:
        bind(root, Bind(*item))
    add_tools(root, spec["tools"])
    if spec["overlay"]:
        add_overlay(root, **spec["overlay"])
    for folder in ("run", "root", "var", "mnt"):
        (root / folder).mkdir(exist_ok=True)
    (root / "var/tmp").symlink_to("/tmp")  # noqa: S108
    (root / ".old").mkdir()
    for place in covered:
        mount(None, place, None, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV)
    mount(None, root, None, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV)


def add_system(root: Path, names: list[str]) -> None:
    """Show the host's programs and libraries, read-only."""
    for name in names:
        path = Path(name)
        if path.is_symlink():
            (root / name[1:]).symlink_to(path.readlink())
        elif path.is_dir():
            bind(root, Bind(name, name, writable=False))


def cover(root: Path, folders: list[str]) -> list[Path]:
    """Mount an empty folder over each one; all lie in system folders, such as /usr/src/app."""
    places = [root / folder[1:] for folder in folders if (root / folder[1:]).is_dir()]
    for place in places:
        mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m")
    return places


def add_etc(etc: Path, *, network: bool) -> None:
    """Show the harmless part of /etc, and make a list of users."""
    etc.mkdir()
    for name in NETWORK_ETC if network else ():
        # Links may lead to folders of the host that are not shown, such as /run.
        if (source := Path("/etc", name).resolve()).exists():
            bind(etc.parent, Bind(str(source), f"/etc/{name}", writable=False))
    for name in ETC:
        source = Path("/etc", name)
        if source.is_symlink():
            (etc / name).symlink_to(source.readlink())
        elif source.exists():
            bind(etc.parent, Bind(str(source), f"/etc/{name}", writable=False))
    shell = "/bin/sh"
    (etc / "passwd").write_text(
        f"root:x:0:0:root:/root:{shell}\nrunner:x:{RUNNER}:{RUNNER}::/home/runner:{shell}\n"
    )
    (etc / "group").write_text(f"root:x:0:\nrunner:x:{RUNNER}:\n")
    (etc / "hosts").write_text("127.0.0.1 localhost posebowl\n::1 localhost\n")
    (etc / "hostname").write_text("posebowl\n")
    hosts = "files dns" if network else "files"
    (etc / "nsswitch.conf").write_text(f"passwd: files\ngroup: files\nhosts: {hosts}\n")
    socket.sethostname("posebowl")


def add_tools(root: Path, tools: list[list[str]]) -> None:
    """Copy the tools of the run, which a checkout may keep from other users."""
    for source, target in tools:
        place = root / target[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(Path(source).read_bytes())


def add_kernel(root: Path, *, counts_memory: bool) -> None:
    """Mount a /proc of this namespace's processes only, and a read-only /sys."""
    proc, flags = root / "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC
    proc.mkdir()
    mount("proc", proc, "proc", flags)
    for name in HIDDEN_PROC:
        if (proc / name).exists():
            mount("/dev/null", proc / name, None, MS_BIND)
    if not counts_memory:
        limit_segments(proc / "sys/kernel")
    # What belongs to a namespace belongs to the user who made it, which is the run's own.
    # Writing below `user` needs a capability too, and is still to come.
    for folder in (proc / "sys").iterdir():
        if folder.name != "user":
            mount(str(folder), folder, None, MS_BIND)
            mount(None, folder, None, MS_REMOUNT | MS_BIND | MS_RDONLY | flags)
    (root / "sys").mkdir()
    # Programs read the shape of the processor there; without it they guess.
    with contextlib.suppress(OSError):
        mount("sysfs", root / "sys", "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)


def add_devices(dev: Path, shm_bytes: int, more: list[str]) -> None:
    """Make a /dev with the five harmless devices, those of a GPU, and a private shared memory."""
    dev.mkdir()
    for path in (*(f"/dev/{name}" for name in DEVICES), *more):
        place = dev / Path(path).relative_to("/dev")
        place.parent.mkdir(exist_ok=True)
        place.touch()
        mount(path, place, None, MS_BIND)
    for name, target in {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}.items():
        (dev / name).symlink_to(f"/proc/self/fd{target}")
    (dev / "shm").mkdir()
    options = f"mode=1777,size={shm_bytes}"
    mount("tmpfs", dev / "shm", "tmpfs", MS_NOSUID | MS_NODEV, options)


def add_overlay(root: Path, target: str, lower: str, upper: str, work: str) -> None:
    """Mount a folder with a private layer on top that takes all changes."""
    place = root / target[1:]
    place.mkdir(parents=True)
    options = f"lowerdir={escaped(lower)},upperdir={escaped(upper)},workdir={escaped(work)}"
    if os.path.exists("/proc/self/setgroups") and not is_initial_user_namespace():  # noqa: PTH110
        options += ",userxattr"
    mount("overlay", place, "overlay", MS_NOSUID | MS_NODEV, options)


def escaped(path: str) -> str:
    """Escape what separates options and layers in overlayfs' option string."""
    return path.replace("\\", "\\\\").replace(",", "\\,").replace(":", "\\:")


def is_initial_user_namespace() -> bool:
    """Return whether user ids are the same here as outside all user namespaces."""
    return Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]


def bind(root: Path, item: Bind) -> None:
    """Show a file or folder of the host below `root`, with all that is mounted in it."""
    # The name may come from a process of another encoding: made the same text for the same bytes.
    place = Path(os.fsdecode(os.fsencode(root / item.target[1:])))
    if Path(item.source).is_dir():
        place.mkdir(parents=True, exist_ok=True)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.touch()
    mount(item.source, place, None, MS_BIND | MS_REC)
    mounts = mounts_below(place)
    if str(place) not in mounts:
        raise OSError(errno.ENOENT, f"{place} is not in the list of mounts")
    flags = MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV | (0 if item.writable else MS_RDONLY)
    for mounted in mounts:
        kept = os.statvfs(mounted).f_flag & KEPT_FLAGS
        mount(None, mounted, None, flags | kept)


def mounts_below(place: Path) -> list[str]:
    """List the mount points at and below a folder."""
    points = mount_points(Path("/proc/self/mountinfo").read_bytes())
    return [point for point in points if point == str(place) or point.startswith(f"{place}/")]


def mount_points(mountinfo: bytes) -> list[str]:
    """Read the mount points from a mountinfo(5), in which spaces and such are octal escapes.

    Only a plain space separates fields and only a newline separates lines: other white space
    stands in names unescaped, as do bytes that are not UTF-8.
    """
    fields = (line.split(b" ")[4] for line in mountinfo.split(b"\n") if line)
    return [
        os.fsdecode(re.sub(rb"\\([0-3][0-7]{2})", lambda octal: bytes([int(octal[1], 8)]), field))
        for field in fields
    ]


def enter_root(root: str) -> None:
    """Make `root` the root folder, and unmount the old one."""
    os.chdir(root)
    number = SYS_PIVOT_ROOT[os.uname().machine]
    call("pivot_root", libc.syscall(number, b".", b".old"))
    os.chdir("/")
    call("umount", libc.umount2(b"/.old", MNT_DETACH))


def set_limits(spec: dict[str, Any]) -> None:
    """Set the limits that every process of the run inherits and cannot raise."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    size = spec["file_bytes"]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    if spec["processes"]:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NPROC, (spec["processes"], spec["processes"]))


def limit_segments(kernel: Path) -> None:
    """Bound the System V memory of this namespace, which nobody sees who is not in it."""
    for name, value in {"shmall": 4096, "msgmni": 16}.items():
        with contextlib.suppress(OSError):
            (kernel / name).write_text(str(value))


def drop_privileges(uid: int | None, groups: list[int]) -> None:
    """Become an ordinary user in a user namespace below that of the mounts.

    From there no mount can be changed or undone, whatever namespaces the run makes for itself:
    mounts of a more privileged namespace are locked (mount_namespaces(7)). The user's own id
    (or, started by root, the one given) is seen inside as the runner's.
    """
    if uid is not None:
        os.setgroups(groups)
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        # The change of user gave this process's files in /proc to root; take them back.
        call("prctl", libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    call("unshare", libc.unshare(CLONE_NEWUSER))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{RUNNER} {outer_uid} 1")
    Path("/proc/self/gid_map").write_text(f"{RUNNER} {outer_gid} 1")
    # As in a container's default seccomp profile: no namespaces of the run's own. And no watches of
    # files: those of system folders are the host's, and would tell which programs it starts.
    for name in ("max_user_namespaces", "max_inotify_instances"):
        with contextlib.suppress(OSError):
            Path("/proc/sys/user", name).write_text("0")
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    call("prctl", libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    # The kernel forgot `unshare --kill-child` when the user changed: ask for it again, so that
    # the run dies with the harness.
    call("prctl", libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))


def mount(
    source: str | None, target: Path | str, kind: str | None, flags: int, data: str = ""
) -> None:
    """Mount something, or change the flags of a mount."""
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind)]
    result = libc.mount(*words, ctypes.c_ulong(flags), os.fsencode(data) or None)
    call(f"mount {kind or source or 'remount'} on {target}", result)


def call(what: str, result: int) -> None:
    """Raise OSError for a system call that failed."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        sys.exit(70)
