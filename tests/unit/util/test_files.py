"""Files and folders written whole or not at all, and untrusted ones opened with care."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
from pathlib import Path

import pytest

from posebowl.errors import UsageError
from posebowl.util.files import (
    atomic_folder,
    atomic_write,
    digest_file,
    file_kind,
    make_folder,
    open_regular,
    refuse_existing,
    write_text,
)
from tests.umask import closed


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with atomic_write(path) as file:
        file.write(b"one")
        assert not path.exists()
        assert [other.parent for other in tmp_path.iterdir()] == [tmp_path]
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def _write_and_crash(path: Path, blow: type[BaseException]) -> None:
    with atomic_write(path) as file:
        file.write(b"new")
        raise blow


@pytest.mark.parametrize("blow", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_crash_in_the_block_leaves_the_old_file(
    tmp_path: Path, blow: type[BaseException]
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(blow):
        _write_and_crash(path, blow)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_under_way_can_be_read_back(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a") as file:
        file.write(b"abc")
        file.seek(0)
        assert file.read() == b"abc"


def test_a_link_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("mine")
    link.symlink_to(target)
    write_text(link, "new")
    assert target.read_text() == "mine"
    assert not link.is_symlink()


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_text(tmp_path / "folder", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "none" / "a", "text")


def test_text_is_utf8_with_lf_and_takes_any_file_name(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "ä\n" + os.fsdecode(b"\xff"))
    assert (tmp_path / "a").read_bytes() == "ä\n".encode() + rb"\udcff"


def test_open_regular(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    with open_regular(tmp_path / "a") as file:
        assert file.read() == b"abc"


def _make(kind: str, place: Path, elsewhere: Path) -> None:
    match kind:
        case "link":
            elsewhere.write_text("secret")
            place.symlink_to(elsewhere)
        case "dangling link":
            place.symlink_to(elsewhere)
        case "link to itself":
            place.symlink_to(place)
        case "folder":
            place.mkdir()
        case "FIFO":
            os.mkfifo(place)
        case "socket":
            with socket.socket(socket.AF_UNIX) as sock:
                sock.bind(str(place))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("link", "a link"),
        ("dangling link", "a link"),
        ("link to itself", "a link"),
        ("folder", "a folder"),
        ("FIFO", "a FIFO"),
        ("socket", "a socket"),
    ],
)
def test_what_is_no_regular_file_is_named_at_once(
    kind: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    _make(kind, Path("odd"), tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=f"^{said}$"):
        open_regular(Path("odd"))


def test_a_device_is_not_opened() -> None:
    with pytest.raises(ValueError, match=r"^a character device$"):
        open_regular(Path("/dev/zero"))


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none")


@pytest.mark.parametrize("kind", ["link", "FIFO"])
def test_what_changes_between_look_and_open_is_still_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, regular = tmp_path / "odd", tmp_path / "regular"
    regular.write_text("")
    _make(kind, place, tmp_path / "elsewhere")
    looked_at = regular.lstat()
    monkeypatch.setattr(Path, "lstat", lambda _: looked_at)
    with pytest.raises((ValueError, OSError)):
        open_regular(place)


def test_file_kind_names_every_mode() -> None:
    assert file_kind(stat.S_IFBLK | 0o644) == "a block device"
    assert file_kind(0) == "a special file"


def test_a_folder_is_written_whole(tmp_path: Path) -> None:
    target = tmp_path / "kept"
    target.mkdir()
    (target / "old").touch()
    with atomic_folder(target) as partial:
        (partial / "new").write_text("new")
        assert [path.name for path in target.iterdir()] == ["old"]
    assert [path.name for path in target.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [target]


def _fill_and_crash(path: Path, blow: type[BaseException]) -> None:
    with atomic_folder(path) as partial:
        (partial / "new").touch()
        raise blow


@pytest.mark.parametrize("blow", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_crash_in_the_block_leaves_the_old_folder(
    tmp_path: Path, blow: type[BaseException]
) -> None:
    target = tmp_path / "kept"
    target.mkdir()
    with pytest.raises(blow):
        _fill_and_crash(target, blow)
    assert list(tmp_path.iterdir()) == [target]
    assert not any(target.iterdir())


def test_what_a_killed_process_left_is_not_taken_for_whole(tmp_path: Path) -> None:
    (tmp_path / ".kept.part").mkdir()
    (tmp_path / ".kept.part" / "half").touch()
    with atomic_folder(tmp_path / "kept"):
        pass
    assert not any((tmp_path / "kept").iterdir())


@pytest.mark.usefixtures("each_umask")
def test_all_users_may_read_what_is_made(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a" / "b").is_dir()
    with atomic_folder(tmp_path / "a" / "b" / "c") as partial:
        write_text(partial / "file", "text")
    assert closed(tmp_path / "a") == []


def test_make_folder_leaves_modes_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir(mode=0o700)
    make_folder(tmp_path / "private" / "new")
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o700
    assert make_folder(tmp_path) == tmp_path


def test_what_exists_is_refused_in_one_way(tmp_path: Path) -> None:
    target = tmp_path / "a"
    refuse_existing(target, force=False)
    target.symlink_to("nowhere")
    refuse_existing(target, force=True)
    with pytest.raises(UsageError) as caught:
        refuse_existing(target, force=False)
    assert str(caught.value) == f"{target} already exists. Use --force to overwrite it."


def test_a_digest_is_of_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc" * 100_000)
    with path.open("rb") as file:
        file.seek(7)
        assert digest_file(file) == hashlib.sha256(path.read_bytes()).hexdigest()
