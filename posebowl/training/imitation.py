"""What a narrow network learns from a wider one: its scores and boxes, on every view.

A label says where the spacecraft is; the wider network says of every place how much it looks like
one (G. Hinton et al., Distilling the Knowledge in a Neural Network, 2015).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import torch
from torch.nn import functional

from posebowl.errors import UsageError
from posebowl.training.detector import build
from posebowl.training.initial_weights import fill, read_onnx
from posebowl.training.recipe import Recipe

GAIN: Final = 2.0
"""Weight of imitation, among 7.5 for boxes and 0.5 for scores as they are labelled."""


class Teacher:
    """A wider network, whose weights stay as they are."""

    def __init__(self, model: Any) -> None:
        self.model = model.eval().requires_grad_(requires_grad=False)
        self.model.fuse(verbose=False)

    def loss(
        self, inputs: torch.Tensor, found: dict[str, torch.Tensor], dtype: Any
    ) -> torch.Tensor:
        """Return how far a network is from this one on some views.

        Args:
            inputs: Views, (n, 3, height, width), 0 to 1.
            found: What the network found on them, as ultralytics' head returns it in training.
            dtype: What this network computes in.
        """
        with (
            torch.no_grad(),
            torch.autocast(inputs.device.type, dtype, enabled=dtype != torch.float32),
        ):
            _, taught = self.model(inputs)
        return GAIN * imitation_loss(found, taught)


def teacher_of(recipe: Recipe, device: Any) -> Teacher | None:
    """Return the network to imitate, which has the full width of the model; None for none.

    Raises:
        UsageError: The file cannot be read, or is of another architecture, or one whose boxes
            cannot be compared.
    """
    if not recipe.teacher:
        return None
    file, wider = Path(recipe.teacher), build(recipe.model)
    if wider.model[-1].reg_max > 1:
        raise UsageError(
            f"A network of {recipe.model} cannot be imitated.",
            why="Its head returns distributions of the sides of boxes; YOLO26 returns the sides.",
            fix="Leave out --teacher, or use --model yolo26n.yaml.",
        )
    fill(wider, read_onnx(file), file)
    return Teacher(wider.to(device).to(memory_format=torch.channels_last))


def imitation_loss(found: dict[str, torch.Tensor], taught: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the distance of scores, and that of boxes where the teacher sees a spacecraft.

    Args:
        found: "scores", logits, (n, 1, places), and "boxes", the distances of a box's sides from
            its place, (n, 4, places).
        taught: The same of the teacher.

    Returns:
        A scalar, 0 for the same: per spacecraft seen, the cross-entropy of scores beyond the least
        possible, and the difference of the four distances as a share of the box's sides.
    """
    logits = taught["scores"].float()
    wanted = logits.sigmoid()
    entropy = functional.binary_cross_entropy_with_logits
    scores = entropy(found["scores"], wanted, reduction="sum")
    scores = scores - entropy(logits, wanted, reduction="sum")
    theirs = taught["boxes"].float()
    sides = theirs.sum(1, keepdim=True).clamp(min=1)  # half the circumference
    apart = ((found["boxes"] - theirs).abs() / sides * wanted).sum()
    return (scores + apart) / wanted.sum().clamp(min=1)
