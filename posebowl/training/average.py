"""Average the weights of two exported networks, of which one was trained from the other.

The average forgets less of what the first one knew (M. Wortsman et al., Robust fine-tuning of
zero-shot models, CVPR 2022).
"""

from __future__ import annotations

import hashlib

import numpy as np
import onnx
from onnx import numpy_helper

from posebowl.errors import UsageError


def average(content: bytes, other: bytes) -> bytes:
    """Return a network halfway between two, with the metadata of the first.

    Args:
        content: An fp32 file that `export` made.
        other: Another of the same architecture.

    Raises:
        UsageError: They are of different architectures.
    """
    model = onnx.load_from_string(content)
    theirs = {one.name: one for one in onnx.load_from_string(other).graph.initializer}
    ours = {one.name: one for one in model.graph.initializer}
    if {name: tuple(one.dims) for name, one in ours.items()} != {
        name: tuple(one.dims) for name, one in theirs.items()
    }:
        raise UsageError(
            "The two networks cannot be averaged.",
            why="Their weights differ in names or shapes.",
            fix="Use a file with the same architecture, exported in the same way.",
        )
    for name, one in ours.items():
        values = numpy_helper.to_array(one)
        if values.dtype == np.float32:
            mean = (values + numpy_helper.to_array(theirs[name])) / np.float32(2)
            one.CopyFrom(numpy_helper.from_array(np.asarray(mean, np.float32), name))
    notes = {entry.key: entry.value for entry in model.metadata_props}
    notes["averaged_with_sha256"] = hashlib.sha256(other).hexdigest()
    onnx.helper.set_model_props(model, notes)
    averaged: bytes = model.SerializeToString()
    return averaged
