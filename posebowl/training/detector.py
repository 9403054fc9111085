"""The network: a YOLO detector with one detection head, and the choice of its best box."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Final

import torch
from ultralytics.cfg import get_cfg
from ultralytics.nn.modules import Detect, v10Detect
from ultralytics.nn.tasks import DetectionModel, torch_safe_load, yaml_model_load

from posebowl.errors import UsageError

CLASS_NAMES: Final = {0: "spacecraft"}
ANOTHER: Final = 0.3
"""IoU up to which a box is of another place than a better one."""


def build(yaml: str) -> Any:
    """Build an untrained one-class detector from an ultralytics YAML, such as yolo26n.yaml.

    A model with two heads (one box per object beside many) is built with the latter alone: the
    best of many boxes needs no suppression of the others, and that head learns faster.

    Raises:
        UsageError: ultralytics has no such model.
    """
    try:
        config = yaml_model_load(yaml)
        config["end2end"] = False
        model = DetectionModel(config, nc=1, verbose=False)
    except Exception as error:  # noqa: BLE001  (a file that is not a model can raise anything)
        raise UsageError(
            f"ultralytics has no detection model {yaml}.",
            why=str(error).partition("\n")[0],
            fix="Type: --model yolo26n.yaml",
        ) from None
    model.names = dict(CLASS_NAMES)
    model.args = get_cfg(overrides={"model": yaml, "task": "detect"})
    return model


def read(weights: Path) -> dict[str, Any]:
    """Read an ultralytics checkpoint.

    Raises:
        UsageError: The file is missing, or not a checkpoint.
    """
    if not weights.is_file():
        raise UsageError(
            f"{weights} does not exist.",
            fix="Use the path of a checkpoint, such as --weights best.pt.",
        )
    try:
        checkpoint: dict[str, Any] = torch_safe_load(str(weights))[0]
        checkpoint["model"]
    except Exception as error:  # unpickling an untrusted file can raise anything
        raise UsageError(
            f"{weights} is not an ultralytics checkpoint.",
            why=str(error),
            fix="Use a .pt file that `yolo train` or `invoke benchmark.train` wrote.",
        ) from error
    return checkpoint


def load(weights: Path) -> Any:
    """Load the model of an ultralytics checkpoint, in fp32 and ready for inference.

    Raises:
        UsageError: The file is missing, or not an ultralytics detection model.
    """
    checkpoint = read(weights)
    model = checkpoint.get("ema") or checkpoint["model"]
    # Only the head shows it: neither trained nor freshly built models carry their task.
    head = model.model[-1] if isinstance(getattr(model, "model", None), torch.nn.Module) else model
    if type(head) not in {Detect, v10Detect}:
        raise UsageError(
            f"{weights} is not a detection model: its head is {type(head).__name__}.",
            why="The benchmark needs boxes, which models for other tasks do not return.",
            fix="Use the checkpoint of a model for the task `detect`.",
        )
    return model.float().eval()


class BestBox(torch.nn.Module):  # type: ignore[misc]  # torch has no types here
    """A detector that takes photos as they are decoded and returns the best boxes of any class.

    Input: uint8, (n, height, width, 3), red, green, blue; height and width multiples of 32.
    Output: float32, (n, 5): xmin, ymin, xmax, ymax in input pixels, and the score; for several
    boxes of different places (n, places, 5), the best first.
    """

    def __init__(self, model: Any, places: int = 1) -> None:
        super().__init__()
        self.places = places
        head = model.model[-1]
        if getattr(head, "one2one_cv2", None) is not None:
            head.end2end = head.cv2 is None
        # Anchors are computed for each input, so that one graph takes inputs of all sizes.
        head.dynamic, head.export, head.format = True, True, "onnx"
        self.model = model
        self.corners = bool(head.end2end)
        self.eval()

    def forward(self, photos: torch.Tensor) -> torch.Tensor:
        """Find the best box of each photo, or of each place in it."""
        if self.places > 1:
            return best_places(self.candidates(photos), self.places)
        found = self.raw(photos)
        if self.corners:  # (n, boxes, 6), sorted by score
            return found[:, 0, :5]
        scores = found[:, 4:].amax(1)  # found: (n, 4 + classes, anchors)
        best = scores.argmax(1, keepdim=True)
        # All channels, though four would do: OpenVINO wants index and data of one shape.
        box = found.gather(2, best[:, None].expand(-1, found.shape[1], 1))[:, :4, 0]
        center, half = box[:, :2], box[:, 2:] / 2
        return torch.cat([center - half, center + half, scores.gather(1, best)], 1).float()

    def candidates(self, photos: torch.Tensor) -> torch.Tensor:
        """Return all boxes with their scores, (n, boxes, 5), among which `forward` chooses."""
        found = self.raw(photos)
        if self.corners:
            return found[..., :5]
        center, half = found[:, :2], found[:, 2:4] / 2
        every = torch.cat([center - half, center + half, found[:, 4:].amax(1, keepdim=True)], 1)
        return every.permute(0, 2, 1).float()

    def raw(self, photos: torch.Tensor) -> torch.Tensor:
        """Run the detector, box decoding included."""
        weight = next(self.model.parameters())
        found: torch.Tensor = self.model(photos.permute(0, 3, 1, 2).to(weight.dtype) / 255)
        return found


def best_places(every: torch.Tensor, places: int) -> torch.Tensor:
    """Return the best of all boxes, and the best of those that hardly overlap with better ones.

    Args:
        every: Corners and scores, (n, boxes, 5).
        places: How many to return.

    Returns:
        (n, places, 5).
    """
    low, high, scores = every[..., :2], every[..., 2:4], every[..., 4]
    areas = (high - low).prod(-1)
    chosen = []
    for _ in range(places):
        best = scores.argmax(1, keepdim=True)[..., None].expand(-1, -1, every.shape[2])
        box = every.gather(1, best)
        chosen.append(box)
        sides = torch.minimum(high, box[..., 2:4]) - torch.maximum(low, box[..., :2])
        shared = sides.clamp(min=0).prod(-1)
        joined = areas + (box[..., 2:4] - box[..., :2]).prod(-1) - shared
        scores = torch.where(shared > ANOTHER * joined, torch.zeros_like(scores), scores)
    return torch.cat(chosen, 1)


def pass_through(norm: torch.nn.BatchNorm2d) -> None:
    """Let a normalization do nothing in inference but add its bias."""
    with torch.no_grad():
        norm.running_mean.zero_()
        norm.running_var.fill_(1.0)
        norm.weight.fill_((1.0 + norm.eps) ** 0.5)


def quiet() -> None:
    """Disable the warnings of torch's tracing, which do not concern the result."""
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
