"""Packages that read, write and change pictures."""

# ruff: noqa: PLC0415
# Imports are inside the tests, so that one broken package fails alone.
from __future__ import annotations

from pathlib import Path

import numpy as np

RNG = np.random.default_rng(0)


def test_albumentations() -> None:
    import albumentations

    flip = albumentations.Compose(
        [albumentations.HorizontalFlip(p=1)],
        bbox_params=albumentations.BboxParams(format="pascal_voc", label_fields=["kinds"]),
    )
    done = flip(image=np.zeros((100, 200, 3), np.uint8), bboxes=[(10, 20, 50, 60)], kinds=[0])
    assert tuple(map(round, done["bboxes"][0][:4])) == (150, 20, 190, 60)


def test_imageio(tmp_path: Path) -> None:
    import imageio.v3 as imageio

    image = RNG.integers(0, 255, (30, 40, 3), dtype=np.uint8)
    imageio.imwrite(tmp_path / "x.png", image)
    assert (imageio.imread(tmp_path / "x.png") == image).all()


def test_opencv() -> None:
    import cv2

    image = np.zeros((100, 200), np.uint8)
    cv2.rectangle(image, (30, 40), (60, 70), 255, -1)
    contours, _ = cv2.findContours(image, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    assert cv2.boundingRect(contours[0]) == (30, 40, 31, 31)


def test_pillow(tmp_path: Path) -> None:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (64, 48))
    ImageDraw.Draw(image).rectangle((10, 20, 29, 39), fill="white")
    image.save(tmp_path / "x.png")
    assert Image.open(tmp_path / "x.png").getbbox() == (10, 20, 30, 40)


def test_kornia_rs() -> None:
    import cv2
    from kornia_rs import io

    photo = RNG.integers(0, 256, (40, 60, 3), np.uint8)
    file = cv2.imencode(".png", photo)[1].tobytes()
    np.testing.assert_array_equal(io.decode_image_png_u8(file, (40, 60), "rgb"), photo[..., ::-1])


def test_scikit_image() -> None:
    from skimage import measure

    image = np.zeros((50, 50), int)
    image[10:20, 15:40] = 1
    assert measure.regionprops(measure.label(image))[0].bbox == (10, 15, 20, 40)
