"""The network in OpenVINO, on the CPU: compiled once for each shape of the input."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

PRECISIONS = {"fp32": "f32", "bf16": "bf16"}


class OpenVino:
    """A network that each of several threads may run on inputs of several shapes."""

    def __init__(self, openvino: Any, weights: Path, threads: int, precision: str) -> None:
        self.core = openvino.Core()
        self.weights = weights
        self.settings = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "NUM_STREAMS": str(threads),
            "INFERENCE_NUM_THREADS": str(threads),
            "INFERENCE_PRECISION_HINT": PRECISIONS[precision],
            "ENABLE_CPU_PINNING": False,  # another run on this machine would pin the same cores
        }
        model = self.core.read_model(weights)
        self.names = [one.get_any_name() for one in (*model.inputs, *model.outputs)]
        notes = dict(model.get_rt_info().items()).get("framework", {})
        self.notes = {name: note.astype(str) for name, note in notes.items()}
        self.lock = threading.Lock()
        self.compiled: dict[tuple[int, ...], Any] = {}
        self.own = threading.local()

    def run(self, inputs: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Run the network in the calling thread's own request."""
        requests = self.own.__dict__.setdefault("requests", {})
        if inputs.shape in requests:
            return self.infer(requests[inputs.shape], inputs)
        # Two threads that make OpenVINO's first tensors at once can wait for each other for ever:
        # one in a constructor of its statics for Python's lock, which the other holds and waits
        # for that constructor. So each thread's first run of a shape has the library to itself.
        with self.lock:
            request = requests[inputs.shape] = self.compile(inputs.shape).create_infer_request()
            return self.infer(request, inputs)

    def infer(self, request: Any, inputs: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Run the network once, without a copy of the inputs."""
        return np.array(request.infer({0: inputs}, share_inputs=True)[0], np.float32)

    def compile(self, shape: tuple[int, ...]) -> Any:
        """Compile the network for inputs of this shape, unless that was done."""
        if shape not in self.compiled:
            model = self.core.read_model(self.weights)
            model.reshape(list(shape))
            self.compiled[shape] = self.core.compile_model(model, "CPU", self.settings)
        return self.compiled[shape]
