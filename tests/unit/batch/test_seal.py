"""The evidence of an evaluation: whole, checked offline, and hard to change unseen."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from posebowl.batch import seal
from posebowl.batch.evaluation import EvaluationRequest, evaluate
from posebowl.errors import UsageError, Verdict
from tests.conftest import IDS, write_table
from tests.unit.batch.test_plan import zipped

Files = dict[str, bytes]


@pytest.fixture
def sealed(of_two: EvaluationRequest, tmp_path: Path) -> Path:
    path = tmp_path / "seal.zip"
    evaluate(dataclasses.replace(of_two, seal=path))
    return path


def labels_of(request: EvaluationRequest) -> Path:
    return Path(str(request.data), "train_labels.csv")


def problems(found: seal.Verified) -> list[str]:
    return [finding.what for finding in found.findings if finding.problem]


def read(path: Path) -> Files:
    with zipfile.ZipFile(path) as made:
        return {name: made.read(name) for name in made.namelist()}


def write(path: Path, files: Files, *, hashed: bool = False) -> None:
    """Write a seal, with the hashes of what is in it now if these are to be forged too."""
    if hashed:
        manifest = json.loads(files[seal.MANIFEST])
        manifest["files"] = {
            name: sha256(content).hexdigest()
            for name, content in files.items()
            if name != seal.MANIFEST
        }
        files = files | {seal.MANIFEST: json.dumps(manifest).encode()}
    with zipfile.ZipFile(path, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)


def test_what_is_as_it_was_holds(sealed: Path, of_two: EvaluationRequest) -> None:
    found = seal.verify(sealed, labels_of(of_two), of_two.places)

    assert found.holds
    assert len(found.findings) == 7
    assert found.sha256 == sha256(sealed.read_bytes()).hexdigest()


def test_a_zip_that_was_refused_is_evidence_too(of_two: EvaluationRequest, tmp_path: Path) -> None:
    bad, path = of_two.places[0] / "bad.zip", tmp_path / "seal.zip"
    bad.write_bytes(b"no zip")
    request = dataclasses.replace(of_two, rescore=False, resume=True, teams=None, seal=path)

    rows = evaluate(request).rows

    assert rows[-1].verdict is Verdict.BAD_ARCHIVE
    assert rows[-1].sha256 == sha256(b"no zip").hexdigest()
    assert problems(seal.verify(path, labels_of(of_two), of_two.places)) == []
    bad.write_bytes(b"another")
    assert problems(seal.verify(path, None, of_two.places)) == ["the submissions are those"]


def test_it_has_the_lock_logs_and_tables_but_no_photo_label_or_submission(
    sealed: Path, of_two: EvaluationRequest
) -> None:
    files = read(sealed)
    manifest = json.loads(files[seal.MANIFEST])

    assert {"uv.lock", "split.csv", "teams.csv", "evaluation.json"} - files.keys() == {
        "evaluation.json"  # written by those that run
    }
    kinds = {Path(name).name for name in files if name.startswith(("runs/", "results/"))}
    assert kinds == {"result.json", "submission.csv", "log.txt", "attempts.json", "iou.csv"}
    labels = labels_of(of_two).read_bytes()
    assert manifest["labels_sha256"] == sha256(labels).hexdigest()
    assert labels not in files.values()


def test_the_same_evaluation_has_the_same_seal(sealed: Path, of_two: EvaluationRequest) -> None:
    before = sealed.read_bytes()

    evaluate(dataclasses.replace(of_two, seal=sealed))

    assert sealed.read_bytes() == before


def test_a_changed_added_or_missing_file_is_named(sealed: Path) -> None:
    files = read(sealed)
    log = next(name for name in files if name.endswith("log.txt"))
    for changed in (
        files | {log: b"other\n"},
        files | {"more.txt": b""},
        {name: content for name, content in files.items() if name != log},
    ):
        write(sealed, changed)
        (finding,) = seal.verify(sealed).findings
        assert "more.txt" in finding.problem or log[:40] in finding.problem


def with_row(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[Files], Files]:
    def changed(files: Files) -> Files:
        board = json.loads(files["leaderboard.json"])
        change(board["rows"])
        return files | {"leaderboard.json": json.dumps(board).encode()}

    return changed


def better_iou(files: Files) -> Files:
    name = next(name for name in files if name.endswith("iou.csv"))
    lines = "".join(f"{image_id},0.99\n" for image_id in IDS)
    return files | {name: b"image_id,iou\n" + lines.encode()}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (with_row(lambda rows: rows[0].update(mean_iou=0.99)), "agrees with the results"),
        (with_row(lambda rows: rows[1].update(verdict="TIME_LIMIT")), "agrees with the results"),
        (with_row(lambda rows: rows[0].update(sha256="0" * 64)), "agrees with the results"),
        (with_row(lambda rows: rows.pop()), "agrees with the results"),
        (with_row(lambda rows: rows.reverse()), "ranks follow"),
        (with_row(lambda rows: rows[0].update(rank_high=9)), "ranks follow"),
        (better_iou, "ranks follow"),
        (lambda files: files | {"uv.lock": b"version = 1\n"}, "lock"),
    ],
)
def test_what_was_changed_with_its_hashes_contradicts_the_rest(
    sealed: Path, change: Callable[[Files], Files], told: str
) -> None:
    write(sealed, change(read(sealed)), hashed=True)

    found = seal.verify(sealed)

    assert any(told in what for what in problems(found))


def test_other_labels_and_submissions_are_told(sealed: Path, tmp_path: Path) -> None:
    write_table(tmp_path / "other.csv", [(0, 0, 5, 5)] * len(IDS))
    other = zipped(tmp_path / "others/a.zip", "another")

    found = seal.verify(sealed, tmp_path / "other.csv", [other])

    assert problems(found) == [
        "the labels are those",
        "the predictions have these scores",
        "the submissions are those",
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda files: files | {"leaderboard.json": b"[" * 100_000},
        lambda files: files | {"leaderboard.json": b'{"rows": [{}]}'},
        lambda files: {n: b"\xff" if n.endswith("iou.csv") else c for n, c in files.items()},
        lambda files: {n: b"{" if n.endswith("result.json") else c for n, c in files.items()},
    ],
)
def test_a_hostile_seal_is_refused_in_words(sealed: Path, change: Callable[[Files], Files]) -> None:
    write(sealed, change(read(sealed)), hashed=True)

    assert not seal.verify(sealed).holds


def test_keys_are_no_paths(sealed: Path, tmp_path: Path) -> None:
    files = read(sealed)
    manifest = json.loads(files[seal.MANIFEST])
    manifest["results"]["a"] = "../../escaped"
    write(sealed, files | {seal.MANIFEST: json.dumps(manifest).encode()})

    assert not seal.verify(sealed).holds
    assert not [*tmp_path.rglob("escaped")]


def test_nothing_but_a_seal_is_replaced(sealed: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")

    seal.check_target(sealed)
    for path in (tmp_path / "notes.txt", tmp_path, tmp_path / "none/seal.zip"):
        with pytest.raises(UsageError):
            seal.check_target(path)
    with pytest.raises(UsageError, match="is not a seal"):
        seal.verify(tmp_path / "notes.txt")
