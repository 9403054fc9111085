"""Tasks for many submissions: evaluate them, list what their data holds."""

from __future__ import annotations

from invoke import Context

from posebowl.cli.task import JSON, command
from posebowl.settings import helps, resolve


@command(
    positional=["places"],
    iterable=["places"],
    help={
        "places": "zips, and folders of zips",
        "data": "data folder, or s3://, gs:// or az:// with a manifest.csv (data/)",
        **helps("variant", "engine", "time_limit", "memory", "cpus", "waive"),
        **helps("full", "allow_cpu", "registry"),
        "shards": "pieces that the data is cut into, each a run (1)",
        "address": "of Ray: local, auto or ray://host:port; without, one after the other here",
        "await_nodes": "machines that fit may yet join the cluster: wait for them",
        "out": "folder for the results (submission/evaluation)",
        "resume": "go on with the evaluation in --out: what has a result is not run again",
        "json": JSON,
    },
)
def evaluate(
    _: Context,
    places: list[str],
    data: str = "",
    variant: str = "",
    engine: str = "",
    time_limit: str = "",
    memory: str = "",
    cpus: str = "",
    waive: str = "",
    full: bool = False,
    allow_cpu: bool = False,
    registry: str = "",
    shards: int = 1,
    address: str = "",
    await_nodes: bool = False,
    out: str = "",
    resume: bool = False,
    json: bool = False,
) -> int:
    """Evaluate many submissions, here or on a Ray cluster; rank them."""
    from posebowl.batch import is_uri
    from posebowl.cli import options
    from posebowl.cli.evaluate_main import main

    words = [*places, *options.flags(data=data, variant=variant, engine=engine, memory=memory)]
    words += options.flags(time_limit=time_limit, cpus=cpus, waive=waive, full=full)
    words += options.flags(allow_cpu=allow_cpu, shards=shards, address=address, registry=registry)
    words += options.flags(await_nodes=await_nodes, out=out, resume=resume, json=json)
    if address or is_uri(data):
        options.become("cluster", "posebowl.cli.evaluate_main", *words)
    return main(words)


@command(
    name="manifest",
    help={
        "folder": "data folder (data/, or data/demo)",
        "force": "replace a manifest.csv",
        "json": JSON,
    },
)
def manifest_data(_: Context, folder: str = "", force: bool = False, json: bool = False) -> None:
    """List size and hash of each file, for data that goes to object storage."""
    from posebowl import paths
    from posebowl.cli import options
    from posebowl.data import folder as data_folder, manifest
    from posebowl.scoring import read_format

    found = data_folder.find(resolve.load(data=folder).data)
    ids = read_format(found.submission_format)
    made = manifest.write(found.root, ids.to_list(), force=force)
    options.show(made, f"Wrote {paths.local(made.path)}", as_json=json)
