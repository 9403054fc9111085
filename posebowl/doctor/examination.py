"""Check tools, engines, machine and data, all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from posebowl.challenge import EngineName
from posebowl.doctor import data, engines, gpu, holes, resources, toolchain
from posebowl.doctor.findings import Diagnosis, Finding, State
from posebowl.errors import UsageError
from posebowl.settings import Found, Settings, resolve

Probe = Callable[[], Iterable[Finding]]


def probes(
    settings: Settings | None, found: Sequence[Found] | UsageError
) -> tuple[tuple[str, Probe], ...]:
    """Return what is checked, in the order in which it is shown.

    Args:
        settings: None where they are wrong.
        found: Where each came from, or what is wrong with them.
    """
    known = settings or resolve.defaults()
    return (
        ("uv", toolchain.uv),
        ("uv.lock", toolchain.lock),
        ("python", toolchain.python),
        ("settings", lambda: toolchain.settings(found)),
        ("docker", lambda: engines.containers(EngineName.DOCKER)),
        ("podman", lambda: engines.containers(EngineName.PODMAN)),
        ("base image", engines.base),
        ("embedded", lambda: engines.embedded(settings.cache if settings else None)),
        ("gpu", gpu.look),
        ("kernel", holes.kernel),
        ("machine", resources.machine),
        ("disk", lambda: resources.disks(settings)),
        ("data", lambda: data.data(known.data)),
        ("submission.zip", lambda: data.archive(known.archive)),
    )


def examine(asked: Iterable[tuple[str, Probe]]) -> Diagnosis:
    """Make all checks at once; nothing is changed."""
    with ThreadPoolExecutor() as pool:
        found = [finding for part in pool.map(_ask, asked) for finding in part]
    usable = [finding for finding in found if finding.name in engines.NAMES]
    if usable and not any(finding.state is State.GOOD for finding in usable):
        found.append(engines.none_works(found))
    return Diagnosis(findings=tuple(found), next_step=_next_step(found))


def _ask(named: tuple[str, Probe]) -> list[Finding]:
    """Return the findings of one probe; what it cannot read is a finding too."""
    name, probe = named
    try:
        return [*probe()]
    except OSError as error:
        return [Finding(name=name, state=State.WARNING, text=f"could not be checked: {error}")]


def _next_step(findings: Iterable[Finding]) -> str:
    """Return what to type: to fix the first bad finding, or to continue."""
    by_name = {finding.name: finding for finding in findings}
    for finding in by_name.values():
        if finding.state is State.BAD:
            return f"Fix this first: {finding.name}. {finding.fix}".strip()
    packed = by_name.get("submission.zip")
    if packed is not None and packed.state is not State.GOOD:
        return "Type: invoke pack benchmark"
    return "Type: invoke run"
