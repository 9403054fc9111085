"""Spacecraft for the tests, each made once: it takes 14 ms, and nothing changes one."""

from __future__ import annotations

import functools

import numpy as np

from posebowl.render.families import FAMILIES
from posebowl.render.parts import Craft


@functools.cache
def made(family: str, seed: int) -> Craft:
    """Make the spacecraft that a family draws for a seed."""
    return FAMILIES[family](np.random.default_rng(seed))
