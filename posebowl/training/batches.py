"""An endless stream of training batches, prepared by background threads."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from posebowl.training.augment import Augmentation, Augmenter, Photo, View
from posebowl.training.copy_paste import Composer, CopyPaste, PasteSources
from posebowl.training.dataset import Sample, levels


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """Labelled photos, their cache files in the same order, and what to paste, if anything."""

    samples: Sequence[Sample]
    files: Sequence[Path]
    sources: PasteSources | None = None

    def __len__(self) -> int:
        return len(self.samples)


def batches(
    training_set: TrainingSet,
    *,
    size: tuple[int, int],
    batch: int,
    seed: int,
    augmentation: Augmentation,
    large: tuple[int, int] | None = None,
    paste: CopyPaste | None = None,
    workers: int = 1,
    rank: int = 0,
) -> Iterator[dict[str, Any]]:
    """Yield batches forever, in the form that ultralytics' losses take.

    With `large`, every other batch has views of that size, as many as make no more pixels than
    `batch` of the others. One worker yields the same batches for the same seed; with several,
    their order may vary. Each rank of the same seed gets batches of its own.

    Yields:
        img: uint8 (batch, height, width, 3), red, green, blue; cls: (n, 1), zeros;
        bboxes: (n, 4), centre and size as shares of the view; batch_idx: (n,).
    """
    ready: queue.Queue[dict[str, Any] | BaseException] = queue.Queue(maxsize=4)

    def maker(
        views: tuple[int, int], rng: np.random.Generator
    ) -> tuple[Augmenter, Composer | None]:
        augmenter, composer = Augmenter(rng, views, augmentation), None
        if training_set.sources:
            composer = Composer(rng, views, paste or CopyPaste(), training_set.sources)
        return augmenter, composer

    def work(rng: np.random.Generator) -> None:
        try:
            makers = [(batch, maker(size, rng))]
            if large:
                fitting = batch * math.prod(size) // math.prod(large)
                makers.append((max(1, fitting), maker(large, rng)))
            order = _order(len(training_set), rng)
            for count, (augmenter, composer) in cycle(makers):
                chosen = list(islice(order, count))
                opened = (open_photos(training_set, index, rng) for index in chosen)
                ready.put(collate([take(augmenter, composer, photos) for photos in opened]))
        except BaseException as error:  # noqa: BLE001  (handed to the thread that trains)
            ready.put(error)

    for number in range(workers):
        rng = np.random.default_rng([seed, rank * workers + number])
        threading.Thread(target=work, args=(rng,), daemon=True).start()
    while True:
        item = ready.get()
        if isinstance(item, BaseException):
            raise item
        yield item


def take(augmenter: Augmenter, composer: Composer | None, photos: list[Photo]) -> View:
    """Return a training view of photos, or a composite, perhaps over the first of them."""
    if composer is not None and augmenter.rng.random() < composer.paste.share:
        view = composer.take(photos[0])
        if view is not None:
            return augmenter.jitter(view)
    return augmenter.take(photos)


def collate(views: Sequence[View]) -> dict[str, Any]:
    """Stack views into a batch."""
    boxes, owners = [], []
    for owner, view in enumerate(views):
        height, width = view.image.shape[:2]
        low, high = view.boxes[:, :2], view.boxes[:, 2:]
        centred = np.concatenate([(low + high) / 2, high - low], 1)
        boxes.append(centred / [width, height, width, height])
        owners.append(np.full(len(view.boxes), owner))
    every = np.concatenate(boxes).astype(np.float32)
    return {
        "img": torch.from_numpy(np.stack([view.image for view in views])),
        "cls": torch.zeros(len(every), 1),
        "bboxes": torch.from_numpy(every),
        "batch_idx": torch.from_numpy(np.concatenate(owners).astype(np.float32)),
    }


def _order(count: int, rng: np.random.Generator) -> Iterator[int]:
    """Yield the numbers of the photos forever, shuffled in each epoch."""
    while True:
        yield from rng.permutation(count).tolist()


def open_photos(training_set: TrainingSet, index: int, rng: np.random.Generator) -> list[Photo]:
    """Open a photo and three random ones for a mosaic."""
    opened = []
    for i in (index, *rng.integers(0, len(training_set), 3)):
        sample = training_set.samples[i]
        whole, close = levels(training_set.files[i], sample)
        opened.append(Photo(whole=whole, close=close, box=np.array(sample.box, np.float64)))
    return opened
