"""Tasks for the benchmark's network: train and export."""

from __future__ import annotations

from invoke import Context

from posebowl.command import JSON, command


@command(
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
    from posebowl import cli

    cli.required("benchmark.train", data=data, val=val, out=out)
    words = [word for folder in data for word in ("--data", folder)]
    words += cli.flags(
        val=val, out=out, model=model, minutes=minutes, seed=seed, device=device, resume=resume
    )
    return cli.in_environment("cpu", "posebowl.benchmark.train", *words)


@command(
    help={
        "weights": "an ultralytics detection checkpoint (.pt), yours or a stock one",
        "out": "the ONNX file (solutions/benchmark/model.onnx)",
        "images": "photos to compare ONNX and PyTorch on (data/demo)",
        "one_look": "no closer look at what was found",
        "force": "replace an existing file",
        "json": JSON,
    },
)
def export(
    _: Context,
    weights: str = "",
    out: str = "",
    images: str = "",
    one_look: bool = False,
    force: bool = False,
    json: bool = False,
) -> int:
    """Export YOLO weights to ONNX for the benchmark."""
    from posebowl import cli, paths
    from posebowl.archive import digest

    cli.required("benchmark.export", weights=weights)
    words = cli.flags(weights=weights, out=out, images=images, one_look=one_look, force=force)
    code = cli.in_environment("cpu", "posebowl.benchmark.export", *words, as_json=json)
    if json and not code:
        made = cli.existing(out, paths.SOLUTIONS / "benchmark" / "model.onnx")
        cli.print_json({"path": made, "bytes": made.stat().st_size, "sha256": digest(made)})
    return code
