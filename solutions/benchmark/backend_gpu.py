"""The network on an NVIDIA GPU: onnxruntime's providers, and batches in buffers that stay there."""

# Tested on onnxruntime's CPU device only: no GPU was available.
from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

CUDA, TENSORRT = "CUDAExecutionProvider", "TensorrtExecutionProvider"


def session(runtime: Any, weights: Path, options: Any) -> tuple[Any, str, str]:
    """Open a session on the GPU, with TensorRT where that is installed.

    Returns:
        The session, the short name of its provider, and an empty string; or None, an empty string,
        and the reason (empty if this onnxruntime was not built for GPUs).
    """
    if CUDA not in runtime.get_available_providers():
        return None, "", ""
    if hasattr(runtime, "preload_dlls"):  # the CUDA libraries that pip installed
        runtime.preload_dlls()
    # Heuristics choose the kernels: trying all of them takes seconds for each shape.
    wanted: list[Any] = [(CUDA, {"cudnn_conv_algo_search": "HEURISTIC"}), "CPUExecutionProvider"]
    if importlib.util.find_spec("tensorrt"):
        wanted.insert(0, (TENSORRT, {"trt_fp16_enable": "0"}))
    try:
        opened = runtime.InferenceSession(str(weights), options, providers=wanted)
    except Exception as error:  # noqa: BLE001  (a driver can raise anything)
        lines = str(error).splitlines() or [type(error).__name__]
        return None, "", f" (the CUDA provider failed: {lines[0]})"
    provider = opened.get_providers()[0]
    if provider not in {CUDA, TENSORRT}:
        return None, "", " (the CUDA provider did not load)"
    return opened, "TensorRT" if provider == TENSORRT else "CUDA", ""


class BoundSession:
    """Runs batches of one size, with a buffer on the GPU for each shape."""

    def __init__(
        self,
        runtime: Any,
        opened: Any,
        *,
        input_name: str,
        output_name: str,
        batch: int,
        device: str = "cuda",
    ) -> None:
        self.runtime = runtime
        self.session = opened
        self.input_name = input_name
        self.output_name = output_name
        self.batch = batch
        self.device = device
        self.bound: dict[tuple[int, ...], tuple[npt.NDArray[np.uint8], Any, Any]] = {}

    def run(self, inputs: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Run the network; only one thread may do so at a time.

        A batch that is not full keeps old photos as padding: a new shape would cost more time
        than it saves.
        """
        parts = range(0, len(inputs), self.batch)
        return np.concatenate([self._run(inputs[at : at + self.batch]) for at in parts])

    def _run(self, inputs: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        shape = (self.batch, *inputs.shape[1:])
        if shape not in self.bound:
            self.bound[shape] = self._bind(shape)
        full, buffer, binding = self.bound[shape]
        full[: len(inputs)] = inputs
        buffer.update_inplace(full)
        self.session.run_with_iobinding(binding)
        found: npt.NDArray[np.float32] = binding.copy_outputs_to_cpu()[0]
        return found[: len(inputs)]

    def _bind(self, shape: tuple[int, ...]) -> tuple[npt.NDArray[np.uint8], Any, Any]:
        """Return a batch in memory, its buffer on the GPU, and a binding of the two."""
        full = np.zeros(shape, np.uint8)
        buffer = self.runtime.OrtValue.ortvalue_from_numpy(full, self.device, 0)
        binding = self.session.io_binding()
        binding.bind_ortvalue_input(self.input_name, buffer)
        binding.bind_output(self.output_name, self.device, 0)
        return full, buffer, binding
