"""Find the backgrounds in which a network sees a spacecraft, so that it can be trained on them.

    uv run --group lean python -m benchmarks.hard_backgrounds --backgrounds DIR --out DIR

Each background counts as often as it is listed: with `--backgrounds runs/cuts --backgrounds
runs/hard`, training pastes spacecraft over the hard ones twice as often as over the others.
"""

from __future__ import annotations

import argparse
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from posebowl import challenge, paths
from posebowl.errors import UsageError
from posebowl.training import solution_modules
from posebowl.training.dataset import letterboxed


def scores(network: Any, photos: Sequence[Path]) -> list[float]:
    """Return how sure, 0 to 1, a network is of a spacecraft in its first look at each photo."""
    size = network.looks.first
    best = (network.run(letterboxed([photo], size)).reshape(-1, 5)[0] for photo in photos)
    return [float(box[4]) for box in best]


def main(words: Sequence[str] | None = None) -> None:
    """Copy the hardest backgrounds into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backgrounds", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=paths.SOLUTIONS / "benchmark/model.onnx")
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(words)
    photos = sorted((options.backgrounds / challenge.IMAGES_DIR).glob("*.[pj]*g"))
    images = options.out / challenge.IMAGES_DIR
    if not photos:
        parser.error(f"{options.backgrounds} has no backgrounds; invoke data.render makes some")
    if not 0 < options.share <= 1:
        parser.error(f"--share must be above 0 and at most 1, not {options.share:g}")
    if images.exists():
        parser.error(f"{images} exists already; name another folder with --out")
    try:
        network = solution_modules.load_network(options.weights)
    except UsageError as error:
        parser.error(str(error))
    confidence = scores(network, photos)
    hardest = np.argsort(confidence)[::-1][: math.ceil(options.share * len(photos))]
    images.mkdir(parents=True)
    for index in hardest:
        shutil.copyfile(photos[index], images / photos[index].name)
    least = confidence[hardest[-1]]
    print(f"{len(hardest)} of {len(photos)} backgrounds, with scores from {least:.2f}")


if __name__ == "__main__":
    main()
