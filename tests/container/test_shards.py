"""Shards on a real engine: a solution that uses the number of images is run on all at once."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from posebowl.batch import EvaluationRequest, RunOptions, evaluate
from posebowl.challenge import LIMITS, EngineName, Variant
from posebowl.engines.embedded.engine import EmbeddedEngine
from posebowl.settings import resolve
from tests.unit.batch.test_plan import zipped

pytestmark = [
    pytest.mark.container,
    pytest.mark.skipif(
        EmbeddedEngine().unavailable() is not None, reason="embedded: cannot be used here"
    ),
]

BOX = """
import csv
rows = [*csv.reader(open("/code_execution/data/submission_format.csv"))]
width = {width}
with open("/code_execution/submission/submission.csv", "w") as table:
    print(*rows[0], sep=",", file=table)
    for row in rows[1:]:
        print(row[0], 0, 0, width, 100, sep=",", file=table)
"""


def test_a_solution_that_uses_the_number_of_images_is_caught(
    tmp_path: Path, data_folder: Path
) -> None:
    for name, width in {"honest": "600", "counting": "100 * len(rows)"}.items():
        zipped(tmp_path / f"zips/{name}.zip", f"python - <<'END'\n{BOX.format(width=width)}END\n")
    limits = dataclasses.replace(LIMITS[Variant.CPU], wall_time_s=60.0, memory_bytes=512 << 20)
    options = RunOptions(variant=Variant.CPU, engine=EngineName.EMBEDDED, limits=limits)
    request = EvaluationRequest(
        places=(tmp_path / "zips",), out=tmp_path / "three", cache=resolve.load().cache,
        options=options, data=str(data_folder), shards=3,
    )  # fmt: skip

    in_shards = {row.submission: row for row in evaluate(request).rows}
    at_once = evaluate(dataclasses.replace(request, shards=1, out=tmp_path / "one"))

    assert {row.submission: row.mean_iou for row in at_once.rows} == {
        name: row.mean_iou for name, row in in_shards.items()
    }
    assert {name: row.shards for name, row in in_shards.items()} == {"honest": 3, "counting": 1}
    (text,) = (text for text in in_shards["counting"].warnings if "hards" in text)
    assert text.startswith("Shards change 4 of 4 boxes of a sample")
    assert not any("hards" in text for text in in_shards["honest"].warnings)
