import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, strategies as st
from PIL import Image

pytest.importorskip("cv2", reason="needs the lean group: uv run --group lean pytest")

from posebowl.training import solution_modules

photos = solution_modules.module("photos")
boxes = solution_modules.module("boxes")

RAMP = np.arange(48 * 60, dtype=np.uint32).reshape(48, 60)
GREY = (RAMP * 255 // RAMP.max()).astype(np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=2)


def png(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def chunk(name, content):
    body = name + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def interlaced(pixels):
    """Write an 8-bit colour PNG in seven passes, as Pillow and OpenCV cannot."""
    passes = [(0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4)]
    passes += [(2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1)]
    rows = b"".join(
        b"\0" + row.tobytes() for y, dy, x, dx in passes for row in pixels[y::dy, x::dx] if row.size
    )
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 2, 0, 0, 1)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks)


@pytest.fixture(params=["quick", "opencv"])
def decoder(request, monkeypatch):
    """Read with the quick decoder, and as where it is missing."""
    if request.param == "opencv":
        monkeypatch.setattr(photos, "rust", None)
    else:
        pytest.importorskip("kornia_rs", reason="needs the lean group: uv run --group lean pytest")


@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param(Image.fromarray(COLOUR), COLOUR, id="colour"),
        pytest.param(Image.fromarray(GREY), np.dstack([GREY] * 3), id="grey"),
        pytest.param(Image.fromarray(np.dstack([COLOUR, GREY])), COLOUR, id="transparent"),
        pytest.param(
            Image.fromarray(GREY.astype(np.uint16) * 257), np.dstack([GREY] * 3), id="16 bit"
        ),
        pytest.param(
            Image.fromarray(GREY > 127), np.dstack([(GREY > 127) * np.uint8(255)] * 3), id="1 bit"
        ),
        pytest.param(Image.fromarray(COLOUR[:1, :1]), COLOUR[:1, :1], id="one pixel"),
        pytest.param(Image.fromarray(GREY).convert("P"), np.dstack([GREY] * 3), id="palette"),
        pytest.param(interlaced(COLOUR), COLOUR, id="interlaced"),
        pytest.param(interlaced(COLOUR[:3, :2]), COLOUR[:3, :2], id="interlaced, empty pass"),
    ],
)
def test_read(tmp_path, image, expected):
    path = tmp_path / "photo.png"
    path.write_bytes(image if isinstance(image, bytes) else png(image))
    photo = photos.read(path)
    assert photo.dtype == np.uint8
    np.testing.assert_array_equal(photo, expected)


@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="missing"),
        pytest.param(b"", id="empty"),
        pytest.param(b"no image at all", id="text"),
        pytest.param(png(Image.fromarray(COLOUR))[:40], id="header only"),
        pytest.param(png(Image.fromarray(COLOUR))[:-60], id="cut off"),
        pytest.param(png(Image.fromarray(COLOUR)).replace(b"IDAT", b"IDAU"), id="no pixels"),
    ],
)
def test_read_broken(tmp_path, content):
    path = tmp_path / "photo.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(photos.BrokenPhotoError, match=r"."):
        photos.read(path)


@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize("colour", [0, 2], ids=["grey", "colour"])
def test_a_header_that_claims_more_than_memory_holds_is_refused(tmp_path, colour):
    head = struct.pack(">IIBBBBB", 30000, 30000, 8, colour, 0, 0, 0)
    rows = zlib.compress(bytes(1 << 20))
    chunks = [(b"IHDR", head), (b"IDAT", rows), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks)
    (tmp_path / "photo.png").write_bytes(data)
    with pytest.raises(photos.BrokenPhotoError, match="claims 900,000,000 pixels"):
        photos.read(tmp_path / "photo.png")


NOISE = np.random.default_rng(0).integers(0, 256, (12, 17, 3), np.uint8)
FILES = [png(Image.fromarray(pixels)) for pixels in (COLOUR, NOISE, COLOUR[:1, :1])]


def filtered(pixels, filters):
    """Write a PNG whose rows are filtered as told, whatever that does to its size."""
    past = np.zeros((pixels.shape[0] + 1, pixels.shape[1] + 1, 3), int)
    past[1:, 1:] = pixels
    left, up, corner = past[1:, :-1], past[:-1, 1:], past[:-1, :-1]
    guess = left + up - corner
    near = [np.abs(guess - one) for one in (left, up, corner)]
    paeth = np.where(
        (near[0] <= near[1]) & (near[0] <= near[2]), left, np.where(near[1] <= near[2], up, corner)
    )
    guesses = [0 * left, left, up, (left + up) // 2, paeth]
    rows = b"".join(
        bytes([kind]) + ((past[1 + y, 1:] - guesses[kind][y]) % 256).astype(np.uint8).tobytes()
        for y, kind in enumerate(filters)
    )
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 2, 0, 0, 0)
    packed = zlib.compress(rows)
    parts = [packed[:9], packed[9:9], packed[9:]]  # a pixel may lie in two chunks, or none in one
    chunks = [(b"IHDR", head), (b"tEXt", b"a\0b"), *((b"IDAT", p) for p in parts), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks)


@given(filters=st.lists(st.integers(0, 4), min_size=12, max_size=12))
def test_quick_undoes_every_filter(filters):
    pytest.importorskip("kornia_rs", reason="needs the lean group: uv run --group lean pytest")
    data = filtered(NOISE, filters)
    assert photos.is_plain_png(data)
    np.testing.assert_array_equal(photos.decode_fast(data), NOISE)


@given(file=st.sampled_from(FILES), data=st.data())
def test_quick_believes_nothing_that_opencv_does_not(file, data):
    """Damage a file: the same pixels, or none from the quick decoder."""
    pytest.importorskip("kornia_rs", reason="needs the lean group: uv run --group lean pytest")
    place = data.draw(st.integers(0, len(file) - 1))
    end = data.draw(st.integers(place, min(len(file), place + 8)))
    damaged = file[:place] + data.draw(st.binary(max_size=8)) + file[end:]
    found = photos.decode_fast(damaged) if photos.is_plain_png(damaged) else None
    if found is not None:
        np.testing.assert_array_equal(found, photos.decode_opencv(damaged))


@pytest.mark.parametrize(
    ("data", "is_usual"),
    [
        pytest.param(FILES[0], True, id="colour"),
        pytest.param(FILES[0][:-1], False, id="a byte short"),
        pytest.param(FILES[0][:20], False, id="a piece"),
        pytest.param(png(Image.fromarray(GREY)), False, id="grey"),
        pytest.param(interlaced(COLOUR), False, id="interlaced"),
        pytest.param(
            FILES[0][:33] + chunk(b"tRNS", bytes(6)) + FILES[0][33:], False, id="a colour is clear"
        ),
        pytest.param(
            FILES[0][:16] + struct.pack(">II", 2**31 - 1, 2**31 - 1) + FILES[0][24:],
            False,
            id="claims a size that no memory holds",
        ),
    ],
)
def test_usual(data, is_usual):
    assert photos.is_plain_png(data) == is_usual


def test_read_a_folder(tmp_path):
    with pytest.raises(photos.BrokenPhotoError):
        photos.read(tmp_path)


@pytest.mark.parametrize("shape", [(1024, 1280), (1, 1), (7, 500), (500, 7), (64, 96)])
def test_show_fills_the_input_and_pads_with_grey(shape):
    photo = np.full((*shape, 3), 200, np.uint8)
    crop = boxes.letterbox(shape, (64, 96))
    shown = photos.crop_and_resize(photo, crop, (64, 96))
    assert shown.shape == (64, 96, 3)
    inside = np.zeros((64, 96), bool)
    rows = slice(crop.top, crop.top + crop.shown_height)
    inside[rows, crop.left : crop.left + crop.shown_width] = True
    assert (shown[inside] == 200).all()
    assert (shown[~inside] == photos.PADDING).all()


def test_a_crop_puts_pixels_where_it_maps_them():
    photo = np.zeros((1024, 1280, 3), np.uint8)
    box = np.array([640, 400, 720, 464])
    photo[400:464, 640:720] = 255
    crop = boxes.fit_crop(480, 320, 320, 256, (256, 320))
    shown = photos.crop_and_resize(photo, crop, (256, 320))
    xmin, ymin, xmax, ymax = crop.to_input(box).astype(int)
    expected = np.zeros((256, 320), bool)
    expected[ymin:ymax, xmin:xmax] = True
    np.testing.assert_array_equal(shown[..., 0] > 127, expected)
