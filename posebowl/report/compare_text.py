"""What changed between two runs, in the same words in the terminal and on the page."""

from __future__ import annotations

from posebowl.results import Figure, Images
from posebowl.util.text import counted
from posebowl.util.units import quantity


def amount(figure: Figure, value: float | None) -> str:
    """Return a figure's number with its unit."""
    if value is None:
        return "-"
    match figure.unit:
        case "IoU":
            return f"{value:.4f}"
        case "images/s":
            return f"{value:.1f} images/s"
        case unit:
            return quantity(value, unit)


def change(figure: Figure) -> str:
    """Return how a figure changed: scores by difference, all else by ratio."""
    if figure.change is None or figure.change == 0:
        return "" if figure.change is None else "same"
    if figure.unit == "IoU":
        return f"{figure.change:+.4f}"
    if figure.ratio is None:
        return ""
    return f"{figure.ratio:.1f} times" if figure.ratio >= 2 else f"{figure.ratio - 1:+.1%}"


def verdict_on(images: Images) -> str:
    """Return a sentence about what the images show of the score."""
    if images.difference is None:
        return (
            f"{counted(images.moved, 'box', 'boxes')} of {images.count:,} changed; the two "
            f"predictions overlap with a mean IoU of {images.overlap:.4f}."
        )
    text = f"{images.difference:+.4f} IoU an image"
    if images.interval is None:
        return f"{text}, of one image alone."
    low, high = images.interval
    if not images.worse and not images.better:
        return "No image changed its IoU."
    sure = "a real change" if images.significant else "no more than chance may bring"
    return f"{text}, 95 % interval {low:+.4f} to {high:+.4f} (normal, paired): {sure}."
