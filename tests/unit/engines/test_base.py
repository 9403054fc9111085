"""What an engine refuses before main.sh runs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from posebowl.challenge import EngineName, Limit
from posebowl.engines.base import refuse_unwaived
from posebowl.errors import LimitUnenforcedError

WEAK = {Limit.MEMORY: "the same reason", Limit.CPUS: "the same reason", Limit.NETWORK: "another"}


def spec(*waived: Limit) -> Any:
    return SimpleNamespace(waived=frozenset(waived))


def test_a_reason_is_given_once_for_all_limits_that_it_is_about() -> None:
    with pytest.raises(LimitUnenforcedError, match="limits: memory, cpus, network") as caught:
        refuse_unwaived(WEAK, spec(), EngineName.PODMAN)
    assert caught.value.why == "the same reason; another."
    assert caught.value.fix.endswith("--waive memory,cpus,network")


def test_what_is_waived_is_not_refused() -> None:
    with pytest.raises(LimitUnenforcedError, match="limits: network"):
        refuse_unwaived(WEAK, spec(Limit.MEMORY, Limit.CPUS), EngineName.PODMAN)
    refuse_unwaived(WEAK, spec(*WEAK), EngineName.PODMAN)
