from __future__ import annotations

import hashlib
import os
import shutil
import stat
import struct
import subprocess
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from posebowl.challenge import ArchiveLimits
from posebowl.errors import BadArchiveError, UsageError
from posebowl.submission.archive import digest, inspect
from tests.hostile.archives import (
    MAIN,
    REGULAR,
    Member,
    build,
    deflated,
    main,
    streamed,
    tree,
    unicode_path,
    zeros,
)


def write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "submission.zip"
    path.write_bytes(data)
    return path


def test_what_an_archive_says(tmp_path: Path):
    files = {
        "main.sh": b"cd src\npython -m lightgbm\npython run.py\n",
        "src/run.py": b"import torch.nn as nn, os\nfrom . import near\nimport helper\n",
        "src/helper.py": b"import cv2\n",
        "w.pt": b"\0" * 1000,
    }
    path = write(tmp_path, tree(files))
    found = inspect(path)
    assert found.path == path
    assert (found.entries, found.files) == (4, 4)
    assert found.packed_bytes == path.stat().st_size
    assert found.unpacked_bytes == sum(map(len, files.values()))
    assert found.main_script.encode() == files["main.sh"]
    assert found.imports == {"torch", "cv2", "lightgbm"}
    assert found.warnings == ()


def test_digest(tmp_path: Path):
    data = tree({"main.sh": MAIN})
    assert digest(write(tmp_path, data)) == hashlib.sha256(data).hexdigest()


def test_a_link_that_the_user_names_is_followed(tmp_path: Path):
    write(tmp_path, tree({"main.sh": MAIN}))
    (tmp_path / "link.zip").symlink_to("submission.zip")
    assert inspect(tmp_path / "link.zip").files == 1


@pytest.mark.parametrize("data", [b"", b"no zip", tree({"main.sh": b"a\r\n"})])
def test_the_name_of_a_zip_forges_no_line(data: bytes, tmp_path: Path):
    path = tmp_path / "a\n1  winner\x1b[1m.zip"
    for _ in range(2):  # missing, and there
        with pytest.raises((BadArchiveError, UsageError)) as caught:
            inspect(path)
        assert r"a\n1  winner\x1b[1m.zip" in caught.value.what
        assert "\n" not in str(caught.value)
        path.write_bytes(data)
    with pytest.raises(UsageError) as caught:
        inspect(tmp_path / "a\n1  winer.zip")
    assert "\n" not in caught.value.fix
    path.write_bytes(tree({"main.sh": MAIN}))
    path.chmod(0o600)
    found = inspect(path)
    assert found.path == path
    assert "\n" not in "".join(found.warnings)


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("missing", "does not exist"),
        ("folder", "a folder"),
        ("fifo", "FIFO"),
        ("loop", "cannot be read|no .*a.zip"),
    ],
)
def test_what_is_no_file(kind: str, what: str, tmp_path: Path):
    path = tmp_path / "a.zip"
    match kind:
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "loop":
            path.symlink_to(path)
    for read in (inspect, digest):
        with pytest.raises(UsageError, match=what):
            read(path)


def test_a_missing_zip_suggests_the_one_that_is_there(tmp_path: Path):
    path = write(tmp_path, tree({"main.sh": MAIN}))
    with pytest.raises(UsageError) as caught:
        inspect(tmp_path / "submision.zip")
    assert caught.value.fix == f"Did you mean {path}?"
    other = path.rename(tmp_path / "su.zip")
    for path in (tmp_path / "typo.zip", other):
        with pytest.raises(UsageError) as caught:
            inspect(path)
        assert caught.value.fix == f"Check the path, or make the zip: invoke pack NAME --out {path}"
        other.unlink(missing_ok=True)


def test_a_folder_is_to_be_packed_or_holds_the_zip(tmp_path: Path):
    with pytest.raises(UsageError, match="is a folder, not a zip") as caught:
        inspect(tmp_path)
    assert "invoke pack" in caught.value.fix
    path = write(tmp_path, tree({"main.sh": MAIN}))
    with pytest.raises(UsageError) as caught:
        inspect(tmp_path)
    assert caught.value.fix == f"Did you mean {path}?"
    (tmp_path / "main.sh").write_bytes(MAIN)
    with pytest.raises(UsageError) as caught:
        inspect(tmp_path)
    assert caught.value.fix == f"Type: invoke pack {tmp_path}"


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        (ArchiveLimits(archive_bytes=500), "at most 500 B"),
        (ArchiveLimits(file_bytes=9999), "has 9.8 KiB; at most 9.8 KiB"),
        (ArchiveLimits(unpacked_bytes=10_000), "unpacks to"),
        (ArchiveLimits(entries=2), "3 entries; at most 2"),
    ],
)
def test_limits(limits: ArchiveLimits, what: str, tmp_path: Path):
    path = write(tmp_path, tree({"main.sh": MAIN, "a": bytes(10_000), "b": os.urandom(500)}))
    assert inspect(path).files == 3
    with pytest.raises(BadArchiveError, match=what):
        inspect(path, limits=limits)


def test_folders_that_only_paths_imply_count(tmp_path: Path):
    deep = Member(name=b"/".join(b"%d" % n for n in range(50)))
    with pytest.raises(BadArchiveError, match="more than 20 folders"):
        inspect(write(tmp_path, build(main(), deep)), limits=ArchiveLimits(entries=20))


def test_a_small_archive_may_be_all_zeros(tmp_path: Path):
    content = bytes(50 << 20)
    assert inspect(write(tmp_path, build(main(), deflated(b"w", content)))).files == 2


@pytest.mark.parametrize("again", ["\n", '"', "'", "\\", "./a\n", "\r\n", " ", "pip install a\n"])
def test_many_long_scripts_do_not_take_long(again: str, tmp_path: Path):
    text = again.encode() * ((64 << 10) // len(again))
    path = write(tmp_path, build(main(), *(deflated(b"%d.sh" % n, text) for n in range(64))))
    start = time.process_time()
    assert inspect(path).files == 65
    assert time.process_time() - start < 5  # it took a minute


def test_a_huge_main_script_is_read_in_part(tmp_path: Path):
    script = b"# filler\n" * 300_000
    found = inspect(write(tmp_path, build(deflated(b"main.sh", script))))
    assert len(found.main_script) == 1 << 20
    assert any("Only the first" in warning for warning in found.warnings)


def test_a_main_script_that_inflates_without_end_is_refused(tmp_path: Path):
    bomb = Member(name=b"main.sh", data=zeros(4000), method=8, size=100, crc=0)
    with pytest.raises(BadArchiveError, match="damaged"):
        inspect(write(tmp_path, build(bomb)))
    # Empty blocks give no output at all, however many there are.
    idle = Member(name=b"main.sh", data=b"\0\0\0\xff\xff" * 10**6, method=8, size=100, crc=0)
    with pytest.raises(BadArchiveError, match="damaged"):
        inspect(write(tmp_path, build(idle)))


def test_more_entries_than_16_bits_count(tmp_path: Path):
    members = [Member(name=b"f%d" % number) for number in range(70_000)]
    found = inspect(write(tmp_path, build(main(), *members)))
    assert found.entries == 70_001


def test_large_sizes_in_the_zip64_fields(tmp_path: Path):
    size = 5 << 30
    wide = struct.pack("<2HQQ", 1, 16, size, 0)
    claim = Member(name=b"w", size=0xFFFFFFFF, extra=wide, local_extra=wide, attributes=REGULAR)
    path = write(tmp_path, build(main(), claim))
    with pytest.raises(BadArchiveError, match="two sizes"):
        inspect(path)
    other = struct.pack("<2HQQ", 1, 16, size + 1, 0)
    for local in (other, b""):
        liar = Member(
            name=b"w", data=b"\3\0", method=8, size=0xFFFFFFFF, extra=wide, local_extra=local
        )
        with pytest.raises(BadArchiveError, match="described twice"):
            inspect(write(tmp_path, build(main(), liar)))


@pytest.mark.parametrize("offset", [1 << 40, (1 << 64) - 1])
def test_a_header_offset_beyond_all(offset: int, tmp_path: Path):
    wide = struct.pack("<2HQ", 1, 8, offset)
    member = Member(name=b"w", offset=0xFFFFFFFF, extra=wide)
    with pytest.raises(BadArchiveError, match="not there"):
        inspect(write(tmp_path, build(main(), member)))


def test_gaps_are_told(tmp_path: Path):
    hidden = build(Member(name=b"hidden.py", data=b"x" * 500))[: 30 + 9 + 500]
    first = len(hidden)
    data = bytearray(hidden + build(main(offset=None)))
    # Move what the central directory says by the bytes put in front.
    end = len(data) - 22
    central = struct.unpack_from("<L", data, end + 16)[0] + first
    struct.pack_into("<L", data, end + 16, central)
    struct.pack_into("<L", data, central + 42, first)
    found = inspect(write(tmp_path, bytes(data)))
    assert found.warnings == ("515 B in the zip belong to no file of it.",)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"x/\0".ljust(257, b"\0") + b"ustar\x0000" + bytes(248), ["not a zip", "a tar file"]),
        (b"\xfd7zXZ\0" + bytes(50), ["not a zip", "an xz file"]),
        (b"\n<!DOCTYPE html><title>Sign in</title>", ["not a zip", "a web page"]),
        (b"version https://git-lfs.github.com/spec/v1\n", ["Git LFS", "Type: git lfs pull"]),
        (
            build(Member(name=b"a/submission.zip", data=build(main()))),
            ["no main.sh at its root", '"a/submission.zip"', "take it out"],
        ),
        (build(main(rb"{\rtf1\ansi sh}")), ["RTF", "Make Plain Text"]),
    ],
)
def test_what_was_handed_in_by_mistake_is_recognised(data: bytes, words: list[str], tmp_path: Path):
    with pytest.raises(BadArchiveError) as caught:
        inspect(write(tmp_path, data))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("name", "mode", "warned"),
    [
        (b"a", 0o100000, True),
        (b"a", 0o100044, True),
        (b"a", 0o100400, False),
        (b"d/", 0o40400, True),
        (b"d/", 0o40500, False),
    ],
)
def test_what_unzip_closes_to_its_owner_draws_a_warning(
    name: bytes, mode: int, warned: bool, tmp_path: Path
):
    for system, expected in ((3, warned), (0, False)):
        member = Member(name=name, attributes=mode << 16, system=system)
        warnings = inspect(write(tmp_path, build(main(), member))).warnings
        assert ["owner may read" in warning for warning in warnings] == [True] * expected


def test_modes_that_unzip_does_not_take_set_no_executable_bit(tmp_path: Path):
    for system, warned in ((3, False), (0, True), (19, True)):
        mode = (stat.S_IFREG | 0o755) << 16
        tool = Member(name=b"tool.sh", data=MAIN, attributes=mode, system=system)
        path = write(tmp_path, build(main(b"./tool.sh\n"), tool))
        warnings = inspect(path).warnings
        assert ["no executable bit" in warning for warning in warnings] == [True] * warned


@pytest.mark.parametrize(
    ("target", "warned"),
    [(b"gone.onnx", True), (b"../gone", True), (b"..", False), (b"b", False), (b"b/c", False),
     (b"b/gone", True), (b"other/gone", False)],
)  # fmt: skip
def test_a_link_to_what_is_not_there_draws_a_warning(target: bytes, warned: bool, tmp_path: Path):
    link = Member(name=b"a/l", data=target, attributes=(stat.S_IFLNK | 0o777) << 16)
    other = Member(name=b"a/other", data=b"b", attributes=(stat.S_IFLNK | 0o777) << 16)
    path = write(tmp_path, build(main(), link, other, Member(name=b"a/b/c")))
    warnings = inspect(path).warnings
    assert ["not in the zip: a/l" in warning for warning in warnings] == [True] * warned


@pytest.mark.skipif(not shutil.which("zip"), reason="needs Info-ZIP")
@pytest.mark.parametrize("words", [[], ["-0"], ["-X"], ["-UN=UTF8"], ["-fz"], ["-D"]])
def test_what_info_zip_makes_is_accepted(words: list[str], tmp_path: Path):
    source = tmp_path / "s"
    (source / "deep" / "ärger").mkdir(parents=True)
    (source / "main.sh").write_bytes(MAIN)
    (source / "deep" / "ärger" / "ü.py").write_text("x = 1\n")
    subprocess.run(["zip", "-qr", *words, "../a.zip", "."], cwd=source, check=True)
    found = inspect(tmp_path / "a.zip")
    assert found.files == 2
    assert found.main_script.encode() == MAIN


@pytest.mark.skipif(not shutil.which("zip"), reason="needs Info-ZIP")
def test_an_archive_made_through_a_pipe_is_accepted(tmp_path: Path):
    (tmp_path / "main.sh").write_bytes(MAIN)
    words = ["zip", "-q", "-", "main.sh"]
    done = subprocess.run(words, cwd=tmp_path, check=True, capture_output=True)
    assert inspect(write(tmp_path, done.stdout)).files == 1


def test_a_second_name_that_is_the_same_is_accepted(tmp_path: Path):
    extra = unicode_path("é".encode(), "é".encode())
    member = Member(name="é".encode(), extra=extra, local_extra=extra)
    assert inspect(write(tmp_path, build(main(), member))).files == 2


SEEDS = [
    tree({"main.sh": MAIN, "src/a.py": b"import x\n", "é": b"y" * 50}),
    build(main(), Member(name=b"a/"), Member(name=b"a/b", data=b"12345"), comment=b"hello"),
    build(main(), *(Member(name=b"%d" % n) for n in range(3))),
    streamed(),
]


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_archives_are_accepted_or_refused_and_never_crash(data, tmp_path: Path):
    content = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        piece = data.draw(
            st.one_of(st.binary(max_size=8), st.just(b"\xff" * 4), st.just(b"\0" * 4))
        )
        content[at : at + data.draw(st.sampled_from([0, len(piece)]))] = piece
    path = write(tmp_path, bytes(content))
    try:
        found = inspect(path)
    except BadArchiveError:
        return
    # What is accepted, a lenient reader sees in the same way.
    with zipfile.ZipFile(path) as archive:
        assert sum(info.file_size for info in archive.infolist()) == found.unpacked_bytes
        main_info = next(i for i in archive.infolist() if i.filename in {"main.sh", "./main.sh"})
        assert archive.read(main_info).decode(errors="replace") == found.main_script


@pytest.mark.skipif(os.geteuid() != 0, reason="whoever is not root runs as the same user")
def test_a_zip_that_only_root_may_read(tmp_path: Path):
    path = write(tmp_path, tree({"main.sh": MAIN}))
    path.chmod(0o600)
    (warning,) = inspect(path).warnings
    assert f"chmod a+r {path}" in warning
    path.chmod(0o644)
    assert inspect(path).warnings == ()
