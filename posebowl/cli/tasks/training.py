"""Tasks for the benchmark's network: train, evaluate and export."""

from __future__ import annotations

from pathlib import Path

from invoke import Context

from posebowl.cli.task import JSON, command


@command(
    iterable=["data", "cutouts", "backgrounds"],
    help={
        "data": "labelled photos to train on; may be repeated",
        "val": "labelled photos that are only measured on",
        "cutouts": "spacecraft alone, to be pasted; may be repeated",
        "backgrounds": "photos without spacecraft, to paste them over; may be repeated",
        "start": "weights to begin with: a .pt checkpoint, or an exported .onnx (random ones)",
        "out": "folder for checkpoints, curves and the cache",
        "model": "an ultralytics YAML (yolo26n.yaml)",
        "minutes": "how long to train (60)",
        "rate": "highest learning rate (0.002)",
        "pasted": "share of the views that are pasted together, with --cutouts (0.45)",
        "seed": "of weights and augmentation",
        "device": "auto, cpu or cuda",
        "threads": "processors to use (all)",
        "resume": "go on from the last checkpoint in --out",
        "json": JSON,
    },
)
def train(
    _: Context,
    data: list[str],
    cutouts: list[str] | None = None,
    backgrounds: list[str] | None = None,
    val: str = "",
    out: str = "",
    start: str = "",
    model: str = "",
    minutes: str = "",
    rate: str = "",
    pasted: str = "",
    seed: int = 0,
    device: str = "",
    threads: int = 0,
    resume: bool = False,
    json: bool = False,
) -> int:
    """Train the benchmark's network on labelled photos."""
    from posebowl.cli import options

    options.required("benchmark.train", data=data, val=val, out=out)
    words = options.flags(
        val=val,
        out=out,
        start=start,
        model=model,
        minutes=minutes,
        rate=rate,
        pasted=pasted,
        seed=seed,
        device=device,
        threads=threads,
        resume=resume,
    )
    for flag, folders in (("data", data), ("cutouts", cutouts), ("backgrounds", backgrounds)):
        words += [word for folder in folders or [] for word in (f"--{flag}", folder)]
    return _figures("posebowl.training.train", words, "--json", as_json=json)


@command(
    iterable=["data"],
    help={
        "data": "labelled photos; may be repeated",
        "weights": "an ONNX file of benchmark.export (solutions/benchmark/model.onnx)",
        "json": JSON,
    },
)
def evaluate(_: Context, data: list[str], weights: str = "", json: bool = False) -> int:
    """Measure a network on labelled photos: mean IoU in all, by size and by family."""
    from posebowl.cli import options

    options.required("benchmark.evaluate", data=data)
    words = [word for folder in data for word in ("--data", folder)]
    words += options.flags(weights=weights)
    return _figures("posebowl.training.evaluate", words, "--out", as_json=json)


@command(
    help={
        "weights": "an ultralytics detection checkpoint (.pt), yours or a stock one",
        "out": "the ONNX file (solutions/benchmark/model.onnx)",
        "images": "photos to compare ONNX and PyTorch on (data/demo)",
        "one_look": "no closer look at what was found",
        "int8": "compute in 8 bits; --weights may be an exported fp32 file then",
        "calibrate": "photos that show int8 its ranges (data/demo)",
        "judge": "labelled photos on which int8 is compared with fp32 (data/demo)",
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
    int8: bool = False,
    calibrate: str = "",
    judge: str = "",
    force: bool = False,
    json: bool = False,
) -> int:
    """Export YOLO weights to ONNX for the benchmark."""
    from posebowl import paths
    from posebowl.cli import options
    from posebowl.submission import digest

    options.required("benchmark.export", weights=weights)
    words = options.flags(
        weights=weights,
        out=out,
        images=images,
        one_look=one_look,
        int8=int8,
        calibrate=calibrate,
        judge=judge,
        force=force,
    )
    code = options.in_environment("cpu", "posebowl.training.export", *words, as_json=json)
    if json and not code:
        made = options.existing(out, paths.SOLUTIONS / "benchmark" / "model.onnx")
        options.print_json({"path": made, "bytes": made.stat().st_size, "sha256": digest(made)})
    return code


def _figures(module: str, words: list[str], flag: str, *, as_json: bool) -> int:
    """Run a module that writes its figures to the file behind a flag; print them as JSON."""
    import json
    import tempfile

    from posebowl.cli import options

    if not as_json:
        return options.in_environment("cpu", module, *words)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "figures.json"
        code = options.in_environment("cpu", module, *words, flag, str(out), as_json=True)
        if not code:
            options.print_json(json.loads(out.read_text()))
    return code
