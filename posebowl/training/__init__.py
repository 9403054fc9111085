"""Train, measure and export the benchmark's network; needs the group `cpu` or `gpu`."""

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.training.dataset import Sample as Sample, read_labels as read_labels
    from posebowl.training.options import (
        EvaluateOptions as EvaluateOptions,
        ExportOptions as ExportOptions,
        TrainOptions as TrainOptions,
    )

__getattr__ = face(__name__)
