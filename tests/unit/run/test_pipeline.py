"""One run around a made-up engine: precedence, publishing, clearing, and every way to fail."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from posebowl.challenge import LIMITS, Limit, Limits, Variant
from posebowl.engines.base import Outcome, RunSpec, Sample, Stop, Watcher
from posebowl.errors import (
    BadArchiveError,
    EngineError,
    LimitUnenforcedError,
    UsageError,
    Verdict,
)
from posebowl.results.reach import Reach
from posebowl.results.result import Meter
from posebowl.util.process import ProcessError
from tests.conftest import IDS, write_table
from tests.run_bench import OUTCOME, RESULTS, Bench, FakeEngine, valid


def test_all_is_well(bench: Bench) -> None:
    ended = bench.run(FakeEngine())
    assert ended.verdict is Verdict.OK
    assert (ended.fix, ended.warnings) == ("", ())
    assert (ended.engine, ended.variant) == ("podman", "cpu")
    assert bench.files() == RESULTS
    assert (bench.out / "log.txt").read_text() == "hello\n"
    assert ended.score is not None
    assert (ended.score.mean_iou, ended.score.images) == (1.0, 6)
    assert ended.timing is not None
    assert (ended.timing.start_s, ended.timing.wall_s) == (0.1, 3.0)
    assert ended.timing.images_per_second == 2.0
    assert ended.meters["cpu"] == Meter(used=2.0, limit=3, unit="cores")
    assert ended.meters["memory"].used == 100
    assert ended.unenforced == {"cpus": "by affinity"}
    assert ended.environment["lock"] == "abc"
    assert ended.samples == OUTCOME.samples
    assert ended.archive.keys() == {"path", "sha256", "bytes", "unpacked_bytes", "entries"}
    assert ended.data == {
        "root": str(bench.data),
        "images": 6,
        "labelled": True,
        "demo": False,
    }


def test_what_the_engine_is_given(bench: Bench) -> None:
    engine = FakeEngine()
    limits = Limits(cpus=1)
    waived = frozenset({Limit.MEMORY})
    ended = bench.run(engine, limits=limits, variant=Variant.GPU, waived=waived)
    (spec,) = engine.specs
    assert spec.run_id == ended.run_id
    assert spec.limits == limits
    assert (spec.variant, spec.waived, spec.imports) == (Variant.GPU, waived, {"onnx"})
    assert spec.archive.is_absolute()
    assert spec.images == bench.data / "images"
    for place in (spec.output, spec.scratch, spec.log):
        assert place.resolve().is_relative_to(bench.out)
    paths = [value for value in dataclasses.asdict(spec).values() if isinstance(value, Path)]
    assert not any("label" in path.name for path in paths)
    assert not any((bench.data / "train_labels.csv").is_relative_to(path) for path in paths)


def test_folders_of_the_run_are_empty_when_it_begins(bench: Bench) -> None:
    seen: list[list[Path]] = []
    bench.run(FakeEngine(writes=lambda spec: seen.append([*spec.output.iterdir()])))
    assert seen == [[]]


@pytest.mark.parametrize(
    ("ends", "verdict"),
    [
        (replace(OUTCOME, exit_code=7), Verdict.RUNTIME_ERROR),
        (replace(OUTCOME, exit_code=139), Verdict.SIGNALED),
        (replace(OUTCOME, exit_code=None, stopped_by=Stop.TIME), Verdict.TIME_LIMIT),
        (replace(OUTCOME, exit_code=None, stopped_by=Stop.MEMORY), Verdict.MEMORY_LIMIT),
        (replace(OUTCOME, exit_code=137, oom_kills=1), Verdict.MEMORY_LIMIT),
        (replace(OUTCOME, stopped_by=Stop.OUTPUT), Verdict.OUTPUT_LIMIT),
        (EngineError("x", why="y", fix="z"), Verdict.ENGINE_ERROR),
        (LimitUnenforcedError("x", why="y", fix="z"), Verdict.LIMIT_UNENFORCED),
        (BadArchiveError("x", why="y", fix="z"), Verdict.BAD_ARCHIVE),
        (ProcessError("x", why="y", fix="z"), Verdict.ENGINE_ERROR),
        (OSError(28, "No space left on device", "/disk"), Verdict.ENGINE_ERROR),
        (KeyboardInterrupt(), Verdict.INTERRUPTED),
    ],
)
def test_how_it_ends_is_the_verdict_and_its_predictions_do_not_count(
    ends: Outcome | BaseException, verdict: Verdict, bench: Bench
) -> None:
    ended = bench.run(FakeEngine(ends=ends))
    assert ended.verdict is verdict
    assert ended.message
    assert ended.score is None
    assert ended.engine == "podman"
    assert bench.files() == RESULTS - {"submission.csv"}
    assert (ended.timing is None) is isinstance(ends, BaseException)
    if "x y" in ended.message:
        assert (ended.message, ended.fix) == ("x y", "z")
    if isinstance(ends, OSError):
        assert "No space left on device (/disk)" in ended.message


def test_a_run_that_fails_says_how_far_it_got(bench: Bench) -> None:
    def fails(spec: RunSpec) -> None:
        for image_id in IDS[:2]:
            (spec.images / f"{image_id}.png").read_bytes()
        spec.log.write_text(
            'Traceback (most recent call last):\n  File "/code_execution/workdir/main.py", '
            "line 3, in go\n    stop()\nKeyError: 5\n"
        )

    seen = Sample(elapsed_s=3.0, memory_bytes=100, cpu_s=2.0)
    ended = bench.run(FakeEngine(fails, replace(OUTCOME, exit_code=1, samples=(seen,))))
    assert ended.reach == Reach(images=2, of=6, last_image=IDS[1], whole_s=9.0)
    assert ended.failure is not None
    assert (ended.failure.error, ended.failure.place) == (
        "KeyError: 5",
        "main.py line 3, in go: stop()",
    )
    page = (bench.out / "report.html").read_text()
    assert "2 of 6 images" in page
    assert "main.py line 3, in go: stop()" in page
    passed = bench.run(FakeEngine())
    assert (passed.reach, passed.failure) == (None, None)


def test_the_exit_code_and_the_signal_are_kept(bench: Bench) -> None:
    ended = bench.run(FakeEngine(ends=replace(OUTCOME, exit_code=139)))
    assert (ended.exit_code, ended.signal) == (139, 11)


def test_advice_names_the_log_where_it_lies(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = FakeEngine(ends=replace(OUTCOME, exit_code=7))
    assert f" {bench.out / 'log.txt'}, " in bench.run(failing).fix
    assert " log.txt, " in bench.run(failing, log_called=Path("log.txt")).fix
    monkeypatch.chdir(bench.folder)
    assert " out/log.txt, " in bench.run(failing).fix


def link_to_a_secret(spec: RunSpec) -> None:
    (spec.scratch / "secret").write_text("image_id,xmin,ymin,xmax,ymax\nsecret,0,0,1,1\n")
    (spec.output / "submission.csv").symlink_to(spec.scratch / "secret")


@pytest.mark.parametrize(
    ("writes", "verdict"),
    [
        (lambda _: None, Verdict.BAD_OUTPUT),
        (link_to_a_secret, Verdict.BAD_OUTPUT),
        (lambda spec: (spec.output / "submission.csv").mkdir(), Verdict.BAD_OUTPUT),
        (lambda spec: os.mkfifo(spec.output / "submission.csv"), Verdict.BAD_OUTPUT),
        (lambda spec: (spec.output / "submission.csv").write_text(""), Verdict.INVALID_PREDICTIONS),
        (
            lambda spec: write_table(spec.output / "submission.csv", [(5, 0, 4, 0)] * 6),
            Verdict.INVALID_PREDICTIONS,
        ),
    ],
)
def test_predictions_that_do_not_pass_are_not_published(
    writes: Callable[[RunSpec], None], verdict: Verdict, bench: Bench
) -> None:
    bench.out.mkdir()
    (bench.out / ".lock").touch()
    (bench.out / "submission.csv").write_text("stale")
    ended = bench.run(FakeEngine(writes=writes))
    assert ended.verdict is verdict
    assert "secret" not in (bench.out / "result.json").read_text()
    assert bench.files() == RESULTS - {"submission.csv"}
    assert ended.exit_code == 0


def test_an_oversize_csv_is_not_read(bench: Bench) -> None:
    limits = replace(LIMITS[Variant.CPU], predictions_bytes=10)
    assert bench.run(FakeEngine(), limits=limits).verdict is Verdict.BAD_OUTPUT


def test_a_csv_that_its_owner_closed_is_read_all_the_same(bench: Bench) -> None:
    def closed(spec: RunSpec) -> None:
        valid(spec)
        (spec.output / "submission.csv").chmod(0)
        spec.output.chmod(0)

    assert bench.run(FakeEngine(writes=closed)).verdict is Verdict.OK


def test_a_killed_child_is_a_warning(bench: Bench) -> None:
    ended = bench.run(FakeEngine(ends=replace(OUTCOME, oom_kills=2)))
    assert ended.verdict is Verdict.OK
    assert len(ended.warnings) == 1
    assert ended.oom_kills == 2


def test_no_time_at_all_divides_nothing(bench: Bench) -> None:
    ended = bench.run(FakeEngine(ends=replace(OUTCOME, wall_s=0.0)))
    assert ended.timing is not None
    assert ended.timing.images_per_second is None
    assert "cpu" not in ended.meters


def test_a_bad_archive_starts_nothing(bench: Bench) -> None:
    (bench.folder / "submission.zip").write_bytes(b"no zip")
    engine = FakeEngine()
    ended = bench.run(engine)
    assert ended.verdict is Verdict.BAD_ARCHIVE
    assert (ended.engine, ended.data, engine.specs) == ("", {}, [])
    assert ended.archive == {"path": str(bench.folder / "submission.zip")}


def test_broken_data_starts_nothing(bench: Bench) -> None:
    empty = bench.folder / "data"
    (empty / "images").mkdir(parents=True)
    engine = FakeEngine()
    assert bench.run(engine, data=empty).verdict is Verdict.BAD_DATA
    assert engine.specs == []


def with_a_broken_photo(bench: Bench) -> Path:
    data = shutil.copytree(bench.data, bench.folder / "broken")
    (data / "images" / f"{IDS[0]}.png").write_bytes(b"no photo")
    return data


@pytest.mark.parametrize("ends", [OUTCOME, EngineError("It fails as well.")])
def test_a_broken_photo_is_found_before_main_sh_starts(
    ends: Outcome | EngineError, bench: Bench
) -> None:
    engine = FakeEngine(ends=ends)
    ended = bench.run(engine, data=with_a_broken_photo(bench))
    assert (ended.verdict, engine.specs) == (Verdict.BAD_DATA, [])
    assert "broken PNG" in ended.message


class Refusing(FakeEngine):
    """Has no image."""

    def prepare(self, spec: RunSpec, watch: Watcher) -> None:  # noqa: ARG002
        raise EngineError("There is no image.")


@pytest.mark.parametrize("broken", [False, True])
def test_what_is_wrong_with_the_data_is_said_before_what_is_wrong_with_the_engine(
    broken: bool, bench: Bench
) -> None:
    ended = bench.run(Refusing(), data=with_a_broken_photo(bench) if broken else bench.data)
    assert ended.verdict is (Verdict.BAD_DATA if broken else Verdict.ENGINE_ERROR)
    assert ended.data.get("images") == (None if broken else 6)


def test_a_mistake_of_ours_is_a_verdict_too(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    ended = bench.run(FakeEngine(ends=ZeroDivisionError("division by zero")))
    assert ended.verdict is Verdict.ENGINE_ERROR
    assert ended.message == "This tool failed the run: ZeroDivisionError: division by zero."
    assert "invoke --debug run" in ended.fix
    assert "Traceback" in caplog.text
    assert bench.files() == RESULTS - {"submission.csv"}


def results_of_a_good_run(bench: Bench) -> dict[str, bytes]:
    bench.run(FakeEngine())
    return {
        str(path.relative_to(bench.out)): path.read_bytes()
        for path in bench.out.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("archive", "typo.zip"),
        ("archive", "."),
        ("data", "nowhere"),
        ("data", "submission.zip"),
        ("data", "nothing"),
        ("data", "mine/images"),
    ],
)
def test_a_mistyped_path_touches_nothing(name: str, value: str, bench: Bench) -> None:
    (bench.folder / "nothing").mkdir()
    shutil.copytree(bench.data, bench.folder / "mine")
    before = results_of_a_good_run(bench)
    engine = FakeEngine()
    with pytest.raises(UsageError) as caught:
        bench.run(engine, **{name: bench.folder / value})
    assert caught.value.exit_code == 2
    assert engine.specs == []
    after = {
        str(path.relative_to(bench.out)): path.read_bytes()
        for path in bench.out.rglob("*")
        if path.is_file()
    }
    assert after == before


def test_runs_have_names_of_their_own(bench: Bench) -> None:
    names = {bench.run(FakeEngine()).run_id for _ in range(3)}
    assert len(names) == 3


def test_a_run_of_no_time_has_no_rates(bench: Bench) -> None:
    ended = bench.run(FakeEngine(ends=replace(OUTCOME, wall_s=0.0001, cpu_s=0.16)))
    assert ended.timing is not None
    assert (ended.timing.images_per_second, ended.meters.get("cpu")) == (None, None)


def test_a_machine_that_others_kept_busy_is_named(bench: Bench) -> None:
    """Let a child of this process, which the run did not start, take a core meanwhile."""
    code = "import time\nend = time.process_time() + 0.6\nwhile time.process_time() < end: pass"

    def beside(spec: RunSpec) -> None:
        valid(spec)
        cores = len(os.sched_getaffinity(0))
        others = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(cores)]
        for other in others:
            other.wait()

    ended = bench.run(FakeEngine(writes=beside, ends=replace(OUTCOME, cpu_s=0.0)))
    assert ended.verdict is Verdict.OK
    assert ended.other_cores is not None
    (warning,) = ended.warnings
    assert f"other programs took {ended.other_cores:.1f} of its" in warning
