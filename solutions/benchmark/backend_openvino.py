"""The network in OpenVINO, on the CPU, compiled once for inputs of any shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

PRECISIONS = {"fp32": "f32", "bf16": "bf16"}


class OpenVino:
    """A network that one thread runs on inputs of several shapes.

    Nothing is compiled before the first run, so that a process can be forked before it: a fork
    would lack the library's threads, which compiling starts.
    """

    def __init__(self, openvino: Any, weights: Path, precision: str) -> None:
        self.core = openvino.Core()
        self.model = self.core.read_model(weights)
        self.settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": "1",
            "INFERENCE_PRECISION_HINT": PRECISIONS[precision],
            "ENABLE_CPU_PINNING": False,  # other runs on this machine would pin the same cores
        }
        self.names = [one.get_any_name() for one in (*self.model.inputs, *self.model.outputs)]
        notes = dict(self.model.get_rt_info().items()).get("framework", {})
        self.notes = {name: note.astype(str) for name, note in notes.items()}
        self.request: Any = None

    def run(self, inputs: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Run the network, without a copy of the inputs."""
        if self.request is None:
            compiled = self.core.compile_model(self.model, "CPU", self.settings)
            self.request = compiled.create_infer_request()
        return np.array(self.request.infer({0: inputs}, share_inputs=True)[0], np.float32)
