"""The network on an NVIDIA GPU: onnxruntime's providers, and batches in buffers that stay there."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import io
from collections.abc import Callable
from dataclasses import dataclass
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
        with contextlib.redirect_stdout(io.StringIO()):  # where it prints a line for each it lacks
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
        return None, "", f" (the CUDA provider did not load{missing_library(runtime)})"
    return opened, "TensorRT" if provider == TENSORRT else "CUDA", ""


def missing_library(runtime: Any) -> str:
    """Return which library the CUDA provider lacks; onnxruntime tells that only its own log."""
    provider = Path(runtime.__file__).parent / "capi" / "libonnxruntime_providers_cuda.so"
    if not provider.is_file():
        return ""
    try:
        ctypes.CDLL(str(provider))
    except OSError as error:
        name, lacking, _ = str(error).partition(": cannot open shared object file")
        return f": {name} is missing" if lacking else ""
    return ""


class BoundSessions:
    """Runs batches of one size, with a session and a buffer on the GPU for each shape.

    A session plans its convolutions again whenever its input has another shape than the last
    (onnxruntime's issue 23006), and looks of several sizes take turns: with one session, a batch of
    32 photos took 2 seconds on an H100, of which the network needed a twentieth.
    """

    def __init__(
        self,
        runtime: Any,
        opened: Any,
        open_another: Callable[[], Any],
        *,
        input_name: str,
        output_name: str,
        batch: int,
        device: str = "cuda",
    ) -> None:
        self.runtime = runtime
        self.unused, self.open_another = [opened], open_another
        self.input_name = input_name
        self.output_name = output_name
        self.batch = batch
        self.device = device
        self.bound: dict[tuple[int, ...], _Bound] = {}

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
        bound = self.bound[shape]
        bound.photos[: len(inputs)] = inputs
        bound.buffer.update_inplace(bound.photos)
        bound.session.run_with_iobinding(bound.binding)
        found: npt.NDArray[np.float32] = bound.binding.copy_outputs_to_cpu()[0]
        return found[: len(inputs)]

    def _bind(self, shape: tuple[int, ...]) -> _Bound:
        """Return a session, and its input and output bound to buffers."""
        opened = self.unused.pop() if self.unused else self.open_another()
        photos = np.zeros(shape, np.uint8)
        buffer = self.runtime.OrtValue.ortvalue_from_numpy(photos, self.device, 0)
        binding = opened.io_binding()
        binding.bind_ortvalue_input(self.input_name, buffer)
        binding.bind_output(self.output_name, self.device, 0)
        return _Bound(session=opened, photos=photos, buffer=buffer, binding=binding)


@dataclass(frozen=True, kw_only=True)
class _Bound:
    """A session for one shape."""

    session: Any
    photos: npt.NDArray[np.uint8]
    buffer: Any
    """The photos on the GPU."""
    binding: Any
