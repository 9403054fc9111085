"""What a machine does for one job: fetch the image, the data and the zip, and run."""

from __future__ import annotations

import dataclasses
import platform
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from posebowl.batch import core_pinning
from posebowl.batch.node_cache import NodeCache
from posebowl.batch.plan import Job
from posebowl.batch.shards import Dataset
from posebowl.batch.submissions import PACKED_NAME
from posebowl.challenge import EngineName, Variant
from posebowl.engines.oci import client as oci_client, image
from posebowl.errors import EngineError, PoseBowlError, Verdict
from posebowl.images import registry
from posebowl.results import LOG_FILE, RESULT_FILE, RESULT_FILES, Result
from posebowl.run import Display, Request, run
from posebowl.util.files import make_folder
from posebowl.util.process_identity import owned_folder


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """The result and files of a run, by name, and the machine that it ran on."""

    node: str
    result: Result
    files: dict[str, bytes]


def run_job(
    job: Job,
    shard: Dataset,
    *,
    cache: NodeCache,
    registry_name: str = "",
    chunks: Iterable[bytes] | None = None,
) -> JobResult | None:
    """Run a job on this machine, as `invoke run` would; its score is up to the driver.

    Args:
        job: What to run.
        shard: The data that it is run on.
        cache: What this machine keeps for evaluations.
        registry_name: Where to pull the image from if this machine lacks it; empty: nowhere.
        chunks: The bytes of the zip, for a machine that does not have it.

    Returns:
        The result; None if this machine has to be sent the zip.
    """
    try:
        zipped = cache.archive(job.submission, chunks)
        if zipped is None:
            return None
        _ensure_image(job.options.engine, job.options.variant, registry_name, cache.root)
        data = cache.data_folder(shard)
        with core_pinning.of_run(job.options.engine, job.options.limits.cpus, cache.root):
            return _run(job, zipped, data, cache)
    except PoseBowlError as error:
        return failure(job, f"{error.what} {error.why}".strip(), error.fix)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return failure(job, f"The machine failed: {error.strerror or error}{where}.", "")


def failure(job: Job, message: str, fix: str) -> JobResult:
    """Return the result of a run that could not be started, or whose machine was lost."""
    options = job.options
    result = Result(
        run_id=f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}",
        verdict=Verdict.ENGINE_ERROR,
        message=message,
        fix=fix,
        engine=options.engine or "",
        variant=options.variant,
        archive={
            "path": f"{PACKED_NAME}.zip",
            "sha256": job.submission.sha256,
            "bytes": job.submission.bytes,
        },
        data={},
    )
    return JobResult(
        node=platform.node(), result=result, files={RESULT_FILE: result.to_json().encode()}
    )


def _run(job: Job, zipped: Path, data: Path, cache: NodeCache) -> JobResult:
    with owned_folder(cache.root / "runs") as out:
        result = run(
            Request(
                archive=zipped,
                out=out,
                data=data,
                cache=cache.home,
                keep_runs=0,
                log_called=Path(LOG_FILE),
                unscored=True,
                archive_called=f"{PACKED_NAME}.zip",
                **{
                    item.name: getattr(job.options, item.name)
                    for item in dataclasses.fields(job.options)
                },
            ),
            Display(quiet=True),
        )
        files = {name: (out / name).read_bytes() for name in RESULT_FILES if (out / name).is_file()}
    return JobResult(node=platform.node(), result=result, files=files)


def _ensure_image(
    engine: EngineName | None, variant: Variant, registry_name: str, locks: Path
) -> None:
    """Check that a container engine has the image of the lock, or pull it.

    Raises:
        EngineError: It is missing, and cannot be pulled.
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
                f"{platform.node()}: {error.what}", why=error.why, fix=f"{error.fix}. {fix}"
            ) from None
        with FileLock(make_folder(locks) / f"pull-{engine}-{variant}.lock"):
            try:  # another task of this machine may just have pulled it
                image.current(client, variant)
            except EngineError:
                registry.pull(client, variant, registry_name)
