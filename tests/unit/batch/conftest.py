"""Data, and an evaluation whose runs are stored."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from posebowl.batch.evaluation import EvaluationRequest
from posebowl.batch.result_store import ResultStore
from tests.conftest import IDS
from tests.unit.batch.test_evaluation import half_right, planned, table_of
from tests.unit.batch.test_plan import OPTIONS, zipped


@pytest.fixture
def data(data_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(data_folder, tmp_path / "data"))


@pytest.fixture
def of_two(data: Path, tmp_path: Path) -> EvaluationRequest:
    """Return a request whose runs are stored: `a` is right in three images, `b` in the others."""
    for name in "ab":
        zipped(tmp_path / f"zips/{name}.zip", name)
    split = tmp_path / "split.csv"
    parts = ["public" if at < 2 else "private" for at in range(len(IDS))]
    rows = "".join(f"{name},{part}\n" for name, part in zip(IDS, parts, strict=True))
    split.write_text("image_id,subset\n" + rows)
    (tmp_path / "teams.csv").write_text("submission,team\na,Ada\nb,<b>Bo\n")
    request = EvaluationRequest(
        places=(tmp_path / "zips",), out=tmp_path / "out", cache=tmp_path / "cache",
        options=OPTIONS, data=str(data), rescore=True, split=split, teams=tmp_path / "teams.csv",
    )  # fmt: skip
    made = planned(data, tmp_path / "zips")
    store = ResultStore(request.out)
    store.folder("").mkdir(parents=True)
    store.results.folder("").mkdir(parents=True)
    for job in made.distinct.values():
        right = range(2) if job.submission.name == "a" else range(2, len(IDS))
        store.save(job.key, table_of(half_right(right), tmp_path, job.submission.sha256), [])
    return request
