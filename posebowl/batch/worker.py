"""What a machine does for one job: have the image, the data and the zip, and run."""

from __future__ import annotations

import dataclasses
import os
import secrets
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from filelock import FileLock

from posebowl.batch import node_cache
from posebowl.batch.plan import Job
from posebowl.batch.shards import Slice
from posebowl.challenge import EngineName, Variant
from posebowl.data import manifest
from posebowl.engines.oci import client as oci_client, image
from posebowl.errors import EngineError, PoseBowlError, Verdict
from posebowl.images import registry
from posebowl.results import LOG_FILE, RESULT_FILE, RESULT_FILES, Result
from posebowl.run import Display, pipeline
from posebowl.util.files import remove_tree
from posebowl.util.process_identity import is_orphan, owner

OF_THE_MACHINE: Final = (
    Verdict.ENGINE_ERROR,
    Verdict.BUSY,
    Verdict.LIMIT_UNENFORCED,
    Verdict.BAD_DATA,
    Verdict.INTERRUPTED,
)
"""Verdicts that say nothing of a submission, in their order of precedence."""


@dataclass(frozen=True, kw_only=True)
class Produced:
    """What a job left: the files of a run, by name, and the machine that it ran on."""

    node: str
    result: Result
    files: dict[str, bytes]


def perform(
    job: Job, piece: Slice, *, registry_name: str = "", chunks: Iterable[bytes] | None = None
) -> Produced | None:
    """Run a job on this machine, as `invoke run` would.

    Args:
        job: What to run.
        piece: The slice of the data that it is run on.
        registry_name: Where the image is pulled from if this machine lacks it; empty: nowhere.
        chunks: The bytes of the zip, for a machine that does not have it.

    Returns:
        What came of it; None where this machine has to be sent the zip.
    """
    try:
        zipped = node_cache.archive(job.submission, chunks)
        if zipped is None:
            return None
        _have_image(job.terms.engine, job.terms.variant, registry_name)
        return _run(job, zipped, node_cache.data_folder(piece))
    except PoseBowlError as error:
        return failed(job, f"{error.what} {error.why}".strip(), error.fix)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return failed(job, f"The machine failed: {error.strerror or error}{where}.", "")


def failed(job: Job, message: str, fix: str) -> Produced:
    """Return what stands for a run that could not be started, or whose machine was lost."""
    terms = job.terms
    result = Result(
        run_id=f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}",
        verdict=Verdict.ENGINE_ERROR,
        message=message,
        fix=fix,
        engine=terms.engine or "",
        variant=terms.variant,
        archive={
            "path": str(job.submission.archive),
            "sha256": job.submission.sha256,
            "bytes": job.submission.bytes,
        },
        data={},
    )
    return Produced(
        node=os.uname().nodename, result=result, files={RESULT_FILE: result.to_json().encode()}
    )


def _run(job: Job, zipped: Path, data: Path) -> Produced:
    scratch = manifest.cache_root() / "runs"
    scratch.mkdir(parents=True, exist_ok=True)
    _reap(scratch)
    prefix = f"{owner()}:".replace(":", "+")  # which paths given to engines may not hold
    with tempfile.TemporaryDirectory(dir=scratch, prefix=prefix) as name:
        out = Path(name)
        result = pipeline.run(
            pipeline.Request(
                archive=zipped,
                out=out,
                data=data,
                keep_runs=0,
                log_called=Path(LOG_FILE),
                **{
                    item.name: getattr(job.terms, item.name)
                    for item in dataclasses.fields(job.terms)
                },
            ),
            Display(quiet=True),
        )
        files = {name: (out / name).read_bytes() for name in RESULT_FILES if (out / name).is_file()}
    return Produced(node=os.uname().nodename, result=result, files=files)


def _reap(scratch: Path) -> None:
    """Remove the folders of runs whose process on this machine was killed."""
    for left in scratch.iterdir():
        if is_orphan(left.name.rpartition("+")[0].replace("+", ":")):
            remove_tree(left)


def _have_image(engine: EngineName | None, variant: Variant, registry_name: str) -> None:
    """See that a container engine has the image of the lock; pull it, or say that it is missing.

    Raises:
        EngineError: It is missing, and no registry is given or has it.
    """
    if engine is None or engine is EngineName.EMBEDDED:
        return
    client = oci_client.connect(engine)
    try:
        image.current(client, variant)
    except EngineError as error:
        if not registry_name:
            fix = "Or give all machines a registry to pull from: --registry HOST[:PORT][/PATH]"
            raise EngineError(
                f"{os.uname().nodename}: {error.what}", why=error.why, fix=f"{error.fix}. {fix}"
            ) from None
        lock = manifest.cache_root() / f"pull-{engine}-{variant}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):
            _pull(oci_client.connect(engine), variant, registry_name)


def _pull(client: oci_client.Client, variant: Variant, registry_name: str) -> None:
    """Pull the image, unless another task of this machine just did."""
    try:
        image.current(client, variant)
    except EngineError:
        registry.pull(client, variant, registry_name)


def machine_failed(result: Result) -> bool:
    """Tell whether a result says nothing of the submission: it is not kept as its result."""
    return result.verdict in OF_THE_MACHINE
