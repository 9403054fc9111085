"""Pools: the pictures of a training run, reduced and packed in a few files for another machine.

A machine with a GPU that is lent for minutes gets its pictures in pieces. Each piece has a fair
share of every kind, so that training can begin with any number of them. A piece is a ZIP of WebP
images, and of pool.json:

    {"photos": [[xmin, ymin, xmax, ymax], ...], "backgrounds": COUNT, "cutouts": COUNT,
     "decoys": [[image, xmin, ymin, xmax, ymax], ...]}

A decoy's image is a photo's number, or, from the number of photos on, a background's; all boxes are
in pixels of the photo.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import Any, Final, Self

import cv2
import numpy as np
import numpy.typing as npt

from posebowl.errors import BadDataError
from posebowl.training.cutouts import premultiply, read_straight, shrink
from posebowl.training.dataset import (
    LEVEL_HEIGHT,
    LEVEL_WIDTH,
    Image,
    Sample,
    close_corner,
    halved,
    read_photo,
)
from posebowl.training.decoys import misleading_places, places_in_half

QUALITY: Final = 80
"""Of WebP: 18 KB for an image of half a photo's sides, where JPEG needs 29 for as much."""
CUTOUT_SIDE: Final = 320
"""Cut-outs are reduced to this: what fills a view of the shipped pair's looks is no larger."""
CANVAS: Final = 336
"""Side of the square in whose middle they are, transparent around: a multiple of 16."""
TABLE: Final = "pool.json"
KINDS: Final = ("photos", "backgrounds", "cutouts")
_AT_A_TIME: Final = 64


@dataclass(frozen=True, kw_only=True)
class Pool:
    """The pictures of a training run, decoded: uint8, and boxes in pixels of the photo."""

    wholes: Image
    """Photos at half size, shape (n, 512, 640, 3)."""
    closes: Image
    """The part around the spacecraft at full size, of the same shape."""
    boxes: npt.NDArray[np.float64]
    """Where the spacecraft is, shape (n, 4)."""
    backgrounds: Image
    """Shape (m, 512, 640, 3)."""
    cutouts: npt.NDArray[np.uint8]
    """Colours multiplied by alpha, and alpha: shape (k, CANVAS, CANVAS, 4)."""
    decoys: npt.NDArray[np.float64]
    """Rows of the number among photos and then backgrounds, and the box: shape (d, 5)."""

    def __len__(self) -> int:
        return len(self.wholes)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture to pack: its images' names and bytes, its label, and boxes that mislead."""

    kind: str
    images: dict[str, bytes]
    box: Sequence[float] | None = None
    decoys: Sequence[Sequence[float]] = ()


@dataclass(kw_only=True)
class _Piece:
    """A piece that is being filled."""

    photos: list[Sequence[float]] = field(default_factory=list)
    backgrounds: int = 0
    cutouts: int = 0
    decoys: list[tuple[str, int, Sequence[float]]] = field(default_factory=list)
    images: dict[str, bytes] = field(default_factory=dict)

    def bytes(self) -> int:
        return sum(map(len, self.images.values()))

    def add(self, picture: Picture) -> None:
        """Add a picture, numbered among its kind."""
        if picture.box is not None:
            number = len(self.photos)
            self.photos.append(picture.box)
        else:
            number = getattr(self, picture.kind)
            setattr(self, picture.kind, number + 1)
        self.images |= {f"{picture.kind}/{number}{name}": b for name, b in picture.images.items()}
        self.decoys += [(picture.kind, number, box) for box in picture.decoys]

    def write(self, file: Path) -> None:
        """Write the piece."""
        first = {"photos": 0, "backgrounds": len(self.photos)}
        table = {
            "photos": self.photos,
            "backgrounds": self.backgrounds,
            "cutouts": self.cutouts,
            "decoys": [[first[kind] + number, *box] for kind, number, box in self.decoys],
        }
        with zipfile.ZipFile(file, "x", zipfile.ZIP_STORED) as piece:
            piece.writestr(TABLE, json.dumps(table))
            for name, data in self.images.items():
                piece.writestr(name, data)


def write(
    folder: Path,
    *,
    photos: Sequence[Sample],
    backgrounds: Sequence[Path],
    cutouts: Sequence[Path],
    search: Any = None,
    limit: int,
    threads: int,
    seed: int = 0,
) -> list[Path]:
    """Write a pool in pieces of at most `limit` bytes of images, a fair mix in each.

    Args:
        folder: Where the pieces go.
        photos: Labelled photos.
        backgrounds: Photos without spacecraft, of a photo's size or half of it.
        cutouts: RGBA images of spacecraft alone.
        search: A search network, as `load_network` returns it, whose mistakes become decoys.
        limit: Bytes of images in a piece.
        threads: How many pictures are encoded at a time.
        seed: Of the order of the pictures.
    """
    kinds: list[tuple[Sequence[Any], Callable[[Any], Picture]]] = [
        (photos, lambda one: _photo(one, search)),
        (backgrounds, lambda one: _background(one, search)),
        (cutouts, _cutout),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    order = list(_mixed([len(one) for one, _ in kinds], np.random.default_rng(seed)))
    written: list[Path] = []
    piece = _Piece()

    def encode(turn: tuple[int, int]) -> Picture:
        chosen, how = kinds[turn[0]]
        return how(chosen[turn[1]])

    def finish() -> None:
        written.append(folder / f"pool-{len(written) + 1}.zip")
        piece.write(written[-1])

    with ThreadPoolExecutor(threads) as workers:
        # A few at a time: a whole pool of encoded pictures would fill the memory.
        waiting = iter(order)
        while part := list(islice(waiting, _AT_A_TIME)):
            for picture in workers.map(encode, part):
                size = sum(map(len, picture.images.values()))
                if piece.images and piece.bytes() + size > limit:
                    finish()
                    piece = _Piece()
                piece.add(picture)
    finish()
    return written


def _mixed(counts: Sequence[int], rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """Yield kind and number of all pictures, each kind shuffled and spread evenly."""
    places_ = [
        ((place + 0.5) / count, kind, number)
        for kind, count in enumerate(counts)
        for place, number in enumerate(rng.permutation(count).tolist())
    ]
    for _, kind, number in sorted(places_):
        yield kind, number


def _photo(sample: Sample, search: Any) -> Picture:
    """Encode a labelled photo: the whole, and the spacecraft's surroundings."""
    photo = read_photo(sample.path)
    x, y = close_corner(sample.box)
    close = photo[y : y + LEVEL_HEIGHT, x : x + LEVEL_WIDTH]
    truth = np.array(sample.box, np.float64)
    wrong = misleading_places(search, photo, truth) if search else []
    return Picture(
        kind="photos",
        images={"-whole.webp": _encode(halved(photo)), "-close.webp": _encode(close)},
        box=sample.box,
        decoys=[box.round(1).tolist() for box in wrong],
    )


def _background(file: Path, search: Any) -> Picture:
    """Encode a photo without a spacecraft."""
    half = halved(read_photo(file))
    seen = places_in_half(search, half) if search else []
    decoys = [box.round(1).tolist() for box in seen]
    return Picture(kind="backgrounds", images={".webp": _encode(half)}, decoys=decoys)


def _cutout(file: Path) -> Picture:
    """Encode a cut-out."""
    straight = read_straight(file)
    small = shrink(straight, CUTOUT_SIDE / max(straight.shape[:2]))
    return Picture(kind="cutouts", images={".webp": _encode(small)})


def _encode(image: npt.NDArray[np.uint8]) -> bytes:
    back = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
    _, data = cv2.imencode(".webp", cv2.cvtColor(image, back), (cv2.IMWRITE_WEBP_QUALITY, QUALITY))
    return bytes(data)


def read(files: Sequence[Path], *, threads: int, closes: bool = True) -> Pool:
    """Read the pieces of a pool.

    Args:
        files: The pieces.
        threads: How many images are decoded at a time.
        closes: Whether the photos' close parts are read; without, there are none.

    Raises:
        BadDataError: A piece is damaged, or none has photos, backgrounds and cut-outs.
    """
    pieces = [_Stored.read(file) for file in files]
    counts = {kind: [piece.count(kind) for piece in pieces] for kind in KINDS}
    empty = [kind for kind in KINDS if not sum(counts[kind])]
    if empty:
        raise BadDataError(
            f"{', '.join(map(str, files))}: no {', '.join(empty)}.",
            why="Views need photos, backgrounds and cut-outs.",
            fix="Pack all three: python -m benchmarks.gpu pack --help",
        )
    photo, canvas = (LEVEL_HEIGHT, LEVEL_WIDTH, 3), (CANVAS, CANVAS, 4)
    parts = {
        "wholes": ("photos", "-whole", photo),
        "closes": ("photos", "-close", photo),
        "backgrounds": ("backgrounds", "", photo),
        "cutouts": ("cutouts", "", canvas),
    }
    images = {}
    with ThreadPoolExecutor(threads) as workers:
        for name, (kind, end, shape) in parts.items():
            kept = closes or name != "closes"
            # Decoded into its place: a pool of 13,000 pictures has 14 GB.
            images[name] = np.zeros((kept * sum(counts[kind]), *shape), np.uint8)
            stored = chain.from_iterable(piece.of(kind, end) for piece in pieces)
            list(workers.map(_decode, stored, images[name]))
    boxes = [box for piece in pieces for box in piece.table["photos"]]
    return Pool(**images, boxes=np.array(boxes, np.float64), decoys=_joined(pieces, counts))


@dataclass(frozen=True, kw_only=True)
class _Stored:
    """A piece as it is stored."""

    table: dict[str, Any]
    images: dict[str, bytes]

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a piece, without decoding its images."""
        try:
            with zipfile.ZipFile(file) as piece:
                table = json.loads(piece.read(TABLE))
                images = {name: piece.read(name) for name in piece.namelist() if name != TABLE}
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise BadDataError(
                f"{file} is not a piece of a pool.",
                why=str(error),
                fix="Make some: python -m benchmarks.gpu pack --help",
            ) from None
        return cls(table=table, images=images)

    def count(self, kind: str) -> int:
        """Return the number of pictures of a kind."""
        known = self.table[kind]
        return known if isinstance(known, int) else len(known)

    def of(self, kind: str, end: str) -> Iterator[bytes]:
        """Yield the images of a kind whose names end so."""
        for number in range(self.count(kind)):
            yield self.images[f"{kind}/{number}{end}.webp"]


def _joined(pieces: Sequence[_Stored], counts: dict[str, list[int]]) -> npt.NDArray[np.float64]:
    """Return all decoys, with the numbers that their pictures have in the whole pool."""
    photos, backgrounds = ([0, *accumulate(counts[kind])] for kind in KINDS[:2])
    rows = []
    for at, piece in enumerate(pieces):
        own = counts["photos"][at]
        for number, *box in piece.table["decoys"]:
            moved = photos[at] if number < own else photos[-1] + backgrounds[at] - own
            rows.append([number + moved, *box])
    return np.array(rows, np.float64).reshape(-1, 5)


def _decode(stored: bytes, into: npt.NDArray[np.uint8]) -> None:
    """Decode an image; put a cut-out in the middle of its canvas."""
    image = cv2.imdecode(np.frombuffer(stored, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise BadDataError(
            "A picture of the pool is damaged.",
            why="It is not a WebP image.",
            fix="Pack the pool again: python -m benchmarks.gpu pack --help",
        )
    if into.shape[2] == 3:
        into[:] = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        return
    cutout = premultiply(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA), np.uint8))
    y, x = ((CANVAS - side) // 2 for side in cutout.shape[:2])
    into[y : y + cutout.shape[0], x : x + cutout.shape[1]] = cutout
