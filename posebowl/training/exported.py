"""Exported files: the networks in them, and what they say of themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from posebowl.errors import UsageError
from posebowl.training import graph
from posebowl.util.files import refuse_existing


def read_exported(weights: Path) -> bytes:
    """Read an ONNX file that was exported before.

    Raises:
        UsageError: It is not an fp32 file that this tool exported.
    """
    fix = "Export a checkpoint first, or use the checkpoint itself."
    try:
        notes = metadata(weights.read_bytes())
    except Exception as error:  # noqa: BLE001  (what protobuf raises differs by its version)
        raise UsageError(f"Cannot read {weights}.", why=str(error), fix=fix) from None
    if "first_look" not in notes or notes.get("precision") == "int8":
        why = "It is already int8." if "first_look" in notes else "It lacks the export's metadata."
        raise UsageError(
            f"{weights} is not an fp32 file that benchmark.export made.", why=why, fix=fix
        )
    return graph.rewrite(weights.read_bytes())


def read_files(weights: Path, out: Path, *, force: bool) -> dict[str, bytes]:
    """Read an exported network and its refiner, by the names of the files to write.

    Args:
        weights: The network's file.
        out: Where the network is to be written. Its refiner goes where it goes, and is left out if
            it is there already, in the same folder.
        force: Whether a file in the refiner's place may be overwritten.

    Raises:
        UsageError: The network is not an fp32 file that benchmark.export made, its refiner is
            missing, or another one is in the way.
    """
    content = read_exported(weights)
    name = metadata(content).get("refiner")
    if not name or weights.parent.resolve() == out.parent.resolve():
        return {out.name: content}
    refuse_existing(out.with_name(name), force=force)
    return {out.name: content, name: read_exported(weights.with_name(name))}


def metadata(content: bytes) -> dict[str, str]:
    """Return the metadata of an exported network."""
    return {entry.key: entry.value for entry in onnx.load_from_string(content).metadata_props}


def with_notes(content: bytes, more: Mapping[str, str]) -> bytes:
    """Return an exported network with more metadata."""
    model = onnx.load_from_string(content)
    onnx.helper.set_model_props(model, {**metadata(content), **more})
    noted: bytes = model.SerializeToString()
    return noted


def exported_sizes(content: bytes) -> dict[str, Any]:
    """Return the sizes of the looks of an exported network."""
    notes = metadata(content)
    first, second = json.loads(notes["first_look"]), json.loads(notes["second_look"])
    return {"first": tuple(first), "second": tuple(second) if second else None}
