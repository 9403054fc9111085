"""How many images a run has got through, as far as that can be seen from outside."""

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
    """Counts images while a run goes on.

    Args:
        images: How many the data has; asked once the run goes on.
    """

    def __init__(self, images: Callable[[], int]) -> None:
        self._images = images
        self._reads = ImageReads(None)
        self._logged = 0
        self._seen: dict[float, tuple[int, int]] = {}

    def begin(self, reads: ImageReads) -> None:
        """Take what counts the files that are read."""
        self._reads = reads

    def line(self, text: str) -> None:
        """Take a line of the log."""
        self._logged = images_done(text, self._images()) or self._logged

    def look(self, sample: Sample) -> Sample:
        """Return a sample with the images that are done by now."""
        read, logged = self._now()
        self._seen[sample.elapsed_s] = read, logged
        return dataclasses.replace(sample, images=read or logged)

    def fill(self, samples: Sequence[Sample]) -> tuple[tuple[Sample, ...], Source]:
        """Return the samples of a run that has ended with their images, and what told of them.

        Reads go before the log: they were seen, not said. One source holds for all samples.
        """
        last = self._now()
        source = Source.READS if last[0] else Source.LOG if last[1] else Source.NONE
        column = 1 if source is Source.LOG else 0
        return tuple(
            dataclasses.replace(sample, images=self._seen.get(sample.elapsed_s, last)[column])
            for sample in samples
        ), source

    def _now(self) -> tuple[int, int]:
        return min(self._reads.count(), self._images()), self._logged


@contextlib.contextmanager
def following(
    watch: Watcher, folder: Path, images: Callable[[], int]
) -> Iterator[tuple[Watcher, Progress]]:
    """Count images until the block ends: give the watcher for the engine, and the count.

    Args:
        watch: Hears all that the engine tells, its samples with their images.
        folder: Of the images.
        images: How many the data has; asked once the run goes on.
    """
    with contextlib.ExitStack() as stack:
        progress = Progress(images)

        def line(text: str) -> None:
            progress.line(text)
            watch.line(text)

        def admit() -> None:
            watch.admit()  # which may look at the images: that is not the run
            progress.begin(stack.enter_context(watching(folder)))

        yield (
            Watcher(
                line=line,
                sample=lambda sample: watch.sample(progress.look(sample)),
                note=watch.note,
                admit=admit,
            ),
            progress,
        )


def images_done(line: str, images: int) -> int | None:
    """Read how many images are done from a line such as "120/500 images", if it tells.

    Only a pair whose second number is the number of images counts, so that no epoch, size or
    date is taken for progress.
    """
    for match in reversed(list(_PAIR.finditer(line))):
        done, total = (int(number.replace(",", "")) for number in match.groups())
        if total == images and done <= images:
            return done
    return None
