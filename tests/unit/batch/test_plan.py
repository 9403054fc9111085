"""The plan: keys of all that a result depends on, shards in their order."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import pytest

from posebowl.batch import plan, shards as dataset
from posebowl.batch.plan import RunOptions
from posebowl.batch.shards import Dataset
from posebowl.batch.submissions import collect
from posebowl.challenge import LIMITS, EngineName, Limit, Limits, Variant
from posebowl.data import manifest
from posebowl.errors import UsageError
from posebowl.scoring.predictions import read_format
from tests.conftest import IDS, write_table

OPTIONS = RunOptions(variant=Variant.CPU, engine=EngineName.EMBEDDED, limits=LIMITS[Variant.CPU])


@pytest.fixture
def whole(data_folder: Path) -> Dataset:
    return dataset.load(str(data_folder), manifest.look)


def zipped(path: Path, text: str = "true") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("main.sh"), text)
    return path


def key(whole: Dataset, zip_path: Path, options: RunOptions = OPTIONS) -> str:
    made = plan.make(collect([zip_path]).submissions, whole, [whole], options)
    return next(iter(made.distinct))


@pytest.mark.parametrize(
    "change",
    [
        {"limits": Limits(cpus=2)},
        {"limits": Limits(memory_bytes=1 << 30)},
        {"variant": Variant.GPU},
        {"engine": None},
        {"waived": frozenset({Limit.CPUS})},
        {"full": True},
    ],
)
def test_a_key_changes_with_all_options(whole: Dataset, tmp_path: Path, change: dict) -> None:
    path = zipped(tmp_path / "a.zip")

    assert key(whole, path) != key(whole, path, dataclasses.replace(OPTIONS, **change))


def test_a_key_changes_with_zip_lock_and_data_but_not_with_paths_and_labels(
    whole: Dataset, data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(tmp_path / "a.zip")
    before = key(whole, path)
    copy = tmp_path / "copy"
    (copy / "images").mkdir(parents=True)
    for name in ("submission_format.csv", "train_labels.csv"):
        (copy / name).write_bytes((data_folder / name).read_bytes())
    for photo in (data_folder / "images").iterdir():
        (copy / "images" / photo.name).write_bytes(photo.read_bytes())

    assert (
        key(dataset.load(str(copy), manifest.look), path.rename(tmp_path / "other.zip")) == before
    )
    assert key(whole, zipped(tmp_path / "b.zip", "false")) != before
    form = copy / "submission_format.csv"
    format_before = form.read_bytes()
    write_table(form, [(1, 2, 3, 4)] * len(IDS))
    assert key(dataset.load(str(copy), manifest.look), tmp_path / "other.zip") != before
    form.write_bytes(format_before)
    write_table(copy / "train_labels.csv", [(1, 2, 3, 4)] * len(IDS))
    assert key(dataset.load(str(copy), manifest.look), tmp_path / "other.zip") == before
    monkeypatch.setattr(plan, "digest", lambda: "0" * 64)
    assert key(whole, tmp_path / "other.zip") != before


def test_a_zip_that_is_there_twice_is_run_once(whole: Dataset, tmp_path: Path) -> None:
    found = collect([zipped(tmp_path / "z/a.zip"), zipped(tmp_path / "z/b.zip")])

    made = plan.make(found.submissions, whole, [whole], OPTIONS)

    assert (len(made.submissions), len(made.distinct)) == (2, 1)


@pytest.mark.parametrize("shards", [1, 2, 4, 6])
def test_shards_hold_each_image_once_in_order(whole: Dataset, shards: int, tmp_path: Path) -> None:
    found = dataset.split(whole, shards)

    assert len(found) == shards
    ids: list[str] = []
    for number, shard in enumerate(found):
        form = tmp_path / f"{number}.csv"
        form.write_bytes(shard.submission_format)
        here = read_format(form).to_list()
        assert [entry.name for entry in shard.entries] == list(map(manifest.image_name, here))
        assert shard.labels is None
        ids += here
    assert ids == list(IDS)


@pytest.mark.parametrize("shards", [0, 7])
def test_more_shards_than_images_are_refused(whole: Dataset, shards: int) -> None:
    with pytest.raises(UsageError, match=f"between 1 and 6, got {shards}"):
        dataset.split(whole, shards)
