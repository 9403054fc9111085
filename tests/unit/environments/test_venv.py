"""Environments made from the lock: where they are, who may read them, whole or not there."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from posebowl import paths
from posebowl.environments import digest, venv
from posebowl.environments.packages import package_names
from posebowl.environments.venv import ensure, location, ready
from posebowl.errors import EngineError
from tests.umask import closed
from tests.unit.environments.conftest import FakeUv

MAKES = """
place = words[-1] if words[0] == "venv" else os.environ["UV_PROJECT_ENVIRONMENT"]
os.makedirs(f"{place}/lib/deep", exist_ok=True)
for name, mode in (("private.py", 0o600), ("program", 0o700), (words[0], 0o644)):
    path = f"{place}/lib/deep/{name}"
    open(path, "w").close()
    os.chmod(path, mode)
print("Downloading torch (500 MiB)\\n + torch==2.0")
"""


def test_where_environments_are(tmp_path: Path) -> None:
    place = location("lean", tmp_path)
    assert place.parent == tmp_path / "environments"
    assert place.name.startswith("lean-py3.")
    assert place.name.endswith(digest()[:16])
    assert location("cpu", tmp_path) != place
    place.mkdir(parents=True)
    other = place.with_name("lean-py3.11-0123")
    other.mkdir()
    assert venv.of_other_locks(tmp_path) == [other]
    assert venv.of_other_locks(tmp_path / "none") == []


def test_an_environment_is_made_once(fake_uv: FakeUv, tmp_path: Path) -> None:
    calls = fake_uv(MAKES)
    notes: list[str] = []
    assert not ready("lean", tmp_path)
    place = ensure("lean", tmp_path, note=notes.append)
    assert place == location("lean", tmp_path)
    assert ready("lean", tmp_path)
    assert ensure("lean", tmp_path, note=notes.append) == place
    made = [json.loads(line)["words"] for line in calls.read_text().splitlines()]
    assert [words[0] for words in made] == ["venv", "sync"]
    assert {"--frozen", "--no-editable", "--compile-bytecode"} <= set(made[1])
    assert notes[0].startswith("Making the lean environment")
    assert "few hundred MB" in notes[0]
    assert notes[1:] == ["uv: Downloading torch (500 MiB)"]


def test_what_takes_long_is_told_now_and_then(
    fake_uv: FakeUv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(venv, "_NEWS_EVERY_S", 0.02)
    told = tmp_path / "told"
    fake_uv(
        MAKES
        + f"""
import time
open(place + "/lib/deep/large", "wb").write(bytes(3 << 20))
while words[0] == "sync" and not os.path.exists({str(told)!r}):
    time.sleep(0.01)
"""
    )
    notes: list[str] = []

    def note(text: str) -> None:
        notes.append(text)
        if "3.0 MiB after" in text:
            told.touch()

    ensure("lean", tmp_path, note=note)
    assert any(text.startswith("Still making the lean environment: 3.0 MiB") for text in notes)


def test_all_may_read_it_and_only_its_maker_may_write(
    fake_uv: FakeUv, tmp_path: Path, each_umask: int
) -> None:
    fake_uv(MAKES)
    cache = tmp_path / f"{each_umask:o}" / "cache"
    place = ensure("lean", cache)
    assert closed(place) == []
    for path in (place, *place.rglob("*")):
        status = path.lstat()
        assert not status.st_mode & stat.S_IWOTH
        assert status.st_uid == os.geteuid()
        # No user is in that group.
        assert not status.st_mode & stat.S_IWGRP or status.st_gid == venv.RUN_GROUP
    assert (place / "lib/deep/program").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("step", ["venv", "sync"])
def test_one_that_could_not_be_made_is_not_there(
    step: str, fake_uv: FakeUv, tmp_path: Path
) -> None:
    fake_uv(f"{MAKES}\nif words[0] == {step!r}: sys.exit('error: no network')")
    with pytest.raises(EngineError, match=r"could not be made from uv\.lock") as caught:
        ensure("cpu", tmp_path)
    assert caught.value.why.endswith("error: no network")
    assert caught.value.fix.endswith("then repeat this command.")
    assert "air-gapped.md" in caught.value.fix
    assert (paths.ROOT / "docs" / "how-to" / "air-gapped.md").is_file()
    assert not ready("cpu", tmp_path)
    assert [path.name for path in (tmp_path / "environments").iterdir() if path.is_dir()] == []
    fake_uv(MAKES)
    ensure("cpu", tmp_path)
    assert ready("cpu", tmp_path)


def test_what_a_killed_process_left_is_made_again(fake_uv: FakeUv, tmp_path: Path) -> None:
    fake_uv(MAKES)
    place = location("lean", tmp_path)
    for half in (place, place.with_name(f".{place.name}.part")):
        half.mkdir(parents=True)
        (half / "half.txt").write_text("")
    ensure("lean", tmp_path)
    assert sorted(path.name for path in place.iterdir()) == [".posebowl.json", "lib"]
    assert not place.with_name(f".{place.name}.part").exists()


PLANTED = "lib/python3.11/site-packages/planted.pth"


@pytest.mark.parametrize("name", ["", "bin", "bin/python", "lib/python3.11/site-packages", PLANTED])
@pytest.mark.parametrize("how", ["owner", "mode", "group"])
def test_one_that_others_can_change_is_made_again(
    name: str, how: str, fake_uv: FakeUv, tmp_path: Path
) -> None:
    if how != "mode" and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    calls = fake_uv(MAKES)
    place = ensure("lean", tmp_path)
    for file in (place / "bin/python", place / PLANTED):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert ready("lean", tmp_path)
    changed = place / name
    if how == "owner":
        os.chown(changed, venv.NOBODY, -1)
    elif how == "group":
        os.chown(changed, -1, venv.NOBODY)
        changed.chmod(0o775)
    else:
        changed.chmod(0o777)
    assert not ready("lean", tmp_path)
    ensure("lean", tmp_path)
    assert ready("lean", tmp_path)
    assert len(calls.read_text().splitlines()) == 4
    assert not (place / PLANTED).exists()


def test_a_cache_that_others_can_change_is_refused(fake_uv: FakeUv, tmp_path: Path) -> None:
    calls = fake_uv(MAKES)
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments").chmod(0o777)
    with pytest.raises(EngineError, match="Other users can change") as caught:
        ensure("lean", tmp_path)
    assert "POSEBOWL_CACHE" in caught.value.fix
    assert calls.read_text() == ""


def test_who_waits_for_another_process_hears_of_it(
    fake_uv: FakeUv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_uv(MAKES)
    monkeypatch.setattr(venv, "_NEWS_EVERY_S", 0.05)
    place = location("lean", tmp_path)
    partial = place.with_name(f".{place.name}.part")
    partial.mkdir(parents=True)
    (partial / "some").write_bytes(bytes(3 << 20))
    notes: list[str] = []
    heard = threading.Event()

    def note(text: str) -> None:
        notes.append(text)
        if len(notes) > 1:
            heard.set()

    held = FileLock(place.with_name(f"{place.name}.lock"), thread_local=False)
    held.acquire()
    waiting = threading.Thread(target=ensure, args=("lean", tmp_path), kwargs={"note": note})
    start = time.monotonic()
    waiting.start()
    assert heard.wait(30)
    held.release()
    waiting.join()
    assert time.monotonic() - start < 30
    assert notes[0].startswith("Waiting for another process, which is making the lean environment")
    assert "3.0 MiB after 0 s" in notes[0]
    assert ready("lean", tmp_path)


def test_without_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="uv is not installed"):
        ensure("lean", tmp_path)


def test_a_cache_that_cannot_be_used_names_its_setting(fake_uv: FakeUv, tmp_path: Path) -> None:
    fake_uv('print("packages = []")')
    (tmp_path / "file").touch()
    for use in (ensure, package_names):
        with pytest.raises(EngineError) as caught:
            use("lean", tmp_path / "file")
        assert (
            caught.value.what == f"The cache {tmp_path / 'file'} cannot be used: Not a directory."
        )
        assert "A part of the path is not a folder." in caught.value.why
        assert "export POSEBOWL_CACHE=" in caught.value.fix
