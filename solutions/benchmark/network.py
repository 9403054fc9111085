"""The network: an ONNX file that `invoke benchmark.export` made, run by one of two libraries."""

from __future__ import annotations

import importlib
import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from looks import Looks, Network

INPUT, OUTPUT = "photos", "boxes"


class NetworkError(Exception):
    """The weights or the library to run them cannot be used."""


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A network that is ready, and where it runs."""

    run: Network
    looks: Looks
    on_gpu: bool
    description: str


def load(weights: Path, *, backend: str, device: str, threads: int) -> Loaded:
    """Load the network.

    Args:
        weights: The ONNX file.
        backend: onnxruntime or openvino.
        device: auto takes a GPU where onnxruntime has one; or cpu, cuda.
        threads: How many threads of the caller will run the network at the same time.

    Raises:
        NetworkError: It cannot be loaded; the message says why.
    """
    if not weights.is_file():
        raise NetworkError(f"{weights} does not exist; make it with `invoke benchmark.export`")
    runtime = _library("onnxruntime")
    session, on_gpu, note = _session(runtime, weights, device)
    looks = _looks(session, weights)
    if backend == "openvino":
        del session
        run = OpenVino(weights, threads).run
        return Loaded(run=run, looks=looks, on_gpu=False, description="OpenVINO on the CPU")

    def run_session(inputs: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return np.asarray(session.run([OUTPUT], {INPUT: inputs})[0], np.float32)

    where = f"onnxruntime {runtime.__version__} on the {'GPU' if on_gpu else 'CPU'}{note}"
    return Loaded(run=run_session, looks=looks, on_gpu=on_gpu, description=where)


def _session(runtime: Any, weights: Path, device: str) -> tuple[Any, bool, str]:
    """Open a session on the GPU if there is one and it works, else on the CPU; say which."""
    runtime.set_default_logger_severity(3)
    options = runtime.SessionOptions()
    # Every worker thread runs the network on its own photo: that scales better than several
    # threads on one photo, and idle threads that spin would take time from the others.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    note = ""
    if device != "cpu" and "CUDAExecutionProvider" in runtime.get_available_providers():
        if hasattr(runtime, "preload_dlls"):  # the CUDA libraries that pip installed
            runtime.preload_dlls()
        try:
            wanted = ["CUDAExecutionProvider", "CPUExecutionProvider"]
            session = runtime.InferenceSession(str(weights), options, providers=wanted)
            if session.get_providers()[0] == wanted[0]:
                return session, True, ""
            note = " (the CUDA provider did not load)"
        except Exception as error:  # noqa: BLE001  (whatever the driver says)
            note = f" (the CUDA provider failed: {str(error).splitlines()[0]})"
    if device == "cuda":
        raise NetworkError(f"--device cuda: no CUDA provider works here{note}")
    try:
        session = runtime.InferenceSession(
            str(weights), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # noqa: BLE001  (a broken file can raise anything)
        raise NetworkError(f"{weights} cannot be loaded: {error}") from None
    return session, False, note


def _looks(session: Any, weights: Path) -> Looks:
    """Read from the file how it wants to look at photos."""
    names = [one.name for one in (*session.get_inputs(), *session.get_outputs())]
    notes = session.get_modelmeta().custom_metadata_map
    if names != [INPUT, OUTPUT] or "first_look" not in notes:
        raise NetworkError(
            f"{weights} was not made by `invoke benchmark.export` (it has {', '.join(names)})"
        )
    first, second = json.loads(notes["first_look"]), json.loads(notes["second_look"])
    return Looks(first=tuple(first), second=tuple(second) if second else None)


class OpenVino:
    """The same file in OpenVINO: compiled once for each shape of the input."""

    def __init__(self, weights: Path, threads: int) -> None:
        self.openvino = _library("openvino")
        self.core = self.openvino.Core()
        self.weights = weights
        self.settings = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": str(threads),
            "INFERENCE_NUM_THREADS": str(threads),
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self.lock = threading.Lock()
        self.compiled: dict[tuple[int, ...], Any] = {}
        self.own = threading.local()

    def run(self, inputs: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Run the network in the calling thread's own request."""
        requests = self.own.__dict__.setdefault("requests", {})
        request = requests.get(inputs.shape)
        if request is None:
            request = requests[inputs.shape] = self._compile(inputs.shape).create_infer_request()
        return np.array(request.infer({INPUT: inputs}, share_inputs=True)[OUTPUT], np.float32)

    def _compile(self, shape: tuple[int, ...]) -> Any:
        with self.lock:
            if shape not in self.compiled:
                model = self.core.read_model(self.weights)
                model.reshape(list(shape))
                self.compiled[shape] = self.core.compile_model(model, "CPU", self.settings)
            return self.compiled[shape]


def _library(name: str) -> Any:
    # By name, since a plain import would make tools that read the imports of this solution
    # install a library that most runs do not need.
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise NetworkError(f"{name} is not installed here ({error})") from None
