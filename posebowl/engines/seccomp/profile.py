"""The policy as the JSON that Docker and Podman take, in place of their own default profile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from posebowl.engines.seccomp.policy import (
    ABSENT,
    ABSENT_ERRNO,
    ALLOWED,
    CONDITIONAL,
    DENIED,
    DENIED_ERRNO,
    Condition,
)

FILE: Final = "seccomp.json"
"""What files that hold the profile are called."""


def profile() -> str:
    """Return the profile: what it does not allow by name fails.

    Without sub-architectures, a call by another architecture's number ends the process.
    """
    rules = [
        _rule(sorted(ALLOWED), "SCMP_ACT_ALLOW"),
        _rule(sorted(DENIED), "SCMP_ACT_ERRNO", errnoRet=DENIED_ERRNO),
        _rule(sorted(ABSENT), "SCMP_ACT_ERRNO", errnoRet=ABSENT_ERRNO),
    ]
    rules += [
        _rule([name], "SCMP_ACT_ALLOW", args=[*map(_argument, group)])
        for name, groups in CONDITIONAL.items()
        for group in groups
    ]
    architectures = ("SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64")
    return json.dumps(
        {
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": ABSENT_ERRNO,
            "archMap": [{"architecture": name, "subArchitectures": []} for name in architectures],
            "syscalls": rules,
        }
    )


def is_profile(option: str, file: Path) -> bool:
    """Return whether an engine's security option is the profile, or names the file of it."""
    name, _, value = option.partition("=")
    if name != "seccomp":
        return False
    if value == str(file):
        return True
    try:
        return bool(json.loads(value) == json.loads(profile()))
    except ValueError:
        return False


def _rule(names: list[str], action: str, **more: Any) -> dict[str, Any]:
    return {"names": names, "action": action, **more}


def _argument(condition: Condition) -> dict[str, Any]:
    """Compare only the bits of the mask, since the kernel does not look at the upper half."""
    index, mask, value = condition.argument, condition.mask, condition.value
    return {"index": index, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}
