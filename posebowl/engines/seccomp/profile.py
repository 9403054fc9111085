"""The policy as the JSON that Docker and Podman take, in place of their own default profile."""

from __future__ import annotations

import json
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

_ALL_BITS: Final = Condition(argument=0, value=0).mask


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


def _rule(names: list[str], action: str, **more: Any) -> dict[str, Any]:
    return {"names": names, "action": action, **more}


def _argument(condition: Condition) -> dict[str, Any]:
    index, value, mask = condition.argument, condition.value, condition.mask
    if mask == _ALL_BITS:
        return {"index": index, "value": value, "op": "SCMP_CMP_EQ"}
    return {"index": index, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}
