"""Tasks for the benchmark's network: train, evaluate, export and narrow it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from posebowl import environments
from posebowl.cli.options import Json
from posebowl.cli.task import task
from posebowl.settings import Settings
from posebowl.training import EvaluateOptions, ExportOptions, NarrowOptions, TrainOptions


@task("benchmark.train")
def train(settings: Settings, options: TrainOptions, *, json: Json = False) -> int:
    """Train the benchmark's network on labelled photos."""
    return _with_figures("cpu", "posebowl.training.train", options, settings.cache, as_json=json)


@task("benchmark.evaluate")
def evaluate(settings: Settings, options: EvaluateOptions, *, json: Json = False) -> int:
    """Measure a network on labelled photos: mean IoU in all, by size and by family."""
    # It looks with onnxruntime and OpenCV, as the solution does: that takes no torch.
    module = "posebowl.training.evaluate"
    return _with_figures("lean", module, options, settings.cache, as_json=json)


@task("benchmark.export")
def export(settings: Settings, options: ExportOptions, *, json: Json = False) -> int:
    """Export YOLO weights to ONNX for the benchmark."""
    return _with_file("posebowl.training.export", options, settings.cache, as_json=json)


@task("benchmark.narrow")
def narrow(settings: Settings, options: NarrowOptions, *, json: Json = False) -> int:
    """Make an exported network smaller and faster, to be trained on."""
    return _with_file("posebowl.training.narrow", options, settings.cache, as_json=json)


def _with_file(
    module: str, options: ExportOptions | NarrowOptions, cache: Path, *, as_json: bool
) -> int:
    """Run a module that writes an ONNX file; describe the file as JSON if asked."""
    from posebowl.cli import child, output
    from posebowl.util.files import digest_file

    options.check()
    python = child.python("cpu", cache)
    code = child.run(python, module, options, as_json=as_json)
    if as_json and not code:
        with options.out.open("rb") as file:
            sha256, size = digest_file(file), file.tell()
        output.print_json({"path": options.out, "bytes": size, "sha256": sha256})
    return code


def _with_figures(
    group: environments.Group, module: str, options: Any, cache: Path, *, as_json: bool
) -> int:
    """Run a module that can write its figures to a file; print them as JSON if asked."""
    import json
    import tempfile

    from posebowl.cli import child, output

    options.check()
    python = child.python(group, cache)
    if not as_json:
        return child.run(python, module, options)
    with tempfile.TemporaryDirectory() as folder:
        out = options.figures or Path(folder) / "figures.json"
        code = child.run(python, module, replace(options, figures=out), as_json=True)
        if not code:
            output.print_json(json.loads(out.read_text(encoding="utf-8")))
    return code
