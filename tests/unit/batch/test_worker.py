"""What a machine has for a job: cores of its own, the zip, the photos, each checked."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from posebowl.batch import core_pinning, plan, shards, submissions, worker
from posebowl.batch.node_cache import NodeCache
from posebowl.challenge import EngineName
from posebowl.data import manifest
from posebowl.errors import EngineError, Verdict
from posebowl.util.files import make_folder
from tests.conftest import IDS
from tests.unit.batch.test_plan import OPTIONS, zipped


@pytest.fixture
def cache(tmp_path: Path) -> NodeCache:
    return NodeCache(tmp_path / "cache")


@pytest.fixture
def photos(data_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(data_folder, tmp_path / "photos"))


def hold(both: Barrier, locks: Path) -> tuple[frozenset[int], set[int]]:
    with core_pinning.pinned(1, locks) as mine:
        both.wait(60)
        return mine, os.sched_getaffinity(0)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_two_runs_have_no_core_in_common(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(2) as pool:
        both = manager.Barrier(2)
        (one, its), (two, _) = pool.starmap(hold, [(both, tmp_path)] * 2, chunksize=1)

    assert not one & two
    assert its == one


def test_the_idlest_cores_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = tmp_path / "stat"

    def write(busy_0: int, busy_2: int) -> None:
        rows = (f"cpu0 {busy_0} 0 0 50", "cpu1 5 0 0 70", f"cpu2 {busy_2} 0 0 9", "intr 9")
        stat.write_text("\n".join(("cpu 99 0 0 99", *rows)))

    write(10, 10)
    monkeypatch.setattr(time, "sleep", lambda _: write(40, 30))

    assert core_pinning.idlest([0, 1, 2], stat) == [1, 2, 0]


def test_cores_are_chosen_where_the_system_hides_their_work(tmp_path: Path) -> None:
    found = core_pinning.idlest([3, 4], tmp_path / "absent", look_s=0)
    assert sorted(found) == [3, 4]


def test_pods_of_a_machine_share_their_locks(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    find = core_pinning.locks_of_this_machine

    alone = find(tmp_path / "a", tmp_path / "absent")
    pods = {find(tmp_path / name, tmp_path / "shared") for name in "ab"}

    assert alone.is_relative_to(tmp_path / "a")
    assert len(pods) == 1
    assert (
        alone.name == pods.pop().name == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    )


def test_pods_without_shared_locks_or_cores_of_their_own_hold_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark, exclusive = tmp_path / ".dockerenv", core_pinning.are_exclusive
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    monkeypatch.setattr(os, "cpu_count", lambda: 4)

    assert exclusive(tmp_path / "absent", [mark])
    mark.touch()
    assert not exclusive(tmp_path / "absent", [mark])
    assert exclusive(tmp_path, [mark])
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    assert exclusive(tmp_path / "absent", [mark])


@pytest.mark.parametrize("exclusive", [True, False])
def test_containers_move_freely_where_cores_are_not_exclusive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exclusive: bool
) -> None:
    monkeypatch.setattr(core_pinning, "are_exclusive", lambda: exclusive)
    everywhere = os.sched_getaffinity(0)
    for engine in EngineName:
        held = exclusive or engine is EngineName.EMBEDDED
        with core_pinning.of_run(engine, 1, tmp_path) as cores:
            assert os.sched_getaffinity(0) == (cores if held else everywhere)
        assert len(cores) == held


def test_cores_are_released(tmp_path: Path) -> None:
    before = os.sched_getaffinity(0)
    for _ in range(2):
        with core_pinning.pinned(10_000, tmp_path) as mine:
            assert mine == before
    assert os.sched_getaffinity(0) == before


def test_a_zip_that_a_machine_lacks_is_asked_for_and_checked(
    tmp_path: Path, cache: NodeCache
) -> None:
    (found,) = submissions.collect([zipped(tmp_path / "a.zip")]).submissions
    assert cache.archive(found, None) == found.archive
    content = found.archive.read_bytes()
    found.archive.unlink()

    assert cache.archive(found, None) is None
    with pytest.raises(EngineError, match="changed"):
        cache.archive(found, [content[:-1]])
    sent = cache.archive(found, [content[:10], content[10:]])

    assert sent is not None
    assert sent.read_bytes() == content
    assert cache.archive(found, None) == sent


def test_a_zip_of_the_same_name_and_size_is_not_taken_for_it(
    tmp_path: Path, cache: NodeCache
) -> None:
    (found,) = submissions.collect([zipped(tmp_path / "a.zip", "true")]).submissions
    zipped(tmp_path / "a.zip", "fals")

    assert cache.archive(found, None) is None


def test_a_slice_holds_its_photos_only(photos: Path, cache: NodeCache) -> None:
    shard = shards.split(shards.load(str(photos), cache.entries), 3)[1]

    folder = cache.data_folder(shard)

    assert {path.stem for path in (folder / "images").iterdir()} == set(IDS[2:4])
    assert (folder / "submission_format.csv").read_bytes() == shard.submission_format


def test_a_cached_photo_that_was_cut_short_is_fetched_again(photos: Path, cache: NodeCache) -> None:
    shard = shards.split(shards.load(str(photos), cache.entries), 3)[0]
    kept = cache.data_folder(shard) / shard.entries[0].name
    kept.unlink()
    kept.write_bytes(b"x")

    folder = cache.data_folder(shard)

    assert manifest.look(folder, [shard.entries[0].name])[0] == shard.entries[0]


def test_data_that_changed_since_it_was_planned_is_refused(photos: Path, cache: NodeCache) -> None:
    whole = shards.load(str(photos), cache.entries)
    (photos / f"images/{IDS[0]}.png").write_bytes(b"another photo")

    with pytest.raises(EngineError, match=IDS[0]):
        cache.data_folder(whole)


def test_a_folder_that_a_machine_does_not_see_is_said(photos: Path, cache: NodeCache) -> None:
    whole = shards.load(str(photos), cache.entries)
    shutil.rmtree(photos)

    with pytest.raises(EngineError) as error:
        cache.data_folder(whole)

    assert "share" in error.value.fix


def test_a_result_names_no_folder_of_its_machine(
    tmp_path: Path, photos: Path, cache: NodeCache
) -> None:
    bad = tmp_path / "zips/team.zip"
    bad.parent.mkdir()
    bad.write_bytes(b"not a zip")
    whole = shards.load(str(photos), cache.entries)
    (found,) = submissions.collect([bad]).submissions
    made = plan.make([found], whole, [whole], OPTIONS)

    output = worker.run_job(next(iter(made.distinct.values())), whole, cache=cache)

    assert output is not None
    assert output.result.verdict is Verdict.BAD_ARCHIVE
    assert output.result.message.startswith("submission.zip is not a zip")
    assert not [name for name, content in output.files.items() if str(tmp_path).encode() in content]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
@pytest.mark.parametrize("planted", ["", "archives", "digests", "slices"])
@pytest.mark.parametrize("opened", [False, True])
def test_what_others_could_plant_is_not_used(
    planted: str, opened: bool, tmp_path: Path, photos: Path, cache: NodeCache
) -> None:
    """A zip that lay under the digest of another one ran in its place."""
    whole = shards.load(str(photos), cache.entries)
    (found,) = submissions.collect([zipped(tmp_path / "a.zip", "true")]).submissions
    zipped(cache.root / "archives" / found.sha256 / "a.zip", "fals")
    found.archive.unlink()
    place = make_folder(cache.root / planted)
    place.chmod(0o777 if opened else 0o755)
    os.chown(place, *([0, 0] if opened else [65534, 65534]))
    shard = shards.split(whole, 2)[0]
    ask = {
        "archives": lambda: cache.archive(found, None),
        "digests": lambda: cache.entries(photos, []),
    }
    with pytest.raises(EngineError, match="Other users can change"):
        ask.get(planted, lambda: cache.data_folder(shard))()
