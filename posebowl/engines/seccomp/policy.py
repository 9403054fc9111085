"""Which system calls a run may make: one list for all engines.

A call that `numbers` does not know, or that came to Linux later, does not exist for a run: programs
expect that of older kernels and do without. What Docker and Podman deny by default to a container
without capabilities is denied here too, whether it is dangerous or only useless without them.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from posebowl.engines.seccomp.numbers import NUMBERS

_DENIED: Final = {
    "Keys belong to the user or the machine, and no namespace separates them.": (
        "add_key keyctl request_key"
    ),
    "These run what a filter would have to see, inside the kernel or past the filter.": (
        "bpf io_uring_enter io_uring_register io_uring_setup perf_event_open"
    ),
    "Faults that a program handles itself, and pages that it lends to a pipe, have made holes in "
    "the kernel easy to use.": "userfaultfd vmsplice",
    "The memory and files of other processes.": (
        "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace"
    ),
    "Mounts, roots and namespaces are what isolates a run.": (
        "chroot fsconfig fsmount fsopen fspick listmount mount mount_setattr move_mount open_tree"
        " pivot_root setns statmount umount2 unshare"
    ),
    "Files by handle, and watching whole file systems, pass by the private root.": (
        "fanotify_init fanotify_mark lookup_dcookie name_to_handle_at open_by_handle_at"
    ),
    "The clock of the machine.": "adjtimex clock_adjtime clock_settime settimeofday",
    "The kernel itself, its modules, and the machine it runs on.": (
        "acct create_module delete_module finit_module get_kernel_syms init_module ioperm iopl"
        " kexec_file_load kexec_load query_module quotactl quotactl_fd reboot setdomainname"
        " sethostname swapoff swapon syslog vhangup"
    ),
    "Where memory lies, for other processes too.": (
        "get_mempolicy mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node"
    ),
    "The security modules of the machine.": "lsm_get_self_attr lsm_list_modules lsm_set_self_attr",
    "Long out of use, and little tested since.": (
        "_sysctl afs_syscall epoll_ctl_old epoll_wait_old getpmsg modify_ldt nfsservctl putpmsg"
        " security sysfs tuxcall uselib ustat vserver"
    ),
}
"""By the reason, the calls that are denied."""

DENIED: Final = frozenset(" ".join(_DENIED.values()).split())
ABSENT: Final = frozenset({"clone3"})
"""Hides its arguments from a filter; the C library then uses clone."""


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What an argument of a call must be: `value` in the bits of `mask`."""

    argument: int
    value: int
    mask: int = 0xFFFFFFFF


NAMESPACES: Final = 0x7E020000
"""The flags CLONE_NEW* of clone(2)."""
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_ANY_INET: Final = ~(_AF_INET ^ _AF_INET6) & 0xFFFFFFFF
"""The bits that IPv4 and IPv6 share."""
_DEFAULT, _TCP, _UDP = 0, 6, 17
_NETLINK_ROUTE: Final = 0
_PERSONALITY_LINUX, _PERSONALITY_ASK = 0, 0xFFFFFFFF

_BTRFS: Final = 0x94
"""The second byte of the ioctl(2) requests of btrfs."""

_FAMILIES: Final = (
    (Condition(argument=0, value=_AF_UNIX),),
    # The other protocols are modules that the kernel loads for whoever asks.
    *(
        (
            Condition(argument=0, value=_AF_INET, mask=_ANY_INET),
            Condition(argument=2, value=protocol),
        )
        for protocol in (_DEFAULT, _TCP, _UDP)
    ),
    # Programs list their network interfaces with it. The other protocols speak to the kernel.
    (Condition(argument=0, value=_AF_NETLINK), Condition(argument=2, value=_NETLINK_ROUTE)),
)
CONDITIONAL: Final[Mapping[str, tuple[tuple[Condition, ...], ...]]] = {
    # Network namespaces do not hold for all families: not for AF_VSOCK. AF_ALG lets a program
    # write to the page cache of files that it may only read (CVE-2026-31431).
    "socket": _FAMILIES,
    "socketpair": _FAMILIES,
    "clone": ((Condition(argument=0, value=0, mask=NAMESPACES),),),
    "personality": tuple(
        (Condition(argument=0, value=value),) for value in (_PERSONALITY_LINUX, _PERSONALITY_ASK)
    ),
    # Any user may make a read-only snapshot of a folder there, which `rm` cannot remove. A request
    # is allowed if one bit of that byte differs. Files are copied where they cannot be cloned.
    "ioctl": tuple(
        (Condition(argument=1, value=~(_BTRFS << 8) & bit, mask=bit),)
        for bit in (1 << number for number in range(8, 16))
    ),
}
"""Calls that are allowed with some arguments only: any of the groups, and all of a group."""

DENIED_ERRNO: Final = errno.EPERM
ABSENT_ERRNO: Final = 38
"""ENOSYS, which has another number on other systems, where profiles are written too."""

ALLOWED: Final = (
    frozenset(name for numbers in NUMBERS.values() for name in numbers)
    - DENIED
    - ABSENT
    - CONDITIONAL.keys()
)
