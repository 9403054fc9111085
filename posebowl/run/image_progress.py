"""How many images a run has done, as far as that can be seen from outside."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from posebowl.engines import Sample, Watcher
from posebowl.engines.monitoring import ImageReads, watching
from posebowl.results import Source

_PAIR: Final = re.compile(r"(?<![\d.,])(\d[\d,]*)\s*(?:/|of)\s*(\d[\d,]*)(?!\.?\d)")


class Progress:
    """Counts images during a run.

    Args:
        images: Returns how many the data has; called once main.sh runs.
    """

    def __init__(self, images: Callable[[], int]) -> None:
        self._images = images
        self._reads = ImageReads(None)
        self._logged = 0
        self._seen: dict[float, tuple[int, int]] = {}

    def begin(self, reads: ImageReads) -> None:
        """Count the files that are read with this from now on."""
        self._reads = reads

    def line(self, text: str) -> None:
        """Look for a count in a line of the log."""
        self._logged = images_done(text, self._images()) or self._logged

    def look(self, sample: Sample) -> Sample:
        """Return a sample with the images done so far."""
        read, logged = self._now()
        self._seen[sample.elapsed_s] = read, logged
        return dataclasses.replace(sample, images=read or logged)

    def fill(self, samples: Sequence[Sample]) -> tuple[tuple[Sample, ...], Source]:
        """Return the samples of a finished run with their images, and the source of these.

        Reads are preferred to the log: they were seen, not claimed. All samples have one source.
        """
        last = self._now()
        source = Source.READS if last[0] else Source.LOG if last[1] else Source.NONE
        column = 1 if source is Source.LOG else 0
        return tuple(
            dataclasses.replace(sample, images=self._seen.get(sample.elapsed_s, last)[column])
            for sample in samples
        ), source

    @property
    def last_image(self) -> str:
        """The image_id of the photo that was read last, after `fill`; empty if none was."""
        return self._reads.last.removesuffix(".png")

    def _now(self) -> tuple[int, int]:
        return min(self._reads.count(), self._images()), self._logged


@contextlib.contextmanager
def following(
    watch: Watcher, folder: Path, images: Callable[[], int]
) -> Iterator[tuple[Watcher, Progress]]:
    """Count images until the block ends; yield the watcher for the engine, and the count.

    Args:
        watch: Called with all that the engine reports, its samples with their images.
        folder: Of the images.
        images: Returns how many the data has; called once main.sh runs.
    """
    with contextlib.ExitStack() as stack:
        progress = Progress(images)

        def line(text: str) -> None:
            progress.line(text)
            watch.line(text)

        def admit() -> None:
            watch.admit()  # which may look at the images: that is not the run
            progress.begin(stack.enter_context(watching(folder)))

        def sample(taken: Sample) -> None:
            watch.sample(progress.look(taken))

        yield dataclasses.replace(watch, line=line, sample=sample, admit=admit), progress


def images_done(line: str, images: int) -> int | None:
    """Return how many images are done by a line such as "120/500 images", or None.

    Only a pair whose second number is the number of images counts, so that no epoch, size or
    date is mistaken for progress.
    """
    for match in reversed(list(_PAIR.finditer(line))):
        done, total = (int(number.replace(",", "")) for number in match.groups())
        if total == images and done <= images:
            return done
    return None
