"""Docker and podman, for real: what a run sees, what ends it, and what it leaves behind."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

from posebowl.batch import core_pinning
from posebowl.challenge import Limit, Variant
from posebowl.engines.base import Stop
from posebowl.engines.oci import argv, client as oci_client, image
from posebowl.engines.oci.argv import ContainerSpec, User
from posebowl.engines.oci.container import Container
from posebowl.engines.oci.engine import OciEngine
from posebowl.engines.oci.host_user import rlimits
from posebowl.errors import BadArchiveError, EngineError, LimitUnenforcedError
from tests.container.heard import Heard, SpecMaker

pytestmark = pytest.mark.container


def _containers(engine: OciEngine) -> list[str]:
    return oci_client.connect(engine.name).run(*argv.listing()).stdout.split()


def test_a_run_sees_its_data_and_gives_its_results(oci: OciEngine, spec_of: SpecMaker) -> None:
    main = """
    pwd; ls ../data/images | wc -l; cmp ../data/submission_format.csv \\
        /code_execution/data/submission_format.csv && echo same
    cp ../data/submission_format.csv ../submission/submission.csv
    mkdir ../submission/deep && echo x > ../submission/deep/file && chmod 0 ../submission/deep
    echo oops >&2
    """
    spec, heard = spec_of(main), Heard()
    oci.prepare(spec, heard.watcher())
    outcome = oci.execute(spec, heard.watcher())
    assert (outcome.exit_code, outcome.stopped_by, outcome.oom_kills) == (0, None, 0)
    assert heard.lines == ["/code_execution/workdir", "3", "same", "oops"]
    assert spec.log.read_text().splitlines() == heard.lines
    made = spec.output / "submission.csv"
    assert made.read_bytes() == spec.submission_format.read_bytes()
    owners = {path.lstat().st_uid for path in (made, spec.output, spec.output / "deep")}
    assert owners == {os.geteuid()}
    (spec.output / "deep").chmod(0o700)
    assert outcome.environment["lock"] == image.lock_hash()
    assert outcome.started_after_s > 0
    assert heard.samples
    assert _containers(oci) == []


def test_nothing_else_is_seen_or_reached(oci: OciEngine, spec_of: SpecMaker) -> None:
    main = """
    find / -xdev -name '*labels*.csv' -path '*code_execution*' 2>/dev/null
    for path in /code_execution/data/x /code_execution/data/images/x /x /opt/x; do
        (echo x > $path) 2>/dev/null && echo "could write $path"
    done
    (echo x >> /code_execution/data/submission_format.csv) 2>/dev/null && echo "wrote format"
    (echo x >> /code_execution/submission.zip) 2>/dev/null && echo "wrote zip"
    ls /var/run/docker.sock /run/podman 2>/dev/null
    tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '
    id -u; id -G
    grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status | tr -s '\\t ' ' '
    env | cut -d= -f1 | sort | tr '\\n' ' '
    """
    heard = Heard()
    spec = spec_of(main)
    assert oci.execute(spec, heard.watcher()).exit_code == 0
    expected = ["lo", heard.lines[1], heard.lines[2], f"CapBnd: {'0' * 16}", "NoNewPrivs: 1"]
    assert sorted(set(heard.lines[:-1]) - set(expected)) == [f"CapEff: {'0' * 16}", "Seccomp: 2"]
    assert heard.lines[1] != "0" or oci_client.connect(oci.name).mapped_to_me
    known = {
        "HOME",
        "HOSTNAME",
        "LANG",
        "OLDPWD",
        "PATH",
        "PWD",
        "VIRTUAL_ENV",
        "TERM",
        "PYTHONUNBUFFERED",
    }
    assert set(heard.lines[-1].split()) <= known | {"container"}
    assert not (spec.images / "x").exists()


@pytest.mark.parametrize(
    ("main", "code"),
    [
        ("exit 7", 7),
        ("kill -SEGV $$", 139),
        ("kill -KILL $$", 137),
        ("exit 125", 125),
        ("exit 126", 126),
        ("no-such-program", 127),
        ("kill -TERM 1; sleep 60", 143),
    ],
)
def test_exit_codes_are_those_of_main(
    oci: OciEngine, spec_of: SpecMaker, main: str, code: int
) -> None:
    outcome = oci.execute(spec_of(main), Heard().watcher())
    assert (outcome.exit_code, outcome.stopped_by) == (code, None)


def test_time_limit_holds_though_term_is_ignored(oci: OciEngine, spec_of: SpecMaker) -> None:
    main = "trap '' TERM; echo up; while :; do sleep 1; done"
    outcome = oci.execute(spec_of(main, wall_time_s=1.0, grace_s=0.5), Heard().watcher())
    assert (outcome.exit_code, outcome.stopped_by) == (None, Stop.TIME)
    assert 1.0 <= outcome.wall_s < 10
    assert _containers(oci) == []


def test_term_reaches_every_process_of_the_run(oci: OciEngine, spec_of: SpecMaker) -> None:
    main = """
    sh -c 'trap "echo child heard; exit" TERM; while :; do sleep 0.1; done' &
    trap "echo main heard; wait; exit 0" TERM
    while :; do sleep 0.1; done
    """
    heard = Heard()
    outcome = oci.execute(spec_of(main, wall_time_s=1.5), heard.watcher())
    assert outcome.stopped_by is Stop.TIME
    assert {"child heard", "main heard"} <= set(heard.lines)


def test_memory_limit_is_the_kernels(oci: OciEngine, spec_of: SpecMaker) -> None:
    hog = "data = []\nwhile True: data.append(bytearray(b'x' * (16 << 20)))\n"
    main = "python hog.py; echo code $?; exit 3"
    spec, heard = spec_of(main, files={"hog.py": hog}, memory_bytes=256 << 20), Heard()
    outcome = oci.execute(spec, heard.watcher())
    assert heard.lines[-1] == "code 137"
    assert (outcome.exit_code, outcome.stopped_by) == (3, None)
    assert outcome.oom_kills >= 1


def test_a_hog_that_takes_process_1_along_is_still_seen(oci: OciEngine, spec_of: SpecMaker) -> None:
    main = "exec python -c \"x = []\nwhile True: x.append(bytearray(b'x' * (16 << 20)))\""
    outcome = oci.execute(spec_of(main, memory_bytes=128 << 20), Heard().watcher())
    assert outcome.exit_code == 137
    assert outcome.oom_kills >= 1


@pytest.mark.parametrize("place", ["/code_execution/submission", "/tmp", "/code_execution/workdir"])
def test_output_limit_wherever_it_is_written(
    oci: OciEngine, spec_of: SpecMaker, place: str
) -> None:
    main = f"i=0; while :; do head -c 8M /dev/zero > {place}/$i; i=$((i+1)); sleep 0.05; done"
    outcome = oci.execute(spec_of(main, output_bytes=64 << 20), Heard().watcher())
    assert outcome.stopped_by is Stop.OUTPUT
    assert outcome.output_bytes > 64 << 20


def test_fork_bomb_meets_the_process_limit(oci: OciEngine, spec_of: SpecMaker) -> None:
    main = "bomb() { bomb | bomb & }; bomb; sleep 2; exit 4"
    outcome = oci.execute(spec_of(main, processes=64, wall_time_s=20.0), Heard().watcher())
    assert outcome.stopped_by is Stop.TIME or outcome.exit_code is not None
    assert _containers(oci) == []


def test_flood_is_cut_and_never_blocks(oci: OciEngine, spec_of: SpecMaker) -> None:
    main = "echo first; head -c 300M /dev/zero | tr '\\0' 'x' | fold -w 99; echo last; exit 0"
    spec, heard = spec_of(main, log_bytes=1 << 20), Heard()
    outcome = oci.execute(spec, heard.watcher())
    assert outcome.exit_code == 0
    assert outcome.log_bytes > 300 << 20
    log = spec.log.read_text()
    assert len(log) < 2 << 20
    assert log.startswith("first\n")
    assert log.endswith("last\n")


def test_a_background_child_does_not_hold_the_run_up(oci: OciEngine, spec_of: SpecMaker) -> None:
    outcome = oci.execute(spec_of("sleep 1000 & echo done"), Heard().watcher())
    assert outcome.exit_code == 0
    assert outcome.wall_s < 10


def test_a_false_end_mark_gains_nothing(oci: OciEngine, spec_of: SpecMaker) -> None:
    """Whoever says that it has ended has to have ended: here it reads process 1's memory."""
    main = "printf '\\036end guess\\n'; sleep 1; exit 5"
    heard = Heard()
    outcome = oci.execute(spec_of(main), heard.watcher())
    assert outcome.exit_code == 5
    assert outcome.wall_s >= 1


def test_an_archive_that_cannot_be_unpacked(oci: OciEngine, spec_of: SpecMaker) -> None:
    spec = spec_of("echo never")
    spec.archive.write_bytes(spec.archive.read_bytes()[:-30])
    with pytest.raises(BadArchiveError):
        oci.execute(spec, Heard().watcher())
    assert _containers(oci) == []


def test_a_container_that_cannot_start_is_an_engine_error(
    oci: OciEngine, spec_of: SpecMaker
) -> None:
    spec = spec_of("echo never")
    gone = dataclasses.replace(spec, images=spec.scratch / "missing")
    with pytest.raises((EngineError, OSError)):
        oci.execute(gone, Heard().watcher())
    assert _containers(oci) == []


def test_a_container_that_the_engine_refuses_is_an_engine_error_in_its_words(
    oci: OciEngine, spec_of: SpecMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(argv, "_limits", lambda _: ["--pids-limit", "many"])
    with pytest.raises(EngineError, match="could not start the run") as caught:
        oci.execute(spec_of("echo never"), Heard().watcher())
    assert "many" in caught.value.why
    assert _containers(oci) == []


def test_a_limit_that_does_not_hold_ends_the_run_before_main(
    oci: OciEngine, spec_of: SpecMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The container is made without a limit on processes, as a careless engine would."""
    monkeypatch.setattr(argv, "_limits", lambda _: ["--pids-limit", "-1"])
    spec, heard = spec_of("echo ran"), Heard()
    with pytest.raises(LimitUnenforcedError) as caught:
        oci.execute(spec, heard.watcher())
    assert Limit.PROCESSES in str(caught.value)
    assert Limit.MEMORY in str(caught.value)
    assert heard.lines == []
    waived = dataclasses.replace(
        spec_of("echo ran"), waived=frozenset({Limit.PROCESSES, Limit.MEMORY, Limit.CPUS})
    )
    outcome = oci.execute(waived, heard.watcher())
    assert heard.lines == ["ran"]
    assert {Limit.PROCESSES, Limit.MEMORY} <= outcome.unenforced.keys()


def test_another_filter_ends_the_run_before_main(
    oci: OciEngine, spec_of: SpecMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The container is made with the engine's own filter."""
    isolation = argv._isolation

    def careless(*asked: object) -> list[str]:
        words = isolation(*asked)  # type: ignore[arg-type]
        place = next(i for i, word in enumerate(words) if word.startswith("seccomp="))
        return words[: place - 1] + words[place + 1 :]

    monkeypatch.setattr(argv, "_isolation", careless)
    heard = Heard()
    with pytest.raises(LimitUnenforcedError, match="system-calls") as caught:
        oci.execute(spec_of("echo ran"), heard.watcher())
    assert "another filter" in caught.value.why
    assert heard.lines == []
    waived = dataclasses.replace(
        spec_of("echo ran"), waived=frozenset({Limit.SYSTEM_CALLS, Limit.CPUS})
    )
    assert Limit.SYSTEM_CALLS in oci.execute(waived, heard.watcher()).unenforced
    assert heard.lines == ["ran"]


def test_the_runtime_is_read_back_or_refused(oci: OciEngine, spec_of: SpecMaker) -> None:
    named = oci.execute(spec_of("true"), Heard().watcher()).environment["runtime"]
    spec = dataclasses.replace(spec_of("true"), runtime=named)
    assert oci.execute(spec, Heard().watcher()).environment["runtime"] == named
    with pytest.raises(EngineError, match="no runtime nonsense"):
        oci.prepare(dataclasses.replace(spec, runtime="nonsense"), Heard().watcher())


def test_counters_read_through_the_engine_agree(
    oci: OciEngine, spec_of: SpecMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the engine's machine is another one: macOS, Windows, a remote daemon."""
    monkeypatch.setattr("posebowl.engines.cgroups.reader.of_process", lambda _: None)
    main = "python -c \"import time; x = bytearray(b'x' * (64 << 20)); time.sleep(3)\""
    outcome = oci.execute(spec_of(main), Heard().watcher())
    assert outcome.exit_code == 0
    assert outcome.peak_memory_bytes > 64 << 20


def test_an_installed_wheel_is_gone_with_the_run(oci: OciEngine, spec_of: SpecMaker) -> None:
    setup = "[project]\nname = 'tiny-addition'\nversion = '1'\n"
    wheel = (
        "import zipfile\n"
        "with zipfile.ZipFile('tiny_addition-1-py3-none-any.whl', 'w') as z:\n"
        "    z.writestr('tiny_addition.py', 'VALUE = 6')\n"
        "    i = 'tiny_addition-1.dist-info/'\n"
        "    z.writestr(i + 'METADATA', 'Metadata-Version: 2.1\\nName: tiny-addition\\n'\n"
        "        'Version: 1\\n')\n"
        "    z.writestr(i + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n'\n"
        "        'Tag: py3-none-any\\n')\n"
        "    z.writestr(i + 'RECORD', '')\n"
    )
    main = (
        "set -e; python -c 'import tiny_addition' 2>/dev/null && exit 9\n"
        "python wheel.py; pip install --no-deps --quiet ./*.whl\n"
        "python -c 'import tiny_addition; print(tiny_addition.VALUE)'\n"
    )
    files = {"pyproject.toml": setup, "wheel.py": wheel}
    for _ in range(2):
        heard = Heard()
        outcome = oci.execute(spec_of(main, files=files), heard.watcher())
        assert outcome.exit_code == 0, heard.lines
        assert heard.lines[-1] == "6"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for other users")
@pytest.mark.parametrize("uid", [0, 4321])
def test_another_user_can_do_the_same(oci: OciEngine, spec_of: SpecMaker, uid: int) -> None:
    """As for members of the group docker, and for docker without root."""
    engine = OciEngine(oci.name, user=User(uid=uid, gid=uid))
    main = (
        "set -e; id -u; touch ~/x ~/.cache/x /tmp/x ./x ../submission/submission.csv\n"
        "touch /opt/env/lib/python3.11/site-packages/x.py\n"
        "python -c 'import getpass, x; print(getpass.getuser())'\n"
    )
    spec, heard = spec_of(main), Heard()
    assert engine.execute(spec, heard.watcher()).exit_code == 0, heard.lines
    assert heard.lines == [str(uid), "runner" if uid else heard.lines[1]]
    assert (spec.output / "submission.csv").stat().st_uid == 0


def test_orphans_of_a_dead_harness_are_reaped(oci: OciEngine) -> None:
    client = oci_client.connect(oci.name)
    # Of a process that has ended by the time it is looked for.
    script = "from posebowl.util.process_identity import owner; print(owner())"
    label = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.strip()
    orphan = Container(client=client, name="posebowl-test-orphan")
    labels = {argv.RUN_LABEL: "orphan", argv.OWNER_LABEL: label}
    spec = ContainerSpec(
        name=orphan.name,
        image=argv.image_name(Variant.CPU),
        labels=labels,
        entrypoint="sleep",
        command=("1000",),
        rlimits=rlimits(),
    )
    client.run("run", "--detach", *argv.start(oci.name, spec)[1:])
    oci.reap()
    assert orphan.inspect() is None


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two cores")
def test_a_run_of_an_evaluation_has_the_cores_that_are_held_for_it(
    oci: OciEngine, spec_of: SpecMaker, tmp_path: Path
) -> None:
    """It cannot leave them, and other runs may have all."""
    main = """python - <<'END'
import os
print(sorted(os.sched_getaffinity(0)))
try:
    os.sched_setaffinity(0, range(os.cpu_count()))
except OSError as error:
    print(error)
print(sorted(os.sched_getaffinity(0)))
END
    """
    everywhere, heard, free = sorted(os.sched_getaffinity(0)), Heard(), Heard()
    with core_pinning.pinned(1, tmp_path / "locks") as held:
        spec = spec_of(main)
        oci.prepare(spec, heard.watcher())
        pinned = oci.execute(
            dataclasses.replace(spec, waived=frozenset({Limit.CPUS})), heard.watcher()
        )
    oci.execute(spec_of(main), free.watcher())
    assert heard.lines == [f"{[*held]}"] * 2
    assert "1 of the 3 cores" in pinned.unenforced[Limit.CPUS]
    assert set(free.lines) == {f"{everywhere}"}
