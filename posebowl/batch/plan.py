"""The plan: which submissions run on which shards, each job under a key of all it depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from posebowl.batch.shards import Dataset
from posebowl.challenge import EngineName, Limit, Limits, Variant
from posebowl.engines.oci import image
from posebowl.environments import digest
from posebowl.errors import UsageError
from posebowl.submission import archive

_PACKED_NAME: Final = "submission"


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A zip to evaluate."""

    name: str
    archive: Path
    sha256: str
    bytes: int


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
    jobs: dict[str, tuple[Job, ...]]
    """By the name of a submission: a job for each shard, in their order."""

    @property
    def distinct(self) -> dict[str, Job]:
        """All jobs by key: a zip that is named twice is run once."""
        return {job.key: job for jobs in self.jobs.values() for job in jobs}


def make(
    submissions: Sequence[Submission],
    whole: Dataset,
    shards: Sequence[Dataset],
    options: RunOptions,
) -> Plan:
    """Plan to run all submissions on all shards of the whole."""
    digests = [shard.digest for shard in shards]
    base = base_key(options)
    jobs = {
        submission.name: tuple(
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
    return Plan(
        options=options,
        whole=whole,
        shards=tuple(shards),
        submissions=tuple(submissions),
        jobs=jobs,
    )


def base_key(options: RunOptions) -> str:
    """Return a hash of what all jobs share: limits, variant, engine, lock and recipe."""
    table = asdict(options) | {
        "waived": sorted(options.waived),
        "lock": digest(),
        "recipe": image.recipe_hash(),
    }
    return _hash(json.dumps(table, sort_keys=True, default=str))


def merged_key(jobs: Sequence[Job]) -> str:
    """Return the key of the result that is merged from those of jobs."""
    return _hash("merged", *(job.key for job in jobs))


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


_FIX: Final = "Name zips, or a folder of zips: invoke evaluate submissions/"


def collect(places: Sequence[Path]) -> tuple[Submission, ...]:
    """Find the zips that a user names, and those in the folders that they name.

    Raises:
        UsageError: A file or folder does not exist, or a folder holds no zip.
        BadArchiveError: What is named is not a regular file.
    """
    found = {path: name for place in places for path, name in _zips(place).items()}
    if not found:
        raise UsageError(
            "No submission is named.", fix="Type: invoke evaluate submission/submission.zip"
        )
    names = list(found.values())
    return tuple(
        Submission(
            name=name if names.count(name) == 1 else str(path.with_suffix("")),
            archive=path.resolve(),
            sha256=archive.digest(path),
            bytes=path.stat().st_size,
        )
        for path, name in found.items()
    )


def _zips(place: Path) -> dict[Path, str]:
    """Return a zip or those of a folder, each with the name of its submission."""
    if not place.exists():
        raise UsageError(f"{place} does not exist.", fix=_FIX)
    if not place.is_dir():
        return {place: _name(Path(place.name), place.absolute().parent)}
    zips = {path: path.relative_to(place) for path in sorted(place.rglob("*.zip"))}
    found = {
        path: _name(inside, place)
        for path, inside in zips.items()
        # macOS keeps the attributes of a file in another one beside it.
        if path.is_file() and not inside.name.startswith("._") and "__MACOSX" not in inside.parts
    }
    if not found:
        raise UsageError(f"{place} holds no zip.", fix=_FIX)
    return found


def _name(path: Path, parent: Path) -> str:
    """Name a submission after its zip, or after its folder if the zip is submission.zip."""
    stem = path.with_suffix("")
    if stem.name != _PACKED_NAME:
        return stem.as_posix()
    return stem.parent.as_posix() if stem.parent.name else parent.name
