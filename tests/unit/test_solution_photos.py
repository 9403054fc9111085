import io

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("cv2", reason="needs the lean group: uv run --group lean pytest")

from posebowl.benchmark import solution

photos = solution.module("photos")
boxes = solution.module("boxes")

RAMP = np.arange(48 * 60, dtype=np.uint32).reshape(48, 60)
GREY = (RAMP * 255 // RAMP.max()).astype(np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=2)


def png(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param(Image.fromarray(COLOUR), COLOUR[..., ::-1], id="colour"),
        pytest.param(Image.fromarray(GREY), np.dstack([GREY] * 3), id="grey"),
        pytest.param(
            Image.fromarray(np.dstack([COLOUR, GREY])), COLOUR[..., ::-1], id="transparent"
        ),
        pytest.param(
            Image.fromarray(GREY.astype(np.uint16) * 257), np.dstack([GREY] * 3), id="16 bit"
        ),
        pytest.param(
            Image.fromarray(GREY > 127), np.dstack([(GREY > 127) * np.uint8(255)] * 3), id="1 bit"
        ),
        pytest.param(Image.fromarray(COLOUR[:1, :1]), COLOUR[:1, :1, ::-1], id="one pixel"),
    ],
)
def test_read(tmp_path, image, expected):
    path = tmp_path / "photo.png"
    path.write_bytes(png(image))
    photo = photos.read(path)
    assert photo.dtype == np.uint8
    np.testing.assert_array_equal(photo, expected)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="missing"),
        pytest.param(b"", id="empty"),
        pytest.param(b"no image at all", id="text"),
        pytest.param(png(Image.fromarray(COLOUR))[:40], id="header only"),
    ],
)
def test_read_broken(tmp_path, content):
    path = tmp_path / "photo.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(photos.BrokenPhotoError, match=r"."):
        photos.read(path)


def test_read_a_folder(tmp_path):
    with pytest.raises(photos.BrokenPhotoError):
        photos.read(tmp_path)


@pytest.mark.parametrize("shape", [(1024, 1280), (1, 1), (7, 500), (500, 7), (64, 96)])
def test_show_fills_the_input_and_pads_with_grey(shape):
    photo = np.full((*shape, 3), 200, np.uint8)
    window = boxes.letterbox(shape, (64, 96))
    shown = photos.show(photo, window, (64, 96))
    assert shown.shape == (64, 96, 3)
    inside = np.zeros((64, 96), bool)
    rows = slice(window.top, window.top + window.shown_height)
    inside[rows, window.left : window.left + window.shown_width] = True
    assert (shown[inside] == 200).all()
    assert (shown[~inside] == photos.PADDING).all()


def test_show_puts_pixels_where_the_window_says():
    photo = np.zeros((1024, 1280, 3), np.uint8)
    box = np.array([640, 400, 720, 464])
    photo[400:464, 640:720] = 255
    window = boxes.fit(480, 320, 320, 256, (256, 320))
    shown = photos.show(photo, window, (256, 320))
    xmin, ymin, xmax, ymax = window.to_input(box).astype(int)
    expected = np.zeros((256, 320), bool)
    expected[ymin:ymax, xmin:xmax] = True
    np.testing.assert_array_equal(shown[..., 0] > 127, expected)
