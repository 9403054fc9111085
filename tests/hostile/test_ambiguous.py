"""Zips that two unpackers may read differently: what is accepted lies on disk as it was checked."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from posebowl.challenge import ARCHIVE_LIMITS
from posebowl.errors import BadArchiveError
from posebowl.paths import RUNTIME
from posebowl.submission import archive
from posebowl.submission.zip_reader import read_member
from tests.hostile import ambiguous
from tests.hostile.ambiguous import Named
from tests.hostile.test_unzip import tree

pytestmark = pytest.mark.skipif(not shutil.which("unzip"), reason="needs Info-ZIP")


@pytest.fixture(scope="module")
def unpacker() -> ModuleType:
    """Load the script that unpacks in a run."""
    spec = importlib.util.spec_from_file_location("unpack", RUNTIME / "unpack.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def checked(path: Path, target: Path) -> bool:
    """Write what the check takes a zip for; return whether it stands by the names."""
    with path.open("rb") as file:
        directory, entries, _ = archive._read_entries(
            file, path.stat().st_size, path, ARCHIVE_LIMITS
        )
        archive._read_main(file, entries, path)
        for name, entry in entries.items():
            place = target / name
            (place if name.endswith("/") else place.parent).mkdir(parents=True, exist_ok=True)
            if archive.is_link(entry):
                place.symlink_to(read_member(file, entry, path, limit=entry.size).decode())
            elif not name.endswith("/"):
                place.write_bytes(read_member(file, entry, path, limit=entry.size))
    return all(entry.plain_name for entry in directory.entries)


def held(folder: Path) -> Iterator[str]:
    """Yield the digest of what each file and link holds."""
    for path in folder.rglob("*"):
        if path.is_symlink():
            yield digest(os.fsencode(path.readlink()))
        elif path.is_file():
            yield digest(path.read_bytes())


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def by_program(*argv: str | Path) -> int:
    """Run an unpacker; return its exit code."""
    return subprocess.run(
        argv, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}, stdin=subprocess.DEVNULL,
        capture_output=True, check=False, timeout=60,
    ).returncode  # fmt: skip


@pytest.mark.parametrize("family", ambiguous.FAMILIES, ids=lambda family: family.__name__)
def test_what_is_accepted_is_one_zip_to_all(
    family: Callable[[], Iterator[Named]], unpacker: ModuleType, tmp_path: Path
):
    accepted = 0
    for number, (name, data) in enumerate(family()):
        place = tmp_path / str(number)
        place.mkdir()
        path = place / "submission.zip"
        path.write_bytes(data)
        try:
            plain = checked(path, place / "checked")
        except BadArchiveError:
            shutil.rmtree(place)
            continue
        accepted += 1
        seen = tree(place / "checked")
        assert seen["main.sh"] == digest(ambiguous.HONEST)
        with path.open("rb") as file:
            unpacker.unpack(file, place / "ours", unpacker.MAX_BYTES)
        assert tree(place / "ours") == seen, name
        assert by_program("unzip", "-q", path, "-d", place / "unzip") == 0, name
        assert alike(tree(place / "unzip"), seen, plain=plain), name
        if shutil.which("7z"):
            argv = ("7z", "x", "-y", "-snl", f"-o{place / '7z'}", path)
            assert by_program(*argv) or alike(tree(place / "7z"), seen, plain=plain), name
        with zipfile.ZipFile(path) as opened:  # which takes links for files and ignores 0x7075
            contents = [opened.read(info) for info in opened.infolist() if not info.is_dir()]
        assert sorted(map(digest, contents)) == sorted(held(place / "checked")), name
        shutil.rmtree(place)
    assert accepted


def alike(found: dict[str, str], seen: dict[str, str], *, plain: bool) -> bool:
    """Compare two trees; of names that the check warns of, only what they hold."""
    return found == seen if plain else sorted(found.values()) == sorted(seen.values())
