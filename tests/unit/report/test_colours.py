"""The colours of boxes, told apart by everybody."""

from __future__ import annotations

import itertools
import re
from typing import Final

import numpy as np
import numpy.typing as npt
import pytest

from posebowl import paths

Matrix = npt.NDArray[np.float64]

# Machado, Oliveira and Fernandes (2009), severity 1.0: what people without one kind of cone see.
SIGHT: Final = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
TO_XYZ: Final = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)
LEAST: Final = 40.0
"""CIE76: about 2.3 can just be told apart by side; lines of 2 pixels need far more."""


def lab(colour: str, sight: Matrix) -> Matrix:
    """Return a colour in CIELAB, as it is seen."""
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    white = TO_XYZ.sum(axis=1)
    x, y, z = np.cbrt(TO_XYZ @ np.clip(sight @ linear, 0, 1) / white)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", SIGHT.values(), ids=SIGHT.keys())
def test_truth_before_and_after_can_be_told_apart(sight: Matrix) -> None:
    style = (paths.ROOT / "posebowl/report/templates/style.css").read_text()
    colours = re.findall(r"--(truth|before|pred): #(\w{6});", style)
    assert {name for name, _ in colours} == {"truth", "before", "pred"}
    assert len(colours) == 3
    seen = [lab(colour, sight) for _, colour in colours]
    gaps = [float(np.linalg.norm(a - b)) for a, b in itertools.combinations(seen, 2)]
    assert min(gaps) > LEAST
