"""From the bytes of a CSV to a number: predictions, labels, mean IoU."""

from typing import TYPE_CHECKING

from posebowl.util.lazy import face

if TYPE_CHECKING:
    from posebowl.scoring.box_csv import parse as parse
    from posebowl.scoring.labels import read_columns as read_columns, read_labels as read_labels
    from posebowl.scoring.metric import (
        TRUE_COLUMNS as TRUE_COLUMNS,
        Score as Score,
        iou as iou,
        score as score,
        score_files as score_files,
    )
    from posebowl.scoring.predictions import (
        MAX_BYTES as MAX_BYTES,
        MISPLACED as MISPLACED,
        Predictions as Predictions,
        read_bounded as read_bounded,
        read_format as read_format,
        read_predictions as read_predictions,
    )

__getattr__ = face(__name__)
