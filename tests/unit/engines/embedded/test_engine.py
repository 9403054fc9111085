"""The pure parts of the embedded engine; runs of it are in tests/hostile."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from posebowl import paths
from posebowl.challenge import Limit, Limits, Variant
from posebowl.engines.base import RunSpec, Watcher
from posebowl.engines.cgroups import manager
from posebowl.engines.cgroups.manager import OwnCgroup
from posebowl.engines.embedded import engine, layout, namespaces
from posebowl.engines.embedded.engine import EmbeddedSandbox
from posebowl.engines.embedded.layout import Layout
from posebowl.engines.gpu import Driver
from posebowl.engines.handshake import Handshake
from posebowl.errors import BadArchiveError, BadDataError, EngineError
from posebowl.util import process
from tests.umask import UMASKS, umask

MEMORY_ONLY = OwnCgroup(folders={"memory": Path("m")})
WHOLE = OwnCgroup(folders={"unified": Path("u")})
SWAPS = OwnCgroup(folders={"unified": Path("u")}, without={Limit.MEMORY: "swap is not counted"})


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Give this machine other processors than it has."""
    have = {1, 3, 4, 9}
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: have, raising=False)
    return have


def spec(folder: Path, variant: Variant = Variant.CPU) -> RunSpec:
    return RunSpec(
        run_id="r",
        archive=folder / "submission.zip",
        images=folder / "data" / "images",
        submission_format=folder / "data" / "submission_format.csv",
        output=folder / "output",
        scratch=folder / "scratch",
        log=folder / "log.txt",
        variant=variant,
        limits=Limits(),
        cache=folder / "cache",
    )


@pytest.mark.parametrize(("count", "used"), [(1, [1]), (3, [1, 3, 4]), (4, [1, 3, 4, 9])])
@pytest.mark.usefixtures("cores")
def test_usable_cpus(count: int, used: list[int]) -> None:
    assert engine.usable_cpus(count) == used
    assert engine.usable_cpus(64) == [1, 3, 4, 9]


@pytest.mark.parametrize(
    ("group", "weak"),
    [
        (None, {Limit.MEMORY, Limit.CPUS}),
        (MEMORY_ONLY, {Limit.CPUS}),
        (WHOLE, set()),
        (SWAPS, {Limit.MEMORY}),
    ],
)
@pytest.mark.usefixtures("cores")
def test_what_the_kernel_does_not_enforce_is_said(
    group: OwnCgroup | None, weak: set[Limit]
) -> None:
    said = engine.unenforced(Limits(cpus=3), group, counts_sockets=True)
    assert set(said) == weak
    assert all(len(reason) > 20 for reason in said.values())
    assert (group is SWAPS) == ("swap is not counted: a watch" in said.get(Limit.MEMORY, ""))


@pytest.mark.parametrize("counts", [False, True])
def test_buffers_that_nobody_counts_are_said(counts: bool) -> None:
    why = engine.unenforced(Limits(), None, counts_sockets=counts)[Limit.MEMORY]
    assert ("the buffers of sockets" in why) != counts
    assert "pipes and files that are on their way through a socket are not counted" in why


@pytest.mark.usefixtures("cores")
def test_missing_cores_are_said_whatever_the_kernel_enforces() -> None:
    for group in (None, WHOLE):
        said = engine.unenforced(Limits(cpus=5), group, counts_sockets=True)
        assert said[Limit.CPUS] == "this machine has 4 of the 5 cores of the platform"


def environment(folder: Path, home: Path | str) -> Path:
    (folder / "env").mkdir()
    text = f"home = {home}\nimplementation = CPython\nhomely = /wrong/bin\n"
    (folder / "env" / "pyvenv.cfg").write_text(text)
    return folder / "env"


def test_interpreter_with_a_link_needs_both_folders(tmp_path: Path) -> None:
    (tmp_path / "python-3.11.9" / "bin").mkdir(parents=True)
    (tmp_path / "python-3.11").symlink_to("python-3.11.9")
    found = layout.interpreter(environment(tmp_path, tmp_path / "python-3.11" / "bin"), [])
    assert found == [str(tmp_path / "python-3.11"), str(tmp_path / "python-3.11.9")]


@pytest.mark.parametrize("home", ["/usr/bin", "/usr/local/bin", "/bin", "/nix/store/python/bin"])
def test_the_system_s_interpreter_is_shown_already(home: str, tmp_path: Path) -> None:
    assert layout.interpreter(environment(tmp_path, home), [Path("/usr/src/app")]) == []


def test_a_folder_that_only_begins_like_usr_is_shown(tmp_path: Path) -> None:
    assert layout.interpreter(environment(tmp_path, "/usr2/bin"), [Path("/usr")]) == ["/usr2"]


def test_what_is_hidden_is_covered_where_a_run_would_see_it() -> None:
    hidden = ["/usr/src/app/out", "/home/u/data", "/usr/src/app", "/", "/usr2", "/nix/store/x"]
    assert layout.to_cover(map(Path, hidden)) == ["/nix/store/x", "/usr/src/app"]


@pytest.mark.parametrize("place", layout.SYSTEM)
def test_labels_in_a_system_folder_itself_are_refused(place: str) -> None:
    with pytest.raises(EngineError, match=f"{place} holds what no submission may see"):
        layout.to_cover([Path("/home/u"), Path(place)])


def test_data_links_results_zips_and_cache_are_hidden(tmp_path: Path) -> None:
    made = spec(tmp_path)
    for name in ("elsewhere/images", "tables", "data", "zips", "results/.run-x"):
        (tmp_path / name).mkdir(parents=True)
    made.images.symlink_to(tmp_path / "elsewhere/images")
    made.submission_format.symlink_to(tmp_path / "tables/format.csv")
    made = dataclasses.replace(
        made,
        archive=tmp_path / "zips/a.zip",
        log=tmp_path / "results/.run-x/log.txt",
        hidden=(tmp_path / "data", tmp_path / "results"),
    )
    hidden = Layout(spec=made, environment=tmp_path)._hidden()
    names = ("elsewhere", "tables", "data", "zips", "results", "cache")
    assert {tmp_path / name for name in names} <= set(hidden)


@pytest.mark.parametrize("hidden", ["/home/u", "/home/u/posebowl/data"])
def test_an_interpreter_around_what_is_hidden_is_refused(hidden: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="lies in /home/u, which also holds") as caught:
        layout.interpreter(environment(tmp_path, "/home/u/bin"), [Path("/opt"), Path(hidden)])
    assert "uv python install" in caught.value.fix


def test_only_what_the_platform_has_is_bound(tmp_path: Path) -> None:
    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "data" / "train_labels.csv").write_text("")
    env = environment(tmp_path, "/usr/bin")
    binds = Layout(spec=spec(tmp_path), environment=env).binds()
    targets = {target: (source, writable) for source, target, writable in binds}
    assert len(targets) == len(binds)
    assert targets["/code_execution/data/images"] == (str(tmp_path / "data" / "images"), False)
    assert {target for target, (_, writable) in targets.items() if writable} == {
        "/code_execution",
        "/code_execution/submission",
        "/tmp",
        "/home/runner",
    }
    assert not any("label" in part for bind in binds for part in map(str, bind))
    # Nothing above the labels may be bound either.
    sources = [Path(source) for source, _, _ in binds]
    assert not any((tmp_path / "data").is_relative_to(source) for source in sources)


def test_inner_folders_are_bound_after_outer_ones(tmp_path: Path) -> None:
    env = environment(tmp_path, "/usr/bin")
    seen: list[Path] = []
    for _, target, _ in Layout(spec=spec(tmp_path), environment=env).binds():
        assert not any(path.is_relative_to(target) for path in seen)
        seen.append(Path(target))


@pytest.mark.parametrize("mask", UMASKS)
def test_the_folders_of_a_run_have_their_modes_whatever_the_umask(
    mask: int, tmp_path: Path
) -> None:
    made = dataclasses.replace(
        spec(tmp_path), output=tmp_path / "output", scratch=tmp_path / "scratch"
    )
    made.scratch.mkdir()
    with umask(mask):
        described = Layout(spec=made, environment=environment(tmp_path, "/usr/bin")).make(None)
    folders = [path for path in made.scratch.rglob("*") if path.is_dir()]
    assert {f"{path.stat().st_mode & 0o777:o}" for path in [*folders, made.output]} == {"755"}
    assert {path.name for path in folders} >= {"workdir", "tmp", "home", "upper", "work", "images"}
    assert Path(described["root"]).is_dir()


def test_what_is_bound_for_the_tools_is_there() -> None:
    assert all((paths.RUNTIME / name).is_file() for name in layout.TOOL_FILES)


def test_the_environment_of_a_run_tells_nothing_of_the_host() -> None:
    assert set(engine.VARIABLES) <= {
        "HOME",
        "LANG",
        "PATH",
        "PYTHONUNBUFFERED",
        "VIRTUAL_ENV",
    }
    assert engine.VARIABLES["PATH"].startswith("/opt/env/bin:")


def failure(folder: Path, *, inside: bytes = b"", stderr: bytes = b"", code: int = 0) -> Exception:
    """Return why a run did not start that printed this, and ended so."""
    run = spec(folder)
    run.scratch.mkdir()
    (run.scratch / "sandbox.txt").write_bytes(stderr)
    with subprocess.Popen(["sh", "-c", f"exit {code}"]) as child:
        sandbox = EmbeddedSandbox(
            layout=Layout(spec=run, environment=folder), group=None, _child=child
        )
        handshake = Handshake()
        handshake.feed(inside)
        handshake.finish()
        return sandbox.start_failure(handshake)


@pytest.mark.parametrize(
    ("inside", "stderr", "code", "kind"),
    [
        (b"unpack: ../x leads outside\n", b"", 3, BadArchiveError),
        (b"", b"sandbox: mount proc on /x: Operation not permitted\n", 70, EngineError),
        (b"", b"", 70, EngineError),
        (b"unpack: a file named mount overlay\n", b"", 3, BadArchiveError),
        (b"mount overlay\n", b"", 70, EngineError),
        (b"", b"sandbox: mount overlay on /x: Invalid argument\n", 70, engine.NoOverlayError),
        (b"1\n/code_execution/submission.zip\n", b"", 72, BadArchiveError),
        (b"1\n/code_execution/data/submission_format.csv\n", b"", 72, BadDataError),
    ],
)
def test_why_a_run_did_not_start(
    inside: bytes, stderr: bytes, code: int, kind: type[Exception], tmp_path: Path
) -> None:
    assert type(failure(tmp_path, inside=inside, stderr=stderr, code=code)) is kind


def test_words_of_a_failed_start_cannot_steer_a_terminal(tmp_path: Path) -> None:
    said = str(failure(tmp_path, inside=b"\x1b[2J\xff", code=3))
    assert "\x1b" not in said
    assert r"\x1b[2J" in said


def test_a_killed_process_1_has_the_exit_code_of_its_signal(tmp_path: Path) -> None:
    run = spec(tmp_path)
    run.scratch.mkdir()
    words = ["unshare", "--fork", "sh", "-c", "kill -KILL $$"]
    with (
        (run.scratch / "sandbox.txt").open("wb") as said,
        subprocess.Popen(words, stderr=said) as child,
    ):
        sandbox = EmbeddedSandbox(
            layout=Layout(spec=run, environment=tmp_path), group=None, _child=child
        )
        assert sandbox.end().exit_code == 137


def test_the_gpu_variant_without_a_gpu_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "host_has_gpu", lambda: False)
    with pytest.raises(EngineError, match="no NVIDIA GPU"):
        engine.EmbeddedEngine().prepare(spec(tmp_path, Variant.GPU), Watcher())
    assert list(tmp_path.iterdir()) == []


def test_the_gpu_variant_has_the_environment_of_its_lock(tmp_path: Path) -> None:
    assert engine.EmbeddedEngine()._choice(spec(tmp_path, Variant.GPU)).group == "gpu"


def test_a_run_with_a_gpu_sees_its_devices_and_the_libraries_outside_of_usr(
    tmp_path: Path,
) -> None:
    driver = Driver(
        devices=(Path("/dev/nvidia0"), Path("/dev/nvidiactl")),
        libraries={
            "libcuda.so.1": Path("/run/opengl-driver/lib/libcuda.so.1"),
            "libnvidia-ml.so.1": Path("/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1"),
        },
    )
    (tmp_path / "scratch").mkdir()
    made = Layout(spec=spec(tmp_path), environment=environment(tmp_path, "/usr/bin"), driver=driver)
    described = made.make(None)
    assert described["devices"] == ["/dev/nvidia0", "/dev/nvidiactl"]
    bound = {target: source for source, target, _ in described["binds"] if "lib" in target}
    assert bound == {"/opt/nvidia/libcuda.so.1": "/run/opengl-driver/lib/libcuda.so.1"}
    assert made.variables == {"LD_LIBRARY_PATH": "/opt/nvidia"}


def test_a_run_without_a_gpu_sees_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    made = Layout(spec=spec(tmp_path), environment=environment(tmp_path, "/usr/bin"))
    assert made.make(None)["devices"] == []
    assert made.variables == {}


def test_reap_takes_control_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr(manager, "reap", lambda: called.append("reap"))
    engine.EmbeddedEngine().reap()
    assert called == ["reap"]


@pytest.fixture
def forget() -> Iterator[None]:
    """Let namespaces be tried again, here and after this test."""
    namespaces.problem.cache_clear()
    yield
    namespaces.problem.cache_clear()


@pytest.mark.usefixtures("forget")
def test_namespaces_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces.sys, "platform", "darwin")
    assert "needs Linux" in (engine.EmbeddedEngine().unavailable() or "")


@pytest.mark.usefixtures("forget")
def test_namespaces_without_unshare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces.sys, "platform", "linux")
    monkeypatch.setattr(namespaces.shutil, "which", lambda _: None)
    assert "apt-get install util-linux" in (namespaces.problem() or "")


@pytest.mark.parametrize("root", [True, False])
def test_only_others_than_root_need_a_namespace_of_users(
    root: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    words = namespaces.unshare()
    assert words[0] == "unshare"
    assert ("--user" in words) is not root
    assert {"--mount", "--pid", "--fork", "--net", "--ipc", "--uts"} <= set(words)


SWITCHES = {
    "kernel/unprivileged_userns_clone": "0",
    "kernel/apparmor_restrict_unprivileged_userns": "1",
    "user/max_user_namespaces": "0",
}


@pytest.mark.parametrize("name", [*SWITCHES, "none"])
def test_the_switch_that_forbids_namespaces_is_named(name: str, tmp_path: Path) -> None:
    for switch, forbidden in SWITCHES.items():
        path = tmp_path / switch
        path.parent.mkdir(exist_ok=True)
        allowed = {"0": "1", "1": "0"}[forbidden]
        path.write_text(f"{forbidden if switch == name else allowed}\n")
    said = namespaces.how_to_allow(tmp_path)
    if name in SWITCHES:
        assert f"sysctl {name.replace('/', '.')}=" in said
    else:
        assert "sysctl" not in said
    assert "Docker or Podman" in said


@pytest.mark.usefixtures("forget")
def test_why_namespaces_are_forbidden_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise process.ProcessError("failed", why="one\nunshare failed: Operation not permitted")

    monkeypatch.setattr(process, "run", refuse)
    monkeypatch.setattr(namespaces.shutil, "which", lambda _: "/usr/bin/unshare")
    said = namespaces.problem() or ""
    assert "(unshare failed: Operation not permitted)" in said
    assert "Docker or Podman" in said


def test_it_starts_no_containers_and_so_has_no_runtimes(tmp_path: Path) -> None:
    asked = dataclasses.replace(spec(tmp_path), runtime="runsc")
    with pytest.raises(EngineError, match="has no runtime runsc") as caught:
        engine.EmbeddedEngine().prepare(asked, Watcher())
    assert "--engine podman" in caught.value.fix
