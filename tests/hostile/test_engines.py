"""Hostile and odd programs on every engine that is at hand: each gets its verdict."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path

import pytest

from posebowl.challenge import LIMITS, EngineName, Variant
from posebowl.engines import select
from posebowl.engines.cgroups import manager
from posebowl.errors import Verdict
from posebowl.results import result
from posebowl.run import pipeline
from posebowl.run.live_display import Display
from tests.conftest import IDS
from tests.hostile.archives import BAD_CASES, Case as ArchiveCase
from tests.hostile.conftest import Bench
from tests.hostile.predictions import CASES as CSV_CASES, CsvCase
from tests.hostile.programs import OK, PROGRAMS, Case, python

pytestmark = pytest.mark.container

BRIEF = {"wall_time_s": 1.0, "grace_s": 0.5}


def kernel_limits_memory(engine: EngineName) -> bool:
    if engine is not EngineName.EMBEDDED:
        return True
    group = manager.create(f"test-{os.getpid()}", LIMITS[Variant.CPU])
    if group is not None:
        group.remove()
    return group is not None


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_program(engine: EngineName, program: Case, bench: Bench):
    if program.kernel_memory and not kernel_limits_memory(engine):
        pytest.skip(f"{engine}: no control group may be made here")
    before = data_state(bench.data)

    ended = bench.run(engine, program)

    log = (bench.folder / "out" / "log.txt").read_text()
    assert ended.verdict is program.verdict, (ended.message, log[-2000:])
    assert program.says in " ".join([ended.message, *ended.warnings])
    assert program.log in log
    if program.exit_code is not None:
        assert ended.exit_code == program.exit_code
    assert ended.signal == program.signal
    assert (ended.timing.wall_s if ended.timing else 0.0) >= program.lasts_s
    assert (bench.folder / "out/submission.csv").exists() == (ended.verdict is Verdict.OK)
    assert result.read(bench.folder / "out/result.json") == ended
    assert data_state(bench.data) == before


def data_state(folder: Path) -> list[tuple[str, int, int]]:
    paths_ = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in paths_]


@pytest.mark.parametrize("case", CSV_CASES, ids=lambda case: case.name)
def test_predictions(case: CsvCase, bench: Bench):
    if select.make(EngineName.EMBEDDED).unavailable():
        pytest.skip("embedded: cannot be used here")
    program = Case(
        name=case.name,
        main="cp table.csv ../submission/submission.csv",
        files={"table.csv": case.make(IDS)},
    )

    ended = bench.run(EngineName.EMBEDDED, program)

    assert ended.verdict is case.verdict
    for word in case.expected_words(IDS) if ended.verdict is not Verdict.OK else ():
        assert word in f"{ended.message} {ended.fix}"


@pytest.mark.parametrize("case", BAD_CASES, ids=lambda case: case.name)
def test_bad_archive(case: ArchiveCase, bench: Bench):
    if select.make(EngineName.EMBEDDED).unavailable():
        pytest.skip("embedded: cannot be used here")
    request = bench.request(EngineName.EMBEDDED, Case(name=case.name, main=OK))
    case.write(request.archive)

    ended = pipeline.run(request, Display(quiet=True))

    assert ended.verdict is Verdict.BAD_ARCHIVE
    assert ended.fix
    assert ended.exit_code is None


def test_a_bad_archive_is_refused_before_anything_runs(engine, bench: Bench):
    request = bench.request(engine, Case(name="nested", main=OK))
    with zipfile.ZipFile(request.archive, "w") as archive:
        archive.writestr("folder/main.sh", OK)

    ended = pipeline.run(request, Display(quiet=True))

    assert ended.verdict is Verdict.BAD_ARCHIVE
    assert "zip the contents, not the folder" in ended.fix.lower()
    assert ended.timing is None


def test_an_earlier_submission_csv_never_passes(engine, bench: Bench):
    assert bench.run(engine, Case(name="good", main=OK)).verdict is Verdict.OK
    assert bench.run(engine, Case(name="none", main="true")).verdict is Verdict.BAD_OUTPUT


def test_bundled_wheels_install_and_leave_no_trace(engine, bench: Bench):
    wheel = "posebowl_probe-1.0-py3-none-any.whl"
    install = f"pip install --no-deps --no-index --quiet ./{wheel}\n"
    use = "import posebowl_probe; assert posebowl_probe.answer == 42"
    files = {wheel: make_wheel(bench.folder / wheel)}
    program = Case(name="wheel", main=f"set -e\n{install}" + python(use), files=files)
    ended = bench.run(engine, program)
    assert ended.verdict is Verdict.OK, (bench.folder / "out/log.txt").read_text()

    ended = bench.run(engine, Case(name="again", main="python -c 'import posebowl_probe'"))
    assert ended.verdict is Verdict.RUNTIME_ERROR
    assert "uv add" in ended.fix


def make_wheel(path: Path) -> bytes:
    info = "posebowl_probe-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("posebowl_probe.py", "answer = 42\n")
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: posebowl-probe\nVersion: 1.0\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return path.read_bytes()


CLOSED = ("images", "images/PHOTO", "submission_format.csv")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's runs are another user")
@pytest.mark.parametrize("name", CLOSED)
def test_data_that_only_root_may_read_is_said_before_a_run(engine, bench: Bench, name: str):
    data = bench.folder / "data"
    shutil.copytree(bench.data, data)
    # Not the first photo: each one is tried.
    closed = data / name.replace("PHOTO", f"{IDS[-1]}.png")
    closed.chmod(0o700 if closed.is_dir() else 0o600)

    ended = Bench(bench.folder, data).run(engine, Case(name="never", main="echo ran\n" + OK))

    assert ended.verdict is Verdict.BAD_DATA
    assert str(closed) in ended.message
    assert "may not read" in ended.message
    place = closed.parent if closed.suffix == ".png" else closed
    assert ended.fix == f"Type: chmod -R a+rX {place}"
    assert "ran" not in (bench.folder / "out/log.txt").read_text()
    subprocess.run(ended.fix.removeprefix("Type: ").split(), check=True)
    assert Bench(bench.folder, data).run(engine, Case(name="good", main=OK)).verdict is Verdict.OK


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's runs are another user")
def test_many_closed_files_are_counted_and_the_first_named(engine, bench: Bench):
    data = bench.folder / "data"
    shutil.copytree(bench.data, data)
    for photo in (data / "images").iterdir():
        photo.chmod(0o600)

    ended = Bench(bench.folder, data).run(engine, Case(name="never", main=OK))

    assert ended.verdict is Verdict.BAD_DATA
    assert f"{IDS[0]}.png" in ended.message
    assert f"and {len(IDS) - 3} more" in ended.message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's runs are another user")
def test_a_zip_that_only_root_may_read_is_named(engine, bench: Bench):
    request = bench.request(engine, Case(name="good", main=OK))
    request.archive.chmod(0o600)

    ended = pipeline.run(request, Display(quiet=True))

    assert ended.verdict is Verdict.BAD_ARCHIVE
    assert str(request.archive) in ended.message
    assert ended.fix == f"Type: chmod -R a+rX {request.archive}"


def test_a_run_works_under_any_umask(engine, bench: Bench, each_umask: int):
    request = bench.request(engine, Case(name="good", main="umask\n" + OK))
    request.archive.chmod(0o644)

    ended = pipeline.run(request, Display(quiet=True))

    assert ended.verdict is Verdict.OK, (each_umask, ended.message)
    assert (bench.folder / "out/log.txt").read_text() == "0022\n"


def test_what_namespaces_print_is_not_in_the_log(engine, bench: Bench):
    program = Case(name="noterm", main="trap '' TERM\nwhile :; do sleep 1; done", limits=BRIEF)
    assert bench.run(engine, program).verdict is Verdict.TIME_LIMIT
    assert (bench.folder / "out/log.txt").read_text() == ""


def test_odd_folder_names(engine, bench: Bench):
    odd = bench.folder / "ein Ordner, mit: Ünïcödé 'und' \\ mehr"
    odd.mkdir()
    ended = Bench(odd, bench.data).run(engine, Case(name="good", main=OK))
    assert ended.verdict is Verdict.OK, ended.message
    (bench.folder / "out").mkdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes to system folders")
def test_nothing_of_ours_is_seen_in_a_system_folder(engine, bench: Bench):
    with tempfile.TemporaryDirectory(prefix="posebowl-", dir="/usr/local") as name:
        place = Path(name)
        place.chmod(0o755)
        data = place / "data"
        shutil.copytree(bench.data, data)
        (data / "images").rename(place / "photos")
        (data / "images").symlink_to(place / "photos")
        main = (
            f"find {place} -type f > found 2>/dev/null\ncat found\n[ ! -s found ] || exit 1\n{OK}"
        )
        for _ in range(2):  # the second run has a history
            request = Bench(place, data).request(engine, Case(name="looks", main=main + OK))
            request.archive.rename(place / "zips.zip")
            request = dataclasses.replace(request, archive=place / "zips.zip")
            ended = pipeline.run(request, Display(quiet=True))
            assert ended.verdict is Verdict.OK, (place / "out/log.txt").read_text()
    (bench.folder / "out").mkdir()


def test_the_time_limit_holds_within_the_grace(engine, bench: Bench):
    program = next(program for program in PROGRAMS if program.name == "noterm")
    before = time.monotonic()
    ended = bench.run(engine, program)
    assert ended.timing is not None
    assert ended.timing.wall_s >= program.limits["wall_time_s"]
    # The limit, the grace, and what it takes to start and to clean up on a busy machine.
    assert time.monotonic() - before < 30
