"""Export the weights of any ultralytics detector to the ONNX file that the benchmark runs.

python -m posebowl.training.export --weights best.pt --images data/demo

With --refiner, another network for the second look is written beside it. With --average, the
weights are halfway to those of another exported file; with --int8, the convolutions compute in
8 bits. With any of these, --weights may also be an exported fp32 file.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import torch
import ultralytics
from ultralytics.nn.modules.block import C2f

import posebowl
from posebowl.errors import PoseBowlError, UsageError
from posebowl.training import graph, quantize
from posebowl.training.average import average
from posebowl.training.dataset import letterboxed, read_labels
from posebowl.training.detector import BestBox, load, quiet, read
from posebowl.training.exported import (
    exported_sizes,
    metadata,
    read_exported,
    read_files,
    with_notes,
)
from posebowl.training.metrics import make_looks
from posebowl.training.options import OWN_MODEL, REFINER, ExportOptions, Size
from posebowl.training.recipe import Recipe
from posebowl.util import program
from posebowl.util.console import note, warn
from posebowl.util.files import atomic_write
from posebowl.util.units import human_bytes

OPSET: Final = 17
TOLERANCE_PIXELS: Final = 0.05
TOLERANCE_SCORE: Final = 1e-3
CHECKED: Final = 8
"""Photos on which the two are compared, at the size of each look."""
PLACES: Final = 3
"""Boxes of a search network for each photo, if another network can choose among places."""


class MismatchError(PoseBowlError):
    """The exported network does not agree with the original."""


def export(
    weights: Path,
    images: list[Path],
    *,
    first: Size,
    second: Size | None,
    notes: Mapping[str, str] | None = None,
    places: int = 1,
) -> bytes:
    """Return a checkpoint as an ONNX file, compared with the original.

    The graph takes decoded photos (uint8, n x height x width x 3, red, green, blue; any n, any
    height and width divisible by 32) and returns the best box of each, of any class: n x 5, corners
    in input pixels and the score; of several places, n x places x 5.

    Args:
        weights: An ultralytics detection checkpoint.
        images: Photos on which ONNX and PyTorch are compared.
        first: Height and width of the first look, at a whole photo.
        second: The same of the second look; None for a single look.
        notes: More of them for its metadata.
        places: How many boxes are returned for each photo.

    Raises:
        UsageError: The weights cannot be used.
        MismatchError: ONNX and PyTorch differ by more than the tolerance.
    """
    every = {**provenance(weights), **(notes or {})}
    return to_onnx(load(weights), images, first=first, second=second, notes=every, places=places)


def to_onnx(
    model: Any,
    images: list[Path],
    *,
    first: Size,
    second: Size | None,
    notes: Mapping[str, str],
    places: int = 1,
) -> bytes:
    """Return a network in memory as an ONNX file; see `export`.

    Args:
        model: The network, not fused.
        images: Photos on which ONNX and PyTorch are compared.
        first: Height and width of the first look.
        second: The same of the second look; None for a single look.
        notes: For its metadata, beside the names of its classes and the sizes of the looks.
        places: How many boxes are returned for each photo.

    Raises:
        MismatchError: ONNX and PyTorch differ by more than the tolerance.
    """
    names = dict(model.names)
    best_box = BestBox(model, places)
    model.fuse(verbose=False)  # after a head was chosen: the other is removed
    onnx_model = onnx.load_from_string(trace(best_box, first))
    looks = {"first_look": json.dumps(first), "second_look": json.dumps(second)}
    onnx.helper.set_model_props(onnx_model, {"class_names": json.dumps(names), **looks, **notes})
    content: bytes = onnx_model.SerializeToString()
    for size in (first, second) if second else (first,):
        compare(best_box, content, letterboxed(images[:CHECKED], size))
    return content


def provenance(weights: Path) -> dict[str, str]:
    """Return what a file's metadata say of the weights that it was made from."""
    return {
        "channels": "rgb",
        "source": weights.name,
        "source_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "ultralytics": ultralytics.__version__,
        "posebowl": posebowl.__version__,
        "license": "AGPL-3.0, as weights made with ultralytics are",
    }


def trace(best_box: BestBox, size: Size) -> bytes:
    """Trace the network into an ONNX graph of free batch, height and width."""
    quiet()
    for part in best_box.modules():
        if isinstance(part, C2f):  # whose chunks would be slices at computed places
            part.forward = part.forward_split
    example = torch.zeros((2, *size, 3), dtype=torch.uint8)
    buffer = io.BytesIO()
    torch.onnx.export(
        best_box,
        (example,),
        buffer,
        dynamo=False,
        opset_version=OPSET,
        input_names=["photos"],
        output_names=["boxes"],
        dynamic_axes={"photos": {0: "n", 1: "height", 2: "width"}, "boxes": {0: "n"}},
    )
    return graph.rewrite(buffer.getvalue())


def compare(best_box: BestBox, content: bytes, shown: npt.NDArray[np.uint8]) -> None:
    """Check that both networks find the same boxes on the same inputs.

    The exported network must return a box that PyTorch returns too, with the same score, and
    PyTorch must have none with a higher score. (Either of two equally good boxes will do.)

    Raises:
        MismatchError: A corner or a score differs by more than the tolerance.
    """
    with torch.inference_mode():
        ours = best_box.candidates(torch.from_numpy(shown)).numpy()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    theirs = session.run(["boxes"], {"photos": shown})[0].reshape(len(shown), -1, 5)
    pixels, score = _difference(ours, theirs[:, 0])
    size = f"{shown.shape[1]}x{shown.shape[2]}"
    if not (pixels <= TOLERANCE_PIXELS and score <= TOLERANCE_SCORE):  # NaN is not agreement
        raise MismatchError(
            f"At {size}, ONNX and PyTorch differ by {pixels:g} pixels and {score:g} in score.",
            why=f"At most {TOLERANCE_PIXELS} and {TOLERANCE_SCORE} are tolerated.",
            fix="Nothing was written. Check the weights with `yolo val`, or try another torch.",
        )
    note(f"{size}: ONNX agrees with PyTorch within {pixels:.2g} pixels on {len(shown)} photos.")


def _difference(
    ours: npt.NDArray[np.float32], theirs: npt.NDArray[np.float32]
) -> tuple[float, float]:
    """Return the largest differences, in pixels and score, from the nearest of our boxes.

    Args:
        ours: All boxes with their scores, shape (n, boxes, 5).
        theirs: The best box with its score, shape (n, 5).
    """
    best = ours[..., 4].max(1, keepdims=True)
    off = np.abs(ours - theirs[:, None])
    off[..., 4] = np.maximum(off[..., 4], best - ours[..., 4])
    share = np.maximum(off[..., :4].max(-1) / TOLERANCE_PIXELS, off[..., 4] / TOLERANCE_SCORE)
    nearest = np.take_along_axis(off, share.argmin(1)[:, None, None], 1)[:, 0]
    return float(nearest[:, :4].max()), float(nearest[:, 4].max())


def find_images(folder: Path) -> list[Path]:
    """List the photos of a folder.

    Raises:
        UsageError: There are none.
    """
    inner = folder / "images" if (folder / "images").is_dir() else folder
    found = sorted(path for path in inner.glob("*.[pj]*g") if not path.name.startswith("."))
    if not found:
        raise UsageError(
            f"{folder} has no photos to compare networks on.",
            why=f"Found no PNG or JPEG in {inner}.",
            fix="Use a data folder, such as --images data/demo.",
        )
    return found


def to_int8(content: bytes, options: ExportOptions) -> bytes:
    """Quantize an exported network, and report the loss of accuracy.

    Raises:
        AccuracyError: It lost too much accuracy to replace the solution's own file.
    """
    looks = make_looks(**exported_sizes(content))
    images = find_images(options.calibrate)[: quantize.CALIBRATED]
    note(f"Calibrating on {len(images)} photos of {options.calibrate}.")
    shown = quantize.calibration_inputs(content, images, looks)
    smaller = quantize.quantize(content, shown)
    samples = read_labels(options.judge)
    note(f"Comparing on {len(samples)} photos of {options.judge}.")
    loss = quantize.measure_loss(content, smaller, samples, looks)
    note(f"Mean IoU: fp32 {loss.fp32.both_looks:.4f}, int8 {loss.int8.both_looks:.4f}.")
    own = OWN_MODEL.with_name(REFINER) if options.out.name == REFINER else OWN_MODEL
    quantize.require_accuracy(loss, options.out, own)
    if loss.lost > quantize.MOST_LOST:
        warn(f"int8 loses {loss.lost:.3f} of mean IoU, more than {quantize.MOST_LOST}.")
    return smaller


def export_files(options: ExportOptions) -> dict[str, bytes]:
    """Return the files to write, by name: the network, and perhaps its refiner."""
    name, refined = options.out.name, {"refiner": REFINER} if options.refiner else {}
    if options.weights.suffix == ".onnx":
        files = read_files(options.weights, options.out, force=options.force)
        sizes = exported_sizes(files[name])
        files[name] = with_notes(files[name], refined)
    else:
        sizes, places = checkpoint_sizes(options), PLACES if refined else 1
        images = find_images(options.images)
        files = {name: export(options.weights, images, **sizes, notes=refined, places=places)}
    if options.refiner:
        files[REFINER] = refiner_of(options.refiner, find_images(options.images), sizes)
    return files


def refiner_of(weights: Path, images: list[Path], sizes: Mapping[str, Any]) -> bytes:
    """Return a refiner as an ONNX file, which it may be already.

    Raises:
        UsageError: It is not an fp32 file of this tool, or it has a refiner beside it.
    """
    if weights.suffix != ".onnx":
        return export(weights, images, **sizes)
    content = read_exported(weights)
    if name := metadata(content).get("refiner"):
        raise UsageError(
            f"{weights} is not a refiner.",
            why=f"It has {name} beside it for that.",
            fix=f"Use --refiner {weights.with_name(name)}.",
        )
    return content


def validated_sizes(weights: Path) -> tuple[Size, Size]:
    """Read the look sizes that training validated with; the defaults for other checkpoints."""
    recipe, plain = read(weights).get("recipe") or {}, Recipe()
    return tuple(recipe.get("first", plain.first)), tuple(recipe.get("second", plain.second))


def checkpoint_sizes(options: ExportOptions) -> dict[str, Any]:
    """Return the sizes of the looks: those asked for, else those that training validated with."""
    first, second = validated_sizes(options.weights)
    return {
        "first": options.first or first,
        "second": None if options.one_look else options.second or second,
    }


def main(options: ExportOptions) -> None:
    """Export as the options ask."""
    options.check()
    files = export_files(options)
    name = options.out.name
    if options.average:
        files[name] = average(files[name], read_exported(options.average))
    if options.int8:
        files[name] = to_int8(files[name], options)
    for name, content in files.items():
        with atomic_write(options.out.with_name(name)) as file:
            file.write(content)
        note(f"Wrote {options.out.with_name(name)} ({human_bytes(len(content))}).")
    left = options.out.with_name(REFINER)
    if name != REFINER and "refiner" not in metadata(files[name]) and left.is_file():
        note(f"{left} is no longer used: {name} names no refiner. You may remove it.")


if __name__ == "__main__":
    program.run(main, ExportOptions, task="benchmark.export")
