"""How far a run got that did not pass: its images, its pace, and where its memory was heading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from posebowl.engines import Sample
from posebowl.util.text import brief, counted
from posebowl.util.units import duration, human_bytes

_SHORTEST_S: Final = 2.0
"""A pace that was seen for less says nothing of the rest."""
_FEWEST: Final = 5
"""Samples of a slope."""
_LEAST_GROWTH: Final = 1 << 20
"""Bytes a minute; less is noise."""
_FIT: Final = 0.5
"""Memory that goes up and down fits a line worse than this (r squared), and has no slope."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How far a run got."""

    images: int
    """Counted as in the samples; 0 when that is unknown."""
    of: int
    """Images of the data."""
    last_image: str = ""
    """The image_id that was read last, at which it was probably at work; empty if unknown."""
    whole_s: float | None = None
    """What all images would have taken at this pace; null if that cannot be told."""
    memory_growth: float | None = None
    """Bytes a minute, in the second half of the run; null if memory did not grow steadily."""
    memory_full_s: float | None = None
    """When memory would have reached its limit, from the start of main.sh."""


def how_far(samples: Sequence[Sample], *, of: int, last_image: str, memory_bytes: int) -> Reach:
    """Return how far a run got.

    Args:
        samples: Of the run, with their images.
        of: Images of the data.
        last_image: That was read last.
        memory_bytes: The limit on memory.
    """
    growth = memory_growth(samples)
    full_s = None
    if growth is not None:
        last = samples[-1]
        full_s = last.elapsed_s + max(0.0, memory_bytes - last.memory_bytes) / growth * 60
    return Reach(
        images=samples[-1].images if samples else 0,
        of=of,
        last_image=last_image,
        whole_s=whole_s(samples, of),
        memory_growth=growth,
        memory_full_s=full_s,
    )


def words(found: Reach, *, limit_s: float | None, memory_bytes: float | None) -> tuple[str, ...]:
    """Return how far a run got, in sentences.

    Args:
        found: How far.
        limit_s: Its limit on time, if it is known.
        memory_bytes: Its limit on memory, if it is known.
    """
    sentences = []
    if found.images and found.images >= found.of:
        sentences.append(f"It had read all {counted(found.of, 'image')}.")
    elif found.images:
        pace = ""
        if found.whole_s is not None:
            pace = f"; at this pace all of them would take {duration(found.whole_s)}"
            share = found.whole_s / limit_s if limit_s else 0.0
            pace += f", {share:.2g} times the limit" if share > 1 else ""
        sentences.append(f"It got through {found.images:,} of {found.of:,} images{pace}.")
    if found.last_image:
        sentences.append(f"The image that it read last is {brief(found.last_image, 60)}.")
    if found.memory_growth is not None:
        full = ""
        if memory_bytes and found.memory_full_s is not None:
            full = (
                f" and would have met its limit of {human_bytes(memory_bytes)} "
                f"{duration(found.memory_full_s)} after the start"
            )
        sentences.append(f"Memory grew by {human_bytes(found.memory_growth)} a minute{full}.")
    return tuple(sentences)


def whole_s(samples: Sequence[Sample], of: int) -> float | None:
    """Return what all images would take at the pace so far; None if that cannot be told."""
    if not samples or not 0 < samples[-1].images < of:
        return None
    left, elapsed = of - samples[-1].images, samples[-1].elapsed_s
    if steady := steady_pace(samples):
        return elapsed + left / steady[1] if steady[1] > 0 else None
    return elapsed * of / samples[-1].images if elapsed >= _SHORTEST_S else None


def steady_pace(samples: Sequence[Sample]) -> tuple[float, float] | None:
    """Return when the first image was done, and how many a second from then to the last one.

    None if that took less than four samples or two seconds, which is too short to measure.
    """
    most = max((sample.images for sample in samples), default=0)
    going = [s for s in samples if s.images]
    going = going[: next((i for i, s in enumerate(going) if s.images == most), 0) + 1]
    if len(going) < 4 or going[-1].elapsed_s - going[0].elapsed_s < _SHORTEST_S:
        return None
    first, last = going[0], going[-1]
    return first.elapsed_s, (last.images - first.images) / (last.elapsed_s - first.elapsed_s)


def memory_growth(samples: Sequence[Sample]) -> float | None:
    """Return how fast memory grew in the second half, in bytes a minute, by least squares."""
    half = [s for s in samples if s.elapsed_s >= samples[-1].elapsed_s / 2 and s.memory_bytes]
    if len(half) < _FEWEST or half[-1].elapsed_s - half[0].elapsed_s < _SHORTEST_S:
        return None
    n = len(half)
    mean_t = sum(s.elapsed_s for s in half) / n
    mean_m = sum(s.memory_bytes for s in half) / n
    var_t = sum((s.elapsed_s - mean_t) ** 2 for s in half)
    var_m = sum((s.memory_bytes - mean_m) ** 2 for s in half)
    both = sum((s.elapsed_s - mean_t) * (s.memory_bytes - mean_m) for s in half)
    growth = both / var_t * 60
    fits = both * both >= _FIT * var_t * var_m
    return growth if fits and growth >= _LEAST_GROWTH else None
