"""Invoke tasks: pack, check, run and score a submission, and look after data and weights."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path

from invoke import Collection, Context

from posebowl import archive, cli, console, doctor, paths, shown, summary
from posebowl import clean as cleaning
from posebowl import data as data_folder
from posebowl import pack as packing
from posebowl import run as running
from posebowl import score as scoring
from posebowl import unpack as unpacking
from posebowl.challenge import FORMAT_FILE, Variant
from posebowl.display import Display
from posebowl.errors import UsageError
from posebowl.files import human_bytes
from posebowl.folder import held
from posebowl.images import base as image_base
from posebowl.images import build as image_build
from posebowl.images import inside as image_inside
from posebowl.images import registry as image_registry

ZIP = paths.SUBMISSION / "submission.zip"
JSON = "print the result as JSON on stdout"


@cli.command(
    help={
        "solution": "name of a folder in solutions/",
        "source": "any other folder, instead of --solution",
        "out": "the zip to write (submission/submission.zip)",
        "force": "replace a zip that is there",
    }
)
def pack(
    _: Context, solution: str = "", source: str = "", out: str = "", force: bool = False
) -> None:
    """Pack a solution into submission.zip."""
    folder = cli.solution_folder(solution, source)
    shown.packed(packing.pack(folder, cli.existing(out, ZIP), force=force))


@cli.command(help={"zip": "the zip to inspect (submission/submission.zip)"})
def check(_: Context, zip: str = "") -> None:  # noqa: A002
    """Inspect a submission.zip without running it."""
    shown.checked(archive.inspect(cli.existing(zip, ZIP)))


@cli.command(
    help={
        "zip": "the zip to run (submission/submission.zip)",
        "data": "data folder (data/, or data/demo while that is empty)",
        "variant": "cpu or gpu",
        "engine": "auto, docker, podman or embedded",
        "time_limit": "wall time, such as 90s, 10m or 1h (105m)",
        "memory": "such as 512m or 4g (4g)",
        "cpus": "processor cores (3)",
        "out": "folder for the results (submission/)",
        "full": "embedded engine: the whole cpu group, whatever the submission imports",
        "allow_cpu": "variant gpu: run without a GPU where there is none",
        "waive": "limits that need not hold, such as memory,cpus",
        "json": JSON,
    }
)
def run(
    _: Context,
    zip: str = "",  # noqa: A002
    data: str = "",
    variant: str = "cpu",
    engine: str = "auto",
    time_limit: str = "",
    memory: str = "",
    cpus: int = 0,
    out: str = "",
    full: bool = False,
    allow_cpu: bool = False,
    waive: str = "",
    json: bool = False,
) -> int:
    """Run a submission as the platform would; score it."""
    kind = cli.one_of(Variant, variant, "variant")
    request = running.Request(
        archive=cli.existing(zip, ZIP),
        out=cli.existing(out, paths.SUBMISSION),
        data=Path(data).expanduser() if data else None,
        variant=kind,
        engine=cli.engine(engine),
        limits=cli.limits(kind, time_limit=time_limit, memory=memory, cpus=cpus),
        waived=cli.waived(waive),
        full=full,
        allow_cpu=allow_cpu,
    )
    result = running.run(request, Display())
    if json:
        print(result.to_json(), end="")
    else:
        summary.show(result, cli.local(request.out), console.out)
    return result.verdict.exit_code


@cli.command(positional=["predictions", "labels"], help={"json": JSON})
def score(_: Context, predictions: str, labels: str, json: bool = False) -> None:
    """Score a CSV of predictions against one of labels."""
    result = scoring.score_files(Path(predictions), Path(labels))
    if json:
        fields = ("mean_iou", "median_iou", "count", "unscored")
        cli.print_json({name: getattr(result, name) for name in fields})
    else:
        shown.scored(result)


@cli.command(help={"folder": "the folder of the results (submission/)"})
def clean(_: Context, folder: str = "") -> None:
    """Remove what runs left; never a zip that you made."""
    place = cli.existing(folder, paths.SUBMISSION)
    if not place.is_dir():
        raise UsageError(f"{place} is no folder.", fix="Type: invoke clean")
    with held(place):
        shown.cleaned(cleaning.clean(place))


@cli.command(name="doctor", help={"json": JSON})
def diagnose(_: Context, json: bool = False) -> int:
    """Say what this machine has and what to type next."""
    found = doctor.examine()
    if json:
        cli.print_json(asdict(found))
    else:
        shown.diagnosis(found)
    return 0 if found.healthy else 1


@cli.command(
    iterable=["family"],
    help={
        "count": "how many images (24)",
        "seed": "which set: the same seed gives the same pixels (0)",
        "out": "folder: new, empty, or one to continue",
        "workers": "processes (one a core)",
        "family": "only this family of spacecraft; may be repeated",
        "jpeg": "write JPEG instead of PNG: smaller, for training sets",
        "compact": "little noise and soft photos, so that PNGs are small",
        "sheet": "also write a contact sheet with the boxes drawn, to this file",
    },
)
def render(
    _: Context,
    count: int = 24,
    seed: int = 0,
    out: str = "",
    workers: int = 0,
    family: list[str] | None = None,
    jpeg: bool = False,
    compact: bool = False,
    sheet: str = "",
) -> int:
    """Render labelled photos of spacecraft."""
    cli.required("data.render", out=out)
    words = cli.flags(out=out, workers=workers, jpeg=jpeg, compact=compact, sheet=sheet)
    words += [word for name in family or [] for word in ("--family", name)]
    words += ["--count", str(count), "--seed", str(seed)]
    return cli.in_environment("render", "posebowl.render", *words)


@cli.command(
    name="check",
    help={
        "folder": "data folder (data/, or data/demo)",
        "deep": "decode every image",
        "json": JSON,
    },
)
def check_data(_: Context, folder: str = "", deep: bool = False, json: bool = False) -> None:
    """Say which data is in use and whether it is whole."""
    report = data_folder.check(data_folder.find(Path(folder) if folder else None), deep=deep)
    if json:
        cli.print_json(asdict(report))
    else:
        shown.data(report)


@cli.command(
    name="unpack",
    positional=["archives"],
    iterable=["archives"],
    help={
        "archives": "the competition's tar files",
        "out": "data folder (data/)",
        "force": "write every file anew, over those that are there",
    },
)
def unpack_data(_: Context, archives: list[str], out: str = "", force: bool = False) -> None:
    """Unpack the competition's archives into data/images."""
    target = cli.existing(out, paths.DATA)
    shown.unpacked(unpacking.unpack([Path(name) for name in archives], target, force=force))


@cli.command(
    name="format",
    help={"folder": "data folder (data/)", "force": "replace a submission_format.csv"},
)
def format_data(_: Context, folder: str = "", force: bool = False) -> None:
    """Make submission_format.csv from the labels."""
    root = cli.existing(folder, paths.DATA)
    made = data_folder.make_format(root, root / FORMAT_FILE, force=force)
    console.out.print(f"Wrote {cli.local(made)}", markup=False)


@cli.command(
    iterable=["data"],
    help={
        "data": "labelled photos to train on; may be repeated",
        "val": "labelled photos that are only measured on",
        "out": "folder for checkpoints, curves and the cache",
        "model": "an ultralytics YAML (yolo26n.yaml)",
        "minutes": "how long to train (60)",
        "seed": "of weights and augmentation",
        "device": "auto, cpu or cuda",
        "resume": "go on from the last checkpoint in --out",
    },
)
def train(
    _: Context,
    data: list[str],
    val: str = "",
    out: str = "",
    model: str = "",
    minutes: str = "",
    seed: int = 0,
    device: str = "",
    resume: bool = False,
) -> int:
    """Train the benchmark's network on labelled photos."""
    cli.required("benchmark.train", data=data, val=val, out=out)
    words = [word for folder in data for word in ("--data", folder)]
    words += cli.flags(
        val=val, out=out, model=model, minutes=minutes, seed=seed, device=device, resume=resume
    )
    return cli.in_environment("cpu", "posebowl.benchmark.train", *words)


@cli.command(
    help={
        "weights": "an ultralytics detection checkpoint (.pt), yours or a stock one",
        "out": "the ONNX file (solutions/benchmark/model.onnx)",
        "images": "photos to compare ONNX and PyTorch on (data/demo)",
        "one_look": "no closer look at what was found",
        "force": "replace an existing file",
    },
)
def export(
    _: Context,
    weights: str = "",
    out: str = "",
    images: str = "",
    one_look: bool = False,
    force: bool = False,
) -> int:
    """Export YOLO weights to ONNX for the benchmark."""
    cli.required("benchmark.export", weights=weights)
    words = cli.flags(weights=weights, out=out, images=images, one_look=one_look, force=force)
    return cli.in_environment("cpu", "posebowl.benchmark.export", *words)


VARIANT = "cpu or gpu"
ENGINE = "auto, docker or podman"
TRANSFER = {
    "variant": VARIANT,
    "registry": "host[:port][/path], or POSEBOWL_REGISTRY",
    "engine": ENGINE,
    "json": JSON,
}


@cli.command(
    help={
        "variant": VARIANT,
        "engine": ENGINE,
        "no_cache": "repeat every step",
        "base_image": "what to start from (debian:bookworm-slim, or what `invoke base` made)",
        "ca_bundle": "certificates that the build trusts (SSL_CERT_FILE)",
        "json": JSON,
    },
)
def build(
    _: Context,
    variant: str = "cpu",
    engine: str = "auto",
    no_cache: bool = False,
    base_image: str = "",
    ca_bundle: str = "",
    json: bool = False,
) -> None:
    """Build the image of a variant from uv.lock."""
    built = image_build.build(
        cli.one_of(Variant, variant, "variant"),
        cli.engine(engine),
        no_cache=no_cache,
        base_image=base_image,
        ca_bundle=Path(ca_bundle).expanduser() if ca_bundle else None,
    )
    cli.show(built, image_build.describe(built), as_json=json)


@cli.command(help={"engine": ENGINE, "mirror": "Debian mirror (that of this host)", "json": JSON})
def base(_: Context, engine: str = "auto", mirror: str = "", json: bool = False) -> None:
    """Make the base image here, where no registry is."""
    made = image_base.make(image_build.choose(cli.engine(engine)), mirror=mirror)
    size = human_bytes(made.bytes)
    cli.show(made, f"{made.name}: {size} in {made.seconds:.0f} s", as_json=json)


@cli.command(help=TRANSFER)
def push(
    _: Context, variant: str = "cpu", registry: str = "", engine: str = "auto", json: bool = False
) -> None:
    """Push an image to a registry, under the hash of its lock."""
    kind, place = cli.one_of(Variant, variant, "variant"), image_registry.registry_of(registry)
    moved = image_registry.push(image_build.choose(cli.engine(engine)), kind, place)
    cli.show(moved, f"{moved.local} -> {moved.remote}", as_json=json)


@cli.command(help=TRANSFER)
def pull(
    _: Context, variant: str = "cpu", registry: str = "", engine: str = "auto", json: bool = False
) -> None:
    """Pull the image that was made from this uv.lock."""
    kind, place = cli.one_of(Variant, variant, "variant"), image_registry.registry_of(registry)
    moved = image_registry.pull(image_build.choose(cli.engine(engine)), kind, place)
    cli.show(moved, f"{moved.remote} -> {moved.local}", as_json=json)


@cli.command(
    help={
        "variant": VARIANT,
        "engine": ENGINE,
        "data": "data folder (data/, or data/demo while that is empty)",
        "zip": "a submission to unpack first",
        "command": "what to run instead of an interactive shell",
    }
)
def shell(
    _: Context,
    variant: str = "cpu",
    engine: str = "auto",
    data: str = "",
    zip: str = "",  # noqa: A002
    command: str = "",
) -> int:
    """Open a shell where main.sh would run."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = data_folder.find(Path(data) if data else None, scratch=Path(scratch))
        return image_inside.shell(
            image_build.choose(cli.engine(engine)),
            cli.one_of(Variant, variant, "variant"),
            images=folder.images,
            submission_format=folder.submission_format,
            archive=Path(zip) if zip else None,
            command=command,
        )


@cli.command(help={"variant": VARIANT, "engine": ENGINE, "select": "only tests with this in it"})
def packages(_: Context, variant: str = "cpu", engine: str = "auto", select: str = "") -> int:
    """Do something small with every package, inside the image."""
    words = ("-k", select) if select else ()
    kind = cli.one_of(Variant, variant, "variant")
    return image_inside.check_packages(image_build.choose(cli.engine(engine)), kind, words)


ns = Collection(
    pack,
    check,
    run,
    score,
    clean,
    diagnose,
    build,
    base,
    push,
    pull,
    shell,
    packages,
    Collection("data", render, check_data, unpack_data, format_data),
    Collection("benchmark", train, export),
)
