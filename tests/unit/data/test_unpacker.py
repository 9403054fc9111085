from __future__ import annotations

import io
import random
import stat
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from posebowl.data import unpacker as module
from posebowl.data.unpacker import unpack
from posebowl.errors import BadDataError, PoseBowlError
from tests.hostile.archives import build, deflated64

PHOTOS = {f"{i:032x}.png": random.Random(i).randbytes(900 + 512 * (i % 3) + i) for i in range(9)}
KINDS = ["tar", "tar.gz", "tar.bz2", "tar.xz", "zip"]


def make_tar(
    path: Path, files: dict[str, bytes], more: list[tarfile.TarInfo] | None = None
) -> Path:
    suffix = path.suffix.lstrip(".")
    mode = f"w:{suffix if suffix in {'gz', 'bz2', 'xz'} else ''}"
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for info in more or []:
            archive.addfile(info)
    return path


def make(path: Path, files: dict[str, bytes]) -> Path:
    if path.suffix != ".zip":
        return make_tar(path, files)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def contents(data: Path) -> dict[str, bytes]:
    """All files under a data folder, hidden ones too."""
    return {str(p.relative_to(data)): p.read_bytes() for p in data.rglob("*") if p.is_file()}


def photos(files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"images/{Path(name).name}": data for name, data in files.items()}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("folder", ["", "images/", "./images/", "a/b/images/"])
def test_photos_come_out_flat(kind: str, folder: str, tmp_path: Path) -> None:
    archive = make(tmp_path / f"x.{kind}", {f"{folder}{n}": d for n, d in PHOTOS.items()})
    done = unpack([archive], tmp_path / "data")
    assert (done.written, done.kept, done.left_out) == (9, 0, 0)
    assert contents(tmp_path / "data") == photos(PHOTOS)


def test_the_kind_is_told_by_the_content_not_the_name(tmp_path: Path) -> None:
    archive = make(tmp_path / "x.tar.gz", PHOTOS).rename(tmp_path / "x.tar")
    assert unpack([archive], tmp_path / "data").written == 9


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_start_skips_what_is_there(kind: str, tmp_path: Path) -> None:
    archive = make(tmp_path / f"x.{kind}", PHOTOS)
    first = next(iter(PHOTOS))
    unpack([archive], tmp_path / "data")
    (tmp_path / "data" / "images" / first).unlink()
    done = unpack([archive], tmp_path / "data")
    assert (done.written, done.kept) == (1, 8)
    assert contents(tmp_path / "data") == photos(PHOTOS)


def test_several_archives_at_once(tmp_path: Path) -> None:
    items = list(PHOTOS.items())
    archives = [
        make(tmp_path / f"{i}.{kind}", dict(items[i * 3 : i * 3 + 3]))
        for i, kind in enumerate(["tar", "tar.gz", "zip"])
    ]
    assert unpack(archives, tmp_path / "data").written == 9
    assert contents(tmp_path / "data") == photos(PHOTOS)


def test_tables_at_the_top_come_too(tmp_path: Path) -> None:
    files = {"./train_labels.csv": b"a", "submission_format.csv": b"b", "deeper/x.csv": b"c"}
    done = unpack([make(tmp_path / "x.tar", files)], tmp_path / "data")
    assert (done.written, done.left_out) == (2, 1)
    expected = {"train_labels.csv": b"a", "submission_format.csv": b"b"}
    assert contents(tmp_path / "data") == expected


def special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def test_nothing_but_plain_files_comes_out_of_a_tar(tmp_path: Path) -> None:
    files = {
        "good.png": b"good",
        "../slip.png": b"x",
        "/absolute.png": b"x",
        "a/../../slip2.png": b"x",
        "..\\slip3.png": b"x",
        "__MACOSX/._good.png": b"x",
        "._good.png": b"x",
        ".hidden.png": b"x",
        "script.sh": b"x",
        "with space.png": b"x",
        "bad\x1b[2J.png": b"x",
        ".png": b"x",
        "\u00e9.png": b"x",
    }
    more = [
        special("link.png", tarfile.SYMTYPE, "/etc/passwd"),
        special("hard.png", tarfile.LNKTYPE, "good.png"),
        special("fifo.png", tarfile.FIFOTYPE),
        special("device.png", tarfile.CHRTYPE),
        special("folder.png", tarfile.DIRTYPE),
    ]
    done = unpack([make_tar(tmp_path / "x.tar", files, more)], tmp_path / "data")
    assert contents(tmp_path / "data") == {"images/good.png": b"good"}
    assert (done.written, done.left_out) == (1, len(files) - 1 + len(more) - 1)
    assert {p.name for p in tmp_path.iterdir()} == {"data", "x.tar"}


def test_no_link_comes_out_of_a_zip(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("link.png")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
        archive.writestr("../slip.png", b"x")
        archive.writestr("good.png", b"good")
    assert unpack([path], tmp_path / "data").left_out == 2
    assert contents(tmp_path / "data") == {"images/good.png": b"good"}


def test_a_file_of_another_size_is_named_and_kept(tmp_path: Path) -> None:
    archive = make(tmp_path / "x.tar", PHOTOS)
    name = list(PHOTOS)[4]
    mine = tmp_path / "data" / "images" / name
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    with pytest.raises(BadDataError) as caught:
        unpack([archive], tmp_path / "data")
    assert name in str(caught.value)
    assert "--force" in caught.value.fix
    assert mine.read_bytes() == b"mine"
    unpack([archive], tmp_path / "data", force=True)
    assert contents(tmp_path / "data") == photos(PHOTOS)


def test_force_replaces_a_link_and_not_what_it_points_to(tmp_path: Path) -> None:
    name, data = next(iter(PHOTOS.items()))
    archive = make(tmp_path / "x.tar", {name: data})
    outside = tmp_path / "outside"
    outside.write_bytes(data)
    link = tmp_path / "data" / "images" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    with pytest.raises(BadDataError, match="It is a link"):
        unpack([archive], tmp_path / "data")
    outside.write_bytes(b"untouched")
    unpack([archive], tmp_path / "data", force=True)
    assert not link.is_symlink()
    assert outside.read_bytes() == b"untouched"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9])
def test_a_cut_archive_says_so_and_can_be_resumed(kind: str, share: float, tmp_path: Path) -> None:
    whole = make(tmp_path / f"whole.{kind}", PHOTOS)
    data = whole.read_bytes()
    cut = tmp_path / f"cut.{kind}"
    cut.write_bytes(data[: int(share * len(data))])
    with pytest.raises(BadDataError, match="is cut off, damaged") as caught:
        unpack([cut], tmp_path / "data")
    left = contents(tmp_path / "data")
    assert left.items() <= photos(PHOTOS).items()
    assert f"{len(left)} file" in str(caught.value)
    assert "repeat the command" in caught.value.fix
    done = unpack([whole], tmp_path / "data")
    assert (done.kept, done.written) == (len(left), 9 - len(left))
    assert contents(tmp_path / "data") == photos(PHOTOS)


def test_a_tar_cut_between_two_members_is_told_from_a_whole_one(tmp_path: Path) -> None:
    whole = make(tmp_path / "x.tar", PHOTOS)
    with tarfile.open(whole) as archive:
        offset = archive.getmembers()[5].offset
    whole.write_bytes(whole.read_bytes()[:offset])
    with pytest.raises(BadDataError, match="5 files of it"):
        unpack([whole], tmp_path / "data")
    assert len(contents(tmp_path / "data")) == 5


@given(
    kind=st.sampled_from(["tar", "tar.gz", "zip"]),
    places=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8)), max_size=4),
    cut=st.floats(0, 1),
)
def test_damage_never_leaves_half_a_file_or_a_traceback(
    kind: str, places: list[tuple[float, bytes]], cut: float
) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = make(Path(name) / f"x.{kind}", PHOTOS)
        data = bytearray(path.read_bytes())
        for place, piece in places:
            at = int(place * (len(data) - 1))
            data[at : at + len(piece)] = piece
        path.write_bytes(data[: int(cut * len(data))])
        target = Path(name) / "data"
        failed = False
        try:
            done = unpack([path], target)
        except BadDataError:
            failed = True
        sizes = {f"images/{n}": len(d) for n, d in PHOTOS.items()}
        left = contents(target)
        assert not any(name.endswith(".part") for name in left)
        if kind == "zip":
            assert left.items() <= photos(PHOTOS).items()
        if not places:
            assert {n: len(d) for n, d in left.items()}.items() <= sizes.items()
            assert failed or done.written == 9


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh9", b"hello" * 500]
)
def test_what_is_no_archive_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(data)
    with pytest.raises(BadDataError, match="not an archive of a known kind"):
        unpack([path], tmp_path / "data")


def test_a_missing_archive_is_named_before_anything_is_made(tmp_path: Path) -> None:
    good = make(tmp_path / "x.tar", PHOTOS)
    with pytest.raises(BadDataError, match=r"nowhere\.tar cannot be read"):
        unpack([good, tmp_path / "nowhere.tar"], tmp_path / "data")
    with pytest.raises(BadDataError, match="a folder, not an archive"):
        unpack([good, tmp_path], tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "x.zip", {"a.png": b"secret"})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(BadDataError, match="password"):
        unpack([path], tmp_path / "data")
    assert contents(tmp_path / "data") == {}


def test_a_giant_is_no_photo(tmp_path: Path) -> None:
    archive = make(tmp_path / "x.tar.gz", {"a.png": bytes(1000), "bomb.png": bytes(1001)})
    with pytest.raises(BadDataError, match=r"bomb\.png.* not a png"):
        unpack([archive], tmp_path / "data", largest={".png": 1000})
    assert set(contents(tmp_path / "data")) == {"images/a.png"}


def test_two_members_of_one_name_and_two_sizes_are_refused(tmp_path: Path) -> None:
    archive = make(tmp_path / "x.tar", {"a/x.png": b"1", "b/x.png": b"22"})
    with pytest.raises(BadDataError, match="occurs twice"):
        unpack([archive], tmp_path / "data", force=True)


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
def test_a_full_disk_is_seen_before_anything_is_written(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = module.shutil.disk_usage(tmp_path)
    low = usage._replace(free=module._RESERVE + 50)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: low)
    with pytest.raises(PoseBowlError, match="is full") as caught:
        unpack([make(tmp_path / f"x.{kind}", PHOTOS)], tmp_path / "data")
    assert "repeat the command" in caught.value.fix
    assert contents(tmp_path / "data") == {}


def test_a_disk_that_fills_up_under_way_keeps_what_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, written = module._put, []

    def put(sink: io.FileIO, chunk: bytes, place: Path) -> None:
        if len(written) == 4:
            sink.write(chunk[:10])
            raise module._cannot_write(place, OSError(module.errno.ENOSPC, "full"))
        written.append(place)
        real(sink, chunk, place)

    monkeypatch.setattr(module, "_put", put)
    with pytest.raises(PoseBowlError, match="is full"):
        unpack([make(tmp_path / "x.tar", PHOTOS)], tmp_path / "data")
    assert contents(tmp_path / "data") == photos(dict(list(PHOTOS.items())[:4]))


def test_remains_of_a_killed_call_are_removed_and_those_of_a_living_one_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = tmp_path / "data" / "images"
    images.mkdir(parents=True)
    for name in (".a.png.111.part", ".b.png.222.part", "mine.part", ".c.png.part"):
        (images / name).write_bytes(b"half")
    monkeypatch.setattr(module.psutil, "pid_exists", lambda pid: pid == 222)
    unpack([make(tmp_path / "x.tar", {"a.png": b"1"})], tmp_path / "data")
    assert {p.name for p in images.iterdir()} == {
        "a.png", ".b.png.222.part", "mine.part", ".c.png.part",
    }  # fmt: skip


def test_a_target_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"mine")
    with pytest.raises(PoseBowlError, match="cannot be written"):
        unpack([make(tmp_path / "x.tar", PHOTOS)], tmp_path / "data")
    assert (tmp_path / "data").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("name", "data", "kind", "command"),
    [
        ("x.tar.zst", b"\x28\xb5\x2f\xfd" + bytes(99), "compressed by zstd", "tar --zstd -xf"),
        ("x.tar.lz4", b"\x04\x22\x4d\x18" + bytes(99), "compressed by lz4", "tar -I lz4 -xf"),
        ("x.7z", b"7z\xbc\xaf\x27\x1c" + bytes(99), "a 7z archive", "7z x"),
        ("x.rar", b"Rar!" + bytes(99), "a RAR archive", "unrar x"),
        ("x.zip", build(deflated64(b"a.png", b"photo")), "packed by Deflate64", "unzip"),
    ],
)
def test_what_another_program_unpacks_is_left_to_it(
    name: str, data: bytes, kind: str, command: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(BadDataError, match=kind) as caught:
        unpack([path], tmp_path / "data")
    assert f"`{command} {path}`" in caught.value.fix
    assert "Download" not in caught.value.fix


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_an_archive_around_an_archive_is_told(kind: str, tmp_path: Path) -> None:
    inner = make(tmp_path / "images.tar", PHOTOS).read_bytes()
    outer = make(tmp_path / f"x.{kind}", {"deep/images.tar": inner})
    with pytest.raises(BadDataError, match="holds no photos") as caught:
        unpack([outer], tmp_path / "data")
    assert "deep/images.tar" in caught.value.why
    assert "invoke data.unpack images.tar" in caught.value.fix
    empty = make(tmp_path / "y.zip", {"readme.txt": b"x"})
    with pytest.raises(BadDataError, match="holds no photos") as caught:
        unpack([empty], tmp_path / "data")
    assert not caught.value.why
