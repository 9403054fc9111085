"""Train, measure and export the benchmark's network; needs the group `cpu` or `gpu`."""
# mypy: implicit-reexport
# ruff: noqa: F401

import os
from typing import TYPE_CHECKING

from posebowl.util.lazy import face
from posebowl.util.missing_packages import explain_missing_packages

if TYPE_CHECKING:
    from posebowl.training.dataset import Sample, read_labels
    from posebowl.training.options import (
        EvaluateOptions,
        ExportOptions,
        NarrowOptions,
        TrainOptions,
    )

# Both read these when they are imported, so they are set before any module here is. ultralytics
# would try the internet, install packages and write about each model that it builds; onnxruntime
# would send its makers what it does, by way of a thread that a forked process must not inherit.
os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("YOLO_VERBOSE", "false")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

explain_missing_packages()
__getattr__ = face(__name__)
