"""Train, measure and export the benchmark's network; needs the group `cpu` or `gpu`."""
# mypy: implicit-reexport
# ruff: noqa: F401

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.training.dataset import Sample, read_labels
    from posebowl.training.options import EvaluateOptions, ExportOptions, TrainOptions

__getattr__ = face(__name__)
