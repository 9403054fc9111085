"""Quantize an exported fp32 network to int8, and measure the loss of accuracy.

Activations are unsigned and weights signed 8-bit numbers (a scale for each output channel), in the
form that all runtimes read: QuantizeLinear and DequantizeLinear around each convolution. Attention,
box decoding and the choice of the best box stay in fp32.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from posebowl.errors import PoseBowlError
from posebowl.training import solution_modules
from posebowl.training.dataset import Sample, read_photo
from posebowl.training.metrics import Accuracy, Network, measure

MOST_LOST: Final = 0.01
"""Mean IoU that int8 may lose and still replace the solution's own file."""
CALIBRATED: Final = 100
"""Maximum number of calibration photos: more use memory and change little."""

Inputs = npt.NDArray[np.uint8]


class AccuracyError(PoseBowlError):
    """The int8 network is not accurate enough for the solution."""


@dataclass(frozen=True, kw_only=True)
class AccuracyLoss:
    """The accuracy of both networks on the same labelled photos."""

    fp32: Accuracy
    int8: Accuracy

    @property
    def lost(self) -> float:
        """Return the mean IoU lost; negative where int8 happens to be better."""
        return self.fp32.both_looks - self.int8.both_looks


def quantize(content: bytes, inputs: Iterable[Inputs]) -> bytes:
    """Quantize every convolution, with ranges measured on inputs.

    Args:
        content: An fp32 file that `export` made.
        inputs: The network's inputs; see `calibration_inputs`.
    """
    with tempfile.TemporaryDirectory() as folder, quiet():
        before, after = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        before.write_bytes(content)
        quantize_static(
            before,
            after,
            _Reader(inputs),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        model = onnx.load(after)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, {**metadata, "precision": "int8"})
    quantized: bytes = model.SerializeToString()
    return quantized


def network(content: bytes) -> Network:
    """Open a file's network on one thread of the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(inputs: Inputs) -> npt.NDArray[np.float32]:
        return np.asarray(session.run(["boxes"], {"photos": inputs})[0], np.float32)

    return run


def calibration_inputs(content: bytes, images: Sequence[Path], looks: Any) -> list[Inputs]:
    """Return the inputs that the network gets while the solution processes photos."""
    find: Any = solution_modules.module("looks").find
    shown: list[Inputs] = []
    inner = network(content)

    def watched(inputs: Inputs) -> npt.NDArray[np.float32]:
        shown.append(inputs)
        return inner(inputs)

    for path in images:
        find([read_photo(path)], watched, looks)
    return shown


def measure_loss(fp32: bytes, int8: bytes, samples: Sequence[Sample], looks: Any) -> AccuracyLoss:
    """Measure both networks on the same labelled photos."""
    before, after = (measure(network(content), samples, looks) for content in (fp32, int8))
    return AccuracyLoss(fp32=before, int8=after)


def require_accuracy(loss: AccuracyLoss, out: Path, own: Path) -> None:
    """Check that an int8 network did not lose too much accuracy to replace the solution's own.

    Args:
        loss: Its accuracy before and after.
        out: Where it would be written.
        own: The solution's own file.

    Raises:
        AccuracyError: It lost more than 0.01 and would replace the solution's own file.
    """
    if loss.lost > MOST_LOST and out.resolve() == own.resolve():
        raise AccuracyError(
            f"int8 loses {loss.lost:.3f} of mean IoU: too much for the solution's own file.",
            why=f"The limit is {MOST_LOST}; {own} was not changed.",
            fix="Write it elsewhere with --out, calibrate on more photos with --calibrate, or "
            "export without --int8.",
        )


class _Reader(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types here
    def __init__(self, inputs: Iterable[Inputs]) -> None:
        self.inputs = iter(inputs)

    def get_next(self) -> dict[str, Inputs] | None:
        """Return the next input; None after the last."""
        shown = next(self.inputs, None)
        return None if shown is None else {"photos": shown}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hide the advice to preprocess, which fails for inputs of variable size."""
    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
