"""From the bytes of a CSV to a number: predictions, labels, mean IoU."""
# mypy: implicit-reexport
# ruff: noqa: F401

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.scoring.box_csv import parse
    from posebowl.scoring.labels import read_columns, read_labels
    from posebowl.scoring.metric import TRUE_COLUMNS, Score, iou, score, score_files
    from posebowl.scoring.predictions import (
        MAX_BYTES,
        MISPLACED,
        Predictions,
        read_bounded,
        read_format,
        read_predictions,
    )

__getattr__ = face(__name__)
