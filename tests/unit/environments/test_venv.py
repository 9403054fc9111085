"""Environments made from the lock: which one, where, and that it is whole or not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from posebowl import paths
from posebowl.environments import venv
from posebowl.environments.venv import Group, choose
from posebowl.errors import EngineError
from posebowl.util import process
from posebowl.util.process import Completed, ProcessError

LEAN = frozenset({"numpy", "cv2", "onnxruntime"})
CPU = LEAN | {"torch", "skimage", "sklearn", "a", "b", "c", "d", "e"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep environments in a folder of the test."""
    monkeypatch.setenv("POSEBOWL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "environments"


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Know the groups' modules without asking uv."""
    monkeypatch.setattr(venv, "modules", {"lean": LEAN, "cpu": CPU}.__getitem__)


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("imports", "group"),
    [
        (set(), "lean"),
        ({"numpy", "cv2"}, "lean"),
        ({"my_own_module"}, "lean"),
        ({"torch", "numpy"}, "cpu"),
        ({"skimage"}, "cpu"),
    ],
)
def test_the_smallest_environment_that_has_it(imports: set[str], group: Group) -> None:
    choice = choose(frozenset(imports))
    assert choice.group == group
    if group == "cpu":
        assert choice.reason == f"the submission imports {min(imports - LEAN)}"


@pytest.mark.usefixtures("known")
def test_many_reasons_are_shortened() -> None:
    assert choose(CPU).reason == "the submission imports a, b, c, d, e and more"


def test_all_that_is_asked_for_needs_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Group) -> frozenset[str]:
        raise AssertionError

    monkeypatch.setattr(venv, "modules", refuse)
    assert choose(frozenset({"torch"}), full=True).group == "cpu"
    assert choose(frozenset()).group == "lean"


EXPORT = """\
# a comment
absl-py==2.3.1
jaraco.text==4.0
Pillow==13.0.0 ; sys_platform == 'linux'
uvicorn[standard]==0.40 ; python_full_version < '3.12'
scikit-image==0.26.0
    # via nothing
-e .
torch==2.10.0
torch==2.10.0+cpu ; sys_platform == 'linux'
"""


def uv(answer: str | Exception, asked: list[list[str]]) -> Callable[..., Completed]:
    def run(argv: list[str], **_: object) -> Completed:
        asked.append([str(word) for word in argv])
        if isinstance(answer, Exception):
            raise answer
        return Completed(argv=(), returncode=0, stdout=answer, stderr="")

    return run


def test_packages_are_read_off_the_export() -> None:
    assert venv.packages(EXPORT) == [
        "absl-py",
        "jaraco.text",
        "pillow",
        "scikit-image",
        "torch",
        "uvicorn",
    ]


def test_modules_have_other_names_than_packages(
    monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(process, "run", uv(EXPORT, asked))
    expected = {
        "absl",
        "jaraco_text",
        "PIL",
        "skimage",
        "torch",
        "functorch",
        "torchgen",
        "uvicorn",
    }
    assert venv.modules("cpu") == expected
    assert venv.modules("cpu") == expected
    assert len(asked) == 1
    assert asked[0][-3:] == ["--no-hashes", "--no-header", "--no-annotate"]
    assert len(list(cache.iterdir())) == 1


def test_a_lock_that_cannot_be_read_is_the_engine_s_failure(
    monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setattr(process, "run", uv(ProcessError("uv is not installed.", fix="get it"), []))
    with pytest.raises(EngineError, match=r"uv is not installed\. get it"):
        venv.modules("cpu")
    assert not cache.exists()


def test_names_are_normal_ones() -> None:
    for package, names in venv.MODULE_NAMES.items():
        assert package == package.lower()
        assert "_" not in package
        assert names
        assert all(name.isidentifier() for name in names)


def test_where_environments_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = venv.location("lean")
    assert place.parent == tmp_path / "cache" / "environments"
    assert place.name.startswith("lean-py3.")
    assert place.name.endswith(venv.lock_hash()[:16])
    assert venv.location("cpu") != place
    monkeypatch.delenv("POSEBOWL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert venv.cache_root() == tmp_path / "xdg" / "posebowl" / "environments"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert venv.cache_root() == tmp_path / ".cache" / "posebowl" / "environments"


def test_the_hash_is_that_of_the_lock(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_bytes(b"abc")
    assert venv.lock_hash(tmp_path / "uv.lock").startswith("ba7816bf8f01cfea")


class Uv:
    """Makes folders as uv would, or fails at one of its steps."""

    def __init__(self, fails_at: str = "") -> None:
        self.fails_at = fails_at
        self.steps: list[str] = []

    def run(self, argv: list[object], env: dict[str, str] | None = None, **_: object) -> Completed:
        step = str(argv[1])
        self.steps.append(step)
        folder = (
            Path(str(argv[-1])) if step == "venv" else Path((env or {})["UV_PROJECT_ENVIRONMENT"])
        )
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{step}.txt").write_text("")
        if step == self.fails_at:
            raise ProcessError("uv failed", why="no network", fix="try again")
        return Completed(argv=(), returncode=0, stdout="", stderr="")


def install(monkeypatch: pytest.MonkeyPatch, made: Uv) -> Uv:
    monkeypatch.setattr(process, "run", made.run)
    monkeypatch.setattr(venv.shutil, "which", lambda _: "/usr/bin/uv")
    monkeypatch.setattr(os, "chown", lambda *_: None)
    return made


def test_an_environment_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = install(monkeypatch, Uv())
    notes: list[str] = []
    assert not venv.ready("lean")
    place = venv.ensure("lean", note=notes.append)
    assert place == venv.location("lean")
    assert venv.ready("lean")
    assert venv.ensure("lean", note=notes.append) == place
    assert made.steps == ["venv", "sync"]
    (note,) = notes
    assert note.startswith("Making the lean environment")
    assert "few hundred MB" in note


@pytest.mark.parametrize("step", ["venv", "sync"])
def test_one_that_could_not_be_made_is_not_there(
    step: str, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    install(monkeypatch, Uv(step))
    with pytest.raises(EngineError, match=r"could not be made from uv\.lock") as caught:
        venv.ensure("cpu")
    assert caught.value.why == "no network"
    assert caught.value.fix.endswith("type the same command again.")
    assert not venv.ready("cpu")
    assert [path.name for path in cache.iterdir() if path.is_dir()] == []
    install(monkeypatch, Uv())
    venv.ensure("cpu")
    assert venv.ready("cpu")


def test_what_a_killed_process_left_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, Uv())
    place = venv.location("lean")
    for half in (place, place.with_name(f".{place.name}.part")):
        half.mkdir(parents=True)
        (half / "half.txt").write_text("")
    venv.ensure("lean")
    assert sorted(path.name for path in place.iterdir()) == [
        ".posebowl.json",
        "sync.txt",
        "venv.txt",
    ]
    assert not place.with_name(f".{place.name}.part").exists()


def test_without_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(venv.shutil, "which", lambda _: None)
    with pytest.raises(EngineError, match="uv is not installed"):
        venv.ensure("lean")


@pytest.mark.parametrize(
    ("said", "why", "fix"),
    [
        ("cause: invalid peer certificate: UnknownIssuer", "certificate", "SSL_CERT_FILE"),
        ("cause: Network connectivity is disabled, but", "may not use", "unset UV_OFFLINE"),
        ("failed to copy: No space left on device (os error 28)", "disk is full", "df -h '/a b'"),
        ("error: Permission denied (os error 13)", "may not be written", "POSEBOWL_CACHE"),
        ("cause: dns error\ncause: error resolving DNS", "does not reach", "air-gapped.md"),
        ("error: what uv says tomorrow", "what uv says tomorrow", "the network and the disk"),
    ],
)
def test_what_uv_says_in_a_sentence(said: str, why: str, fix: str) -> None:
    told = venv.uv_failure(said, Path("/a b/lean"))
    assert why in told[0]
    assert fix in told[1]
    assert "\n" not in told[0]
    assert (paths.ROOT / "docs" / "how-to" / "air-gapped.md").is_file()
