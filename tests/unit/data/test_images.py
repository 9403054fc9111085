from __future__ import annotations

import io
import os
import zlib
from pathlib import Path

import pytest
from PIL import Image

from posebowl.data import images as module
from posebowl.data.images import Flaw, look, look_at_photos


def png(width: int = 1280, height: int = 1024) -> bytes:
    buffer = io.BytesIO()
    image = Image.linear_gradient("L").resize((width, height))
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


PNG = png()
HALF = len(PNG) // 2


def with_head(change: bytes, at: int) -> bytes:
    """Change bytes of the header and make its checksum right again."""
    data = bytearray(PNG)
    data[at : at + len(change)] = change
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize(
    ("data", "flaw"),
    [
        (PNG, None),
        (PNG + b"comment behind the end", None),
        (b"", (Flaw.BROKEN, "")),
        (PNG[:20], (Flaw.BROKEN, "")),
        (PNG[:33], (Flaw.BROKEN, "")),
        (PNG[:HALF], (Flaw.BROKEN, "")),
        (b"GIF89a" + PNG[6:], (Flaw.BROKEN, "")),
        (PNG[:12] + b"JUNK" + PNG[16:], (Flaw.BROKEN, "")),
        (PNG[:17] + b"\x05" + PNG[18:], (Flaw.BROKEN, "")),
        (bytes(len(PNG)), (Flaw.BROKEN, "")),
        (png(640, 480), (Flaw.SIZE, " (640x480)")),
        (png(1024, 1280), (Flaw.SIZE, " (1024x1280)")),
        (with_head((2**31 - 1).to_bytes(4, "big"), 16), (Flaw.SIZE, f" ({2**31 - 1}x1024)")),
    ],
)
def test_a_flaw_is_seen(
    data: bytes, flaw: tuple[Flaw, str] | None, deep: bool, tmp_path: Path
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(data)
    assert look(path, deep=deep) == flaw


def test_only_a_deep_look_sees_damage_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG[:HALF] + bytes(200) + PNG[HALF + 200 :])
    assert look(path) is None
    assert look(path, deep=True) == (Flaw.BROKEN, "")


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "real.png").write_bytes(PNG)
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    (tmp_path / "folder.png").mkdir()
    assert look(tmp_path / "link.png") == (Flaw.LINK, "")
    assert look(tmp_path / "folder.png") == (Flaw.SPECIAL, " (a folder)")
    assert look(tmp_path / "none.png") == (Flaw.MISSING, "")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "fifo.png")
        assert look(tmp_path / "fifo.png") == (Flaw.SPECIAL, " (a FIFO)")


def test_a_photo_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(module, "open_regular", refuse)
    assert look(tmp_path / "a.png") == (Flaw.UNREADABLE, " (Permission denied)")


@pytest.mark.parametrize("count", [1, 3, 450])
def test_ids_keep_their_order_over_batches_and_threads(count: int, tmp_path: Path) -> None:
    ids = [f"id{i:04}" for i in range(count)][::-1]
    for i in ids[::2]:
        (tmp_path / f"{i}.png").write_bytes(PNG)
    (tmp_path / "zz.png").write_bytes(PNG)
    (tmp_path / "notes.txt").write_bytes(b"")
    found = look_at_photos(tmp_path, ids)
    assert found.flawed == ({Flaw.MISSING: ids[1::2]} if count > 1 else {})
    assert found.extra == ["zz.png"]
