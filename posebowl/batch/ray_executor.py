"""Jobs on a Ray cluster: a task for each, which claims the limits of its run as resources."""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import ray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError

from posebowl.batch import ray_cluster, ray_running, worker
from posebowl.batch.executor import Capacity, Completion
from posebowl.batch.node_cache import NodeCache
from posebowl.batch.plan import Job, RunOptions
from posebowl.batch.shards import Dataset
from posebowl.challenge import Variant
from posebowl.errors import UsageError, Verdict
from posebowl.settings import resolve
from posebowl.util.text import shorten
from posebowl.util.units import human_bytes

_MAX_JOBS: Final = 1000
_CHUNK: Final = 64 << 20
_WAIT_S: Final = 1.0
_ENDING_S: Final = 30.0
_NODE_LABEL: Final = "ray.io/node-id"
_FAILING: Final = 3
"""Runs in a row that a node fails until others take what it would get."""


@dataclass(frozen=True, kw_only=True)
class _Run:
    """A job that was handed to Ray."""

    job: Job
    avoided: frozenset[str]
    """The nodes that must not get it."""


def run_task(
    job: Job, shard: Sequence[Any], registry_name: str, parcel: Sequence[Any] | None
) -> tuple[ray_running.Node, worker.JobResult | None]:
    """Run a job on a node of the cluster; return the node too."""
    chunks = None if parcel is None else (ray.get(chunk) for chunk in parcel)
    # A process begins here, on a machine whose cache may lie elsewhere than that of the machine
    # that hands out the jobs: hence its own settings.
    cache = NodeCache(resolve.load().cache)
    with ray_running.noted(job.key) as here:
        output = worker.run_job(
            job, ray.get(shard[0]), cache=cache, registry_name=registry_name, chunks=chunks
        )
    return here, output


class RayExecutor:
    """Hands jobs to Ray; made by `connect`."""

    max_jobs = _MAX_JOBS

    def __init__(
        self,
        cluster: ray_cluster.Cluster,
        shards: Mapping[str, Dataset],
        options: RunOptions,
        *,
        registry_name: str,
    ) -> None:
        self._cluster = cluster
        self._task = ray.remote(max_retries=0, **resources(options))(run_task)
        self._shards = {digest: ray.put(shard) for digest, shard in shards.items()}
        self._registry = registry_name
        self._running: dict[Any, _Run] = {}
        self._slots = dict(resources(options))
        self._noted: Mapping[str, ray_running.Node] = {}
        """Which job ran where, a moment ago."""
        self._noted_at = -math.inf
        self._seen: set[str] = set()
        """The nodes that were alive when jobs were last taken back."""
        self._failures: Counter[str] = Counter()
        """Of each node, in a row."""
        self._failed_on: dict[str, set[str]] = defaultdict(set)
        """The nodes that failed each job, by its key."""

    def submit(self, job: Job) -> None:
        """Take a job."""
        self._submit(job, None)

    def wait(self) -> Completion | None:
        """Wait a moment for a job to end; None where none did."""
        if lost := self._look_after_nodes():
            return lost
        ready, _ = ray.wait(list(self._running), timeout=_WAIT_S)
        if not ready:
            return None
        ref = ready[0]
        job = self._running.pop(ref).job
        try:
            where, output = ray.get(ref)
        except RayTaskError as error:
            # A bug of this tool: treated like a lost machine, so that the other jobs go on.
            return self._lost(job, f"The task failed: {error.cause!r}")
        except RayError as error:
            return self._lost(job, shorten(" ".join(str(error).split())))
        return self._settle(job, where, output)

    def _settle(
        self, job: Job, where: ray_running.Node, output: worker.JobResult | None
    ) -> Completion | None:
        """Return how a job ended, or send its zip; note whether the node failed."""
        if output is None:
            return self._send(job)
        if output.result.verdict is Verdict.INTERRUPTED:
            return Completion(
                job=job, output=None, lost="It was interrupted there.", node=where.name
            )
        if output.result.verdict is Verdict.ENGINE_ERROR:
            self._failures[where.node_id] += 1
            self._failed_on[job.key].add(where.node_id)
        else:
            del self._failures[where.node_id]
            self._failed_on.pop(job.key, None)
        return Completion(job=job, output=output, node=where.name)

    def _look_after_nodes(self) -> Completion | None:
        """Take back a job from a node that is gone, and jobs that no node may take.

        Ray itself waits seven minutes for one that is cut off without a word.
        """
        alive = self._cluster.nodes().keys()
        if not alive or alive == self._seen or not self._cluster.answers():
            return None
        noted = ray_running.running()
        for ref, run in list(self._running.items()):
            where = noted.get(run.job.key)
            if where is not None and where.node_id not in alive:
                del self._running[ref]
                ray.cancel(ref)
                return self._lost(run.job, "The machine ended, or its network did.")
            if where is None and alive <= run.avoided:
                del self._running[ref]
                ray.cancel(ref)
                self._submit(run.job, None)
        self._seen = set(alive)
        return None

    def _lost(self, job: Job, why: str) -> Completion:
        where = ray_running.running().get(job.key) if self._cluster.answers() else None
        if where is not None:
            ray_running.forget(job.key, where)
        return Completion(job=job, output=None, lost=why, node=where.name if where else "")

    def _send(self, job: Job) -> Completion | None:
        """Start a job again, with its zip, which the machine that took it does not have."""
        try:
            with job.submission.archive.open("rb") as file:
                self._submit(
                    job, [ray.put(chunk) for chunk in iter(lambda: file.read(_CHUNK), b"")]
                )
        except OSError as error:
            what = f"{job.submission.archive} cannot be read: {error.strerror}."
            return Completion(
                job=job, output=worker.failure(job, what, "Leave the zips where they are.")
            )
        return None

    def capacity(self) -> Capacity:
        """Return how many nodes are alive, how many runs fit on them, and what runs where.

        Raises:
            EngineError: The cluster is lost.
        """
        alive = self._cluster.nodes()
        slots = sum(fitting(item, self._slots) for item in alive.values())
        if time.monotonic() - self._noted_at > _WAIT_S and self._cluster.answers():
            self._noted, self._noted_at = ray_running.running(), time.monotonic()
        mine = {run.job.key for run in self._running.values()}
        running = {key: node.name for key, node in self._noted.items() if key in mine}
        return Capacity(nodes=len(alive), slots=slots, running=running)

    def close(self) -> None:
        """End all runs, as Ctrl-C would, and leave the cluster."""
        for ref in self._running:
            with contextlib.suppress(RayError):
                ray.cancel(ref, force=False)
        with contextlib.suppress(RayError, GetTimeoutError):
            if self._running:
                ray.wait(list(self._running), num_returns=len(self._running), timeout=_ENDING_S)
        self._running.clear()
        self._cluster.leave()

    def _submit(self, job: Job, parcel: list[Any] | None) -> None:
        options: dict[str, Any] = {"name": f"{job.submission.name}-{job.shard_index}"}
        avoided = self._avoided(job)
        if avoided:
            options["label_selector"] = {_NODE_LABEL: f"!in({','.join(sorted(avoided))})"}
        ref = self._task.options(**options).remote(
            job, [self._shards[job.shard_digest]], self._registry, parcel
        )
        self._running[ref] = _Run(job=job, avoided=avoided)

    def _avoided(self, job: Job) -> frozenset[str]:
        """Return the nodes that failed this job, or every job lately, unless there are no others.

        A machine that fails at once is always free: it would get the next attempt too.
        """
        failing = {node for node, count in self._failures.items() if count >= _FAILING}
        avoided = failing | self._failed_on.get(job.key, set())
        fit = {node for node, has in self._cluster.nodes().items() if fitting(has, self._slots)}
        return frozenset(avoided if fit - avoided else ())


def connect(
    address: str,
    shards: Mapping[str, Dataset],
    options: RunOptions,
    *,
    registry_name: str = "",
    await_nodes: bool = False,
    allow_open: bool = False,
) -> RayExecutor:
    """Join a cluster, or start one on this machine for `local`.

    Raises:
        UsageError: The cluster cannot be joined (see `ray_cluster.join`), or no machine has what
            one run needs.
    """
    cluster = ray_cluster.join(address, allow_open=allow_open)
    try:
        if not await_nodes:
            _check_fits([*cluster.nodes().values()], resources(options))
        return RayExecutor(cluster, shards, options, registry_name=registry_name)
    except BaseException:
        cluster.leave()
        raise


def resources(options: RunOptions) -> dict[str, float]:
    """Return what a task claims: the limits of a run."""
    limits = options.limits
    gpus = int(options.variant is Variant.GPU and not options.allow_cpu)
    return {"num_cpus": limits.cpus, "memory": limits.memory_bytes, "num_gpus": gpus}


def fitting(node_resources: Mapping[str, float], claim: Mapping[str, float]) -> int:
    """Count the runs that fit on a node at once."""
    names = {"num_cpus": "CPU", "memory": "memory", "num_gpus": "GPU"}
    return min(
        int(node_resources.get(names[name], 0) // amount)
        for name, amount in claim.items()
        if amount
    )


def _check_fits(alive: Sequence[Mapping[str, float]], claim: Mapping[str, float]) -> None:
    if any(fitting(item, claim) for item in alive):
        return
    most = {
        name: max((item.get(name, 0) for item in alive), default=0)
        for name in ("CPU", "memory", "GPU")
    }
    gpus = f" and {claim['num_gpus']:g} GPU" if claim["num_gpus"] else ""
    raise UsageError(
        f"No machine of the cluster has what one run needs: {claim['num_cpus']:g} cores, "
        f"{human_bytes(claim['memory'])} of memory{gpus}.",
        why=f"The most that one has is {most['CPU']:g} cores, {human_bytes(most['memory'])} and "
        f"{most['GPU']:g} GPUs.",
        fix="Lower --cpus and --memory, or add --await-nodes if more machines will join.",
    )
