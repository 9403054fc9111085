"""The plan: which submissions run on which shards, each job under a key of all it depends on."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from posebowl.batch.shards import Dataset
from posebowl.batch.submissions import Submission
from posebowl.challenge import EngineName, Limit, Limits, Variant
from posebowl.engines.oci import image
from posebowl.environments import digest


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How all submissions are run."""

    variant: Variant
    engine: EngineName | None
    """None takes the first that works, on each machine."""
    limits: Limits
    waived: frozenset[Limit] = frozenset()
    full: bool = False
    allow_cpu: bool = False
    runtime: str = ""
    """What starts containers, on each machine; empty: the engine's own choice."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run: a submission on one shard."""

    key: str
    """SHA-256 of all that its result depends on."""
    submission: Submission
    shard_index: int
    shard_digest: str
    options: RunOptions


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All the runs of an evaluation."""

    options: RunOptions
    whole: Dataset
    shards: tuple[Dataset, ...]
    submissions: tuple[Submission, ...]
    jobs: dict[Submission, tuple[Job, ...]]
    """A job for each shard, in their order; one on all images where shards change the boxes."""
    checks: Mapping[Submission, tuple[Job, ...]] = field(default_factory=dict)
    """What tells whether they do: see `shard_check`. Empty without shards."""
    sample: Dataset | None = None
    """The images of these checks."""
    no_photos: bool = False
    """Reports show neither photos nor truth nor scores: they can be handed out."""

    @property
    def distinct(self) -> dict[str, Job]:
        """All jobs by key: a zip that is named twice is run once."""
        groups = itertools.chain(self.jobs.values(), self.checks.values())
        return {job.key: job for jobs in groups for job in jobs}

    @property
    def datasets(self) -> dict[str, Dataset]:
        """All that jobs may be run on, by digest, without labels."""
        sampled = (replace(self.whole, labels=None), self.sample) if self.sample else ()
        return {part.digest: part for part in (*self.shards, *sampled) if part is not None}


def make(
    submissions: Sequence[Submission],
    whole: Dataset,
    shards: Sequence[Dataset],
    options: RunOptions,
    *,
    no_photos: bool = False,
) -> Plan:
    """Plan to run all submissions on all shards of the whole."""
    return Plan(
        options=options,
        whole=whole,
        shards=tuple(shards),
        submissions=tuple(submissions),
        jobs=jobs_on(shards, submissions, options),
        no_photos=no_photos,
    )


def jobs_on(
    parts: Sequence[Dataset], submissions: Sequence[Submission], options: RunOptions
) -> dict[Submission, tuple[Job, ...]]:
    """Return the jobs that run each submission on each part of the data."""
    digests = [part.digest for part in parts]
    base = base_key(options)
    return {
        submission: tuple(
            Job(
                key=_hash(base, submission.sha256, digest),
                submission=submission,
                shard_index=index,
                shard_digest=digest,
                options=options,
            )
            for index, digest in enumerate(digests)
        )
        for submission in submissions
    }


def base_key(options: RunOptions) -> str:
    """Return a hash of what all jobs share: limits, variant, engine, lock and recipe."""
    table = asdict(options) | {
        "waived": sorted(options.waived),
        "lock": digest(),
        "recipe": image.recipe_hash(),
    }
    return _hash(json.dumps(table, sort_keys=True, default=str))


def merged_key(jobs: Sequence[Job], labels: bytes | None, *, no_photos: bool = False) -> str:
    """Return the key of the result that is made from those of jobs, and from labels."""
    truth = "" if labels is None else hashlib.sha256(labels).hexdigest()
    kind = "no photos" if no_photos else "merged"
    return _hash(kind, truth, *(job.key for job in jobs))


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
