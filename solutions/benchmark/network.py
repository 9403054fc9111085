"""The network: an ONNX file from `invoke benchmark.export`, run by one of two libraries."""

from __future__ import annotations

import importlib
import json
import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from looks import Looks, Network, glance_size

INPUT, OUTPUT = "photos", "boxes"
CPU_BATCH = 4
"""A seventh faster than one by one: each weight is fetched once for four photos. More photos do
not fit the processor's caches."""
GPU_BATCH = 32
Inputs = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float32]


class NetworkError(Exception):
    """The weights, or the library to run them, cannot be used."""


@dataclass(frozen=True, kw_only=True)
class LoadedNetwork:
    """A network that is ready to run."""

    run: Network
    looks: Looks
    on_gpu: bool
    batch: int
    """The best number of photos to run at once."""
    description: str
    notes: dict[str, str]
    """The file's metadata."""
    refiner: Network | None = None
    """What finds the edges in the second look; None where this network does."""


def load(
    weights: Path,
    *,
    backend: str,
    device: str,
    precision: str = "fp32",
    batch: int | None = None,
) -> LoadedNetwork:
    """Load the network, and the one that refines its boxes if it names one.

    Args:
        weights: The ONNX file. The refiner's lies beside it.
        backend: onnxruntime or openvino.
        device: cpu, cuda, or auto, which uses a GPU if onnxruntime finds one.
        precision: Of OpenVINO's computations: fp32 or bf16. onnxruntime uses that of the file.
        batch: Photos at once; None for the best number for the library and the device.

    Raises:
        NetworkError: It cannot be loaded.
    """
    if backend == "openvino" and device == "cuda":
        raise NetworkError("--device cuda: OpenVINO runs on the CPU; leave out --backend")
    if backend != "openvino" and precision != "fp32":
        raise NetworkError(f"--precision {precision} needs --backend openvino")
    if backend == "openvino":
        load_one = partial(_openvino, precision=precision, batch=batch or CPU_BATCH)
    else:
        load_one = partial(_onnxruntime, device=device, batch=batch)
    net = load_one(existing(weights))
    if refiner := net.notes.get("refiner"):
        file = existing(weights.with_name(refiner), made_by="invoke benchmark.export --refiner")
        return replace(net, refiner=load_one(file).run)
    return net


def existing(weights: Path, made_by: str = "invoke benchmark.export") -> Path:
    """Return the file, if there is one.

    Raises:
        NetworkError: There is none.
    """
    if weights.is_file():
        return weights
    what = "is not a file" if weights.exists() else "does not exist"
    raise NetworkError(f"{weights} {what}; make it with `{made_by}`")


def read_looks(names: list[str], notes: dict[str, str], weights: Path) -> Looks:
    """Read the sizes of the looks from the metadata of a file.

    Args:
        names: The network's inputs and outputs.
        notes: The file's metadata.
        weights: The file, for the message.

    Raises:
        NetworkError: `invoke benchmark.export` did not make it.
    """
    if names != [INPUT, OUTPUT] or "first_look" not in notes:
        has = ", ".join(names)
        raise NetworkError(f"{weights} was not made by `invoke benchmark.export` (it has {has})")
    if notes.get("channels") != "rgb":
        raise NetworkError(
            f"{weights} takes blue for red; export it again: `invoke benchmark.export`"
        )
    first, second = tuple(json.loads(notes["first_look"])), json.loads(notes["second_look"])
    return Looks(first=first, second=tuple(second) if second else None, glance=glance_size(first))


def _openvino(weights: Path, precision: str, batch: int) -> LoadedNetwork:
    backend = importlib.import_module("backend_openvino")
    openvino = library("openvino")
    try:
        network = backend.OpenVino(openvino, weights, precision)
    except Exception as error:  # noqa: BLE001  (a broken file can raise anything)
        raise NetworkError(f"{weights} cannot be loaded: {error}") from None
    looks = read_looks(network.names, network.notes, weights)
    return LoadedNetwork(
        run=network.run,
        looks=looks,
        on_gpu=False,
        batch=batch,
        description=f"OpenVINO on the CPU in {precision}",
        notes=network.notes,
    )


def _onnxruntime(weights: Path, device: str, batch: int | None) -> LoadedNetwork:
    # It would send its makers what it does, in a thread that forked workers would not have.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    runtime = library("onnxruntime")
    session, provider, note = _session(runtime, weights, device)
    names = [one.name for one in (*session.get_inputs(), *session.get_outputs())]
    notes = session.get_modelmeta().custom_metadata_map
    looks = read_looks(names, notes, weights)
    on_gpu = provider != "CPU"
    batch = batch or (GPU_BATCH if on_gpu else CPU_BATCH)
    if on_gpu:
        backend = importlib.import_module("backend_gpu")
        bound = backend.BoundSessions(
            runtime,
            session,
            lambda: _session(runtime, weights, device)[0],
            input_name=INPUT,
            output_name=OUTPUT,
            batch=batch,
        )
        run = bound.run
    else:

        def run(inputs: Inputs) -> Boxes:
            found: Boxes = session.run([OUTPUT], {INPUT: inputs})[0]
            return found

    return LoadedNetwork(
        run=run,
        looks=looks,
        on_gpu=on_gpu,
        batch=batch,
        description=f"onnxruntime {runtime.__version__} on {provider}{note}",
        notes=notes,
    )


def _session(runtime: Any, weights: Path, device: str) -> tuple[Any, str, str]:
    """Return a session on the GPU if one works, else on the CPU, with the provider's name."""
    runtime.set_default_logger_severity(4)
    options = runtime.SessionOptions()
    # Each worker process runs the network on its own photos: that scales better than several
    # threads on one photo, and without threads a session survives a fork.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    note = ""
    if device != "cpu":
        backend = importlib.import_module("backend_gpu")
        session, provider, note = backend.session(runtime, weights, options)
        if session is not None:
            return session, provider, ""
    if device == "cuda":
        raise NetworkError(f"--device cuda: no CUDA provider works here{note}")
    try:
        cpu = ["CPUExecutionProvider"]
        session = runtime.InferenceSession(str(weights), options, providers=cpu)
    except Exception as error:  # noqa: BLE001  (a broken file can raise anything)
        raise NetworkError(f"{weights} cannot be loaded: {error}") from None
    return session, "CPU", note


def library(name: str) -> Any:
    """Import a library that most runs do not need.

    By name, because tools that read the imports of a solution would install a plain import for
    every run.

    Raises:
        NetworkError: It is not installed, or does not work here.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise NetworkError(f"{name} is not installed here ({error})") from None
