"""Whether shards change what a submission predicts: a sample of images, run at once, tells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from posebowl.batch import shards
from posebowl.batch.plan import Plan, jobs_on
from posebowl.batch.repeats import boxes, overlaps
from posebowl.batch.result_store import ResultStore
from posebowl.batch.submissions import Submission
from posebowl.errors import Verdict
from posebowl.util.text import counted

_FEWER_IMAGES_CANNOT_CAUSE: Final = frozenset(
    {Verdict.BAD_ARCHIVE, Verdict.TIME_LIMIT, Verdict.MEMORY_LIMIT, Verdict.OUTPUT_LIMIT}
)
UNKNOWN: Final = "It is unknown whether shards change its boxes"


@dataclass(frozen=True, kw_only=True)
class Check:
    """What the sample shows of a submission."""

    changed: bool | None
    """Whether shards change its result; None: unknown."""
    text: str = ""
    """For its result: empty if nothing is to be said."""


def settle(plan: Plan, store: ResultStore) -> Plan:
    """Return a plan in which shards are checked, and submissions that they change run whole.

    Args:
        plan: As `plan.make` returns it: it is returned as it is if it has one shard.
        store: Of the runs: what it holds decides.
    """
    if len(plan.shards) == 1:
        return plan
    sample = shards.sample(plan.whole, plan.shards)
    checks = jobs_on([sample], plan.submissions, plan.options)
    checked = replace(plan, sample=sample, checks=checks)
    changed = [item for item in plan.submissions if check(checked, item, store).changed]
    kept = {item: (*checks[item], *plan.jobs[item]) for item in changed}
    return replace(
        checked,
        jobs=plan.jobs | jobs_on([plan.whole], changed, plan.options),
        checks=checks | kept,
    )


def check(plan: Plan, submission: Submission, store: ResultStore) -> Check:
    """Compare the shards of a submission with the run on the sample.

    Shards that failed for what fewer images cannot cause are not compared, nor are those that
    failed as the sample did.
    """
    if not plan.checks:
        return Check(changed=False)
    job, *parts = plan.checks[submission]
    jobs = parts or plan.jobs[submission]
    found = [store.result(part.key) for part in jobs]
    verdicts = {part.verdict if part else Verdict.ENGINE_ERROR for part in found}
    failed = verdicts - {Verdict.OK}
    if failed & _FEWER_IMAGES_CANNOT_CAUSE:
        return Check(changed=False)
    sampled = store.result(job.key)
    if any(verdict.is_infrastructure_failure for verdict in failed):
        return Check(changed=None)
    if sampled is None or sampled.verdict.is_infrastructure_failure:
        why = f": {sampled.message}" if sampled else "."
        return Check(changed=None, text=f"{UNKNOWN}{why}")
    if failed or sampled.verdict is not Verdict.OK:
        ends = ", ".join(sorted(verdicts))
        how = f"A sample run at once ended with {sampled.verdict}, its shards with {ends}"
        return _checked(how if failed != {sampled.verdict} else "")
    once = boxes([store.folder(job.key)])
    same = overlaps(once, boxes(store.folder(part.key) for part in jobs))
    differ = int((same < 1).sum())
    of = counted(once.height, "box", "boxes")
    return _checked(f"Shards change {differ:,} of {of} of a sample" if differ else "")


def _checked(difference: str) -> Check:
    text = f"{difference}, so it was run on all images at once." if difference else ""
    return Check(changed=bool(difference), text=text)
