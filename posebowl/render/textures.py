"""Textures: solar cells, wrinkled foil, panels and seams, marks, flags, stripes, stains."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from posebowl.render import fractal_noise
from posebowl.render.parts import Rng

Pixels = npt.NDArray[np.uint8]
TEXTURE_SIZE: Final = 128
LETTERS: Final = "ABCDEFGHIKLMNOPRSTUVXYZ0123456789-"


def blank() -> Pixels:
    """Return a white texture, shape (n, n, 3)."""
    return np.full((TEXTURE_SIZE, TEXTURE_SIZE, 3), 240, dtype=np.uint8)


def cell_grid(rng: Rng) -> Pixels:
    """Paint a texture of solar cells, shape (n, n, 3), RGB."""
    n = TEXTURE_SIZE
    base = np.array(
        [(18, 26, 70), (12, 14, 30), (35, 45, 110), (45, 25, 60), (60, 45, 25), (25, 50, 90)]
    )[rng.integers(6)] * rng.uniform(0.6, 1.5)
    columns, rows = (int(value) for value in rng.integers(3, 12, 2))
    cells = base * rng.uniform(0.8, 1.2, (rows, columns, 1))
    y, x = np.arange(n) * rows // n, np.arange(n) * columns // n
    image = cells[y[:, None], x[None, :]]
    line = np.array((170, 175, 185)) * rng.uniform(0.3, 1.1)
    wide = max(1, int(n / max(rows, columns) * rng.uniform(0.04, 0.14)))
    image[(np.arange(n) * rows % n) < wide * rows] = line
    image[:, (np.arange(n) * columns % n) < wide * columns] = line
    return _pixels(image)


def wrinkles(rng: Rng) -> Pixels:
    """Paint a texture of wrinkled foil, shape (n, n, 3), RGB."""
    n = TEXTURE_SIZE
    total = np.zeros((n, n))
    for cells in (5, 11, 27):
        small = Image.fromarray(rng.normal(size=(cells, cells)).astype(np.float32))
        field = np.asarray(small.resize((n, n), Image.Resampling.BICUBIC))
        total += np.abs(field) * 5 / cells**0.7
    shade = 255 * np.clip(0.45 + 0.6 * total / total.max(), 0, 1)
    image = np.repeat(shade[..., None], 3, axis=2)
    seams = int(rng.integers(0, 3))
    for place in rng.integers(0, n, seams):
        image[place : place + 2] *= 0.5
    return image.astype(np.uint8)


def panel_lines(rng: Rng) -> Pixels:
    """Paint a texture of panels, seams, vents and stickers, shape (n, n, 3), RGB."""
    n = TEXTURE_SIZE
    image = np.full((n, n, 3), 235.0) + rng.normal(size=(n, n, 1)) * 5
    for _ in range(int(rng.integers(4, 18))):
        x, y = rng.integers(0, n, 2)
        w, h = rng.integers(5, n // 2, 2)
        image[y : y + h, x : x + w] *= rng.uniform(0.75, 1.08)
        image[y : y + 1, x : x + w] *= 0.5
        image[y : y + h, x : x + 1] *= 0.5
    for _ in range(int(rng.integers(0, 5))):
        x, y = rng.integers(0, n, 2)
        w, h = rng.integers(4, 30, 2)
        image[y : y + h, x : x + w] = rng.uniform(10, 120, 3)
    return _pixels(image)


def grid(rng: Rng) -> Pixels:
    """Paint square tiles with seams, each a little different, shape (n, n, 3), RGB."""
    n, count = TEXTURE_SIZE, int(rng.integers(4, 14))
    shade = 225 * rng.uniform(0.8, 1.1, (count, count))
    cell = np.arange(n) * count // n
    image = shade[cell[:, None], cell[None, :]]
    seam = (np.arange(n) * count % n) < count * rng.integers(1, 3)
    image[seam] *= 0.55
    image[:, seam] *= 0.55
    return _pixels(np.repeat(image[..., None], 3, axis=2))


def blanket(rng: Rng) -> Pixels:
    """Paint a solar blanket: copper, green or grey strips with folds, shape (n, n, 3), RGB."""
    n = TEXTURE_SIZE
    tint = np.array(((150, 85, 40), (60, 80, 60), (90, 90, 100), (110, 60, 35)))[rng.integers(4)]
    strips = int(rng.integers(6, 24))
    fold = np.arange(n) * strips // n % 2
    image = tint * rng.uniform(0.6, 1.3) * (1 + 0.15 * fold[:, None, None]) * np.ones((n, n, 1))
    image[(np.arange(n) * strips % n) < strips] *= 0.5
    image[:, n // 2 - 2 : n // 2 + 2] = 170
    return _pixels(image)


def worn_cells(rng: Rng) -> Pixels:
    """Paint solar cells, some of them dead, missing or from another batch."""
    image = cell_grid(rng).astype(float)
    count = int(rng.integers(4, 12))
    side = TEXTURE_SIZE // count
    for _ in range(int(rng.integers(1, count * 2))):
        x, y = rng.integers(0, count, 2) * side
        image[y : y + side, x : x + side] *= rng.choice((0.3, 0.6, 1.6, 2.4))
    return _pixels(image)


def marked(rng: Rng, page: Pixels) -> Pixels:
    """Add flags, names, roundels or fiducial marks to a texture."""
    canvas = Image.fromarray(page)
    for _ in range(int(rng.integers(1, 4))):
        mark = (_flag, _name, _name, _roundel, _fiducial)[int(rng.integers(5))](rng)
        width = int(rng.integers(20, 90))
        height = max(4, width * mark.height // mark.width)
        mark = mark.resize((width, height)).rotate(90 * int(rng.integers(4)), expand=True)
        x, y = (int(v) for v in rng.integers(0, TEXTURE_SIZE - 16, 2))
        canvas.paste(mark.convert("RGB"), (x, y), mark.getchannel("A"))
    return np.asarray(canvas)


def _flag(rng: Rng) -> Image.Image:
    bars = int(rng.integers(2, 8))
    colours = rng.integers(0, 256, (3, 3))
    image = np.zeros((24, 36, 4), dtype=np.uint8)
    image[..., 3] = 255
    along = np.arange(24) * bars // 24
    image[..., :3] = colours[along % 3 if bars < 4 else along % 2][:, None]
    if rng.random() < 0.4:
        image[:12, :15, :3] = colours[2]
    flag = Image.fromarray(image)
    return flag.rotate(90, expand=True) if rng.random() < 0.3 else flag


def _name(rng: Rng) -> Image.Image:
    count = int(rng.integers(2, 9))
    text = "".join(LETTERS[k] for k in rng.integers(0, len(LETTERS), count))
    image = Image.new("RGBA", (8 * count + 4, 14))
    ink = tuple(int(v) for v in rng.integers(0, 90, 3)) if rng.random() < 0.7 else (200, 30, 30)
    ImageDraw.Draw(image).text((2, 1), text, fill=(*ink, 255), font=ImageFont.load_default())
    return image.crop(image.getbbox())


def _roundel(rng: Rng) -> Image.Image:
    image = Image.new("RGBA", (48, 48))
    pen = ImageDraw.Draw(image)
    for inset in (0, int(rng.integers(6, 12)), int(rng.integers(13, 20))):
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        pen.ellipse((inset, inset, 47 - inset, 47 - inset), fill=(*colour, 255))
    return image


def _fiducial(rng: Rng) -> Image.Image:
    cells = int(rng.integers(4, 8))
    image = np.zeros((cells, cells, 4), dtype=np.uint8)
    image[..., 3] = 255
    image[1:-1, 1:-1, :3] = 255 * rng.integers(0, 2, (cells - 2, cells - 2, 1))
    return Image.fromarray(image).resize((40, 40), Image.Resampling.NEAREST)


def striped(rng: Rng, page: Pixels) -> Pixels:
    """Paint stripes of one colour on a texture, straight or slanted."""
    y, x = np.mgrid[:TEXTURE_SIZE, :TEXTURE_SIZE] / TEXTURE_SIZE
    a, b = ((1, 0), (0, 1), (1, 1))[int(rng.integers(3))]
    on = ((a * x + b * y) * int(rng.integers(1, 9))) % 1 < rng.uniform(0.1, 0.6)
    return np.where(on[..., None], _paint(rng), page).astype(np.uint8)


def checkered(rng: Rng, page: Pixels) -> Pixels:
    """Paint a checkerboard on a texture, as for visual tracking."""
    cell = np.arange(TEXTURE_SIZE) * int(rng.integers(2, 9)) // TEXTURE_SIZE
    on = (cell[:, None] + cell[None, :]) % 2 == 0
    return np.where(on[..., None], _paint(rng), page).astype(np.uint8)


def _paint(rng: Rng) -> npt.NDArray[np.int64]:
    """Sample black, white, or any colour, shape (3,)."""
    kind = int(rng.integers(3))
    return np.asarray((np.full(3, 15), np.full(3, 235), rng.integers(20, 230, 3))[kind])


def stained(rng: Rng, page: Pixels) -> Pixels:
    """Add soot, scratches and bleached patches to a texture."""
    size = (TEXTURE_SIZE, TEXTURE_SIZE)
    cloud = fractal_noise.cut(fractal_noise.field(1.5), rng, size, rng.uniform(1, 4))
    dirt = np.clip(
        1 - rng.uniform(0.1, 0.5) * np.clip(cloud + rng.uniform(-0.5, 0.8), 0, 2), 0.1, 1
    )
    warm = 1 - np.array((0.0, 0.1, 0.25)) * rng.uniform(0, 1)
    image = page * dirt[..., None] ** (1 / warm)
    for _ in range(int(rng.integers(0, 6))):
        x, y = (int(v) for v in rng.integers(0, TEXTURE_SIZE, 2))
        image[y : y + 1, x : x + int(rng.integers(10, 80))] *= rng.choice((0.5, 1.4))
    return _pixels(image)


def _pixels(image: npt.NDArray[np.float64]) -> Pixels:
    return np.clip(image, 0, 255).astype(np.uint8)
