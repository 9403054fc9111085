"""The state of a training run, and the files that keep it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import ultralytics

from posebowl.errors import UsageError
from posebowl.training.detector import build
from posebowl.training.imitation import Teacher, teacher_of
from posebowl.training.initial_weights import shapes
from posebowl.training.losses import BestBoxLoss
from posebowl.training.recipe import Recipe
from posebowl.training.shapes import reshape
from posebowl.util.files import atomic_write


@dataclass(kw_only=True)
class TrainingState:
    """The state of a training run, saved in checkpoints."""

    model: Any
    average: Any
    optimizer: Any
    teacher: Teacher | None = None
    """A wider network to imitate."""
    step: int = 0
    views: int = 0
    """All that all replicas were trained on."""
    seconds: float = 0.0
    best: float = -1.0
    judged_on: str = ""
    """The validation folder that `best` was measured on."""

    def progress(self, recipe: Recipe) -> float:
        """Return the share of the run that is done, 0 to 1."""
        if recipe.steps is not None:
            return min(1.0, self.step / recipe.steps)
        return min(1.0, self.seconds / (60 * recipe.minutes))


def begin(recipe: Recipe, device: Any, last: Path | None) -> TrainingState:
    """Return the state of a new run, or that of a run's last checkpoint if there is one."""
    if last and last.exists():
        state = restored(recipe, device, last)
    else:
        state = new_state(recipe, device, shapes(Path(recipe.start)) if recipe.start else None)
    if state.judged_on != str(recipe.val):
        state.best, state.judged_on = -1.0, str(recipe.val)
    return state


def new_state(
    recipe: Recipe, device: Any, weights: Mapping[str, torch.Tensor] | None = None
) -> TrainingState:
    """Build the model, its running average and the optimizer.

    Args:
        recipe: What to build.
        device: Where.
        weights: Whose shapes the model gets, which may be narrower; by default its own.
    """
    model = build(recipe.model)
    reshape(model, weights or {})
    model = model.to(device)
    model = model.to(memory_format=torch.channels_last).train()
    for layer in list(model.model)[: recipe.frozen]:
        layer.requires_grad_(requires_grad=False)
    average = deepcopy(model).eval().requires_grad_(requires_grad=False)
    model.criterion = BestBoxLoss(model)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": recipe.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ],
        lr=recipe.rate,
        betas=(0.9, 0.999),
        fused=True,
    )
    teacher = teacher_of(recipe, device)
    return TrainingState(model=model, average=average, optimizer=optimizer, teacher=teacher)


def append_row(curves: Path, row: dict[str, Any]) -> None:
    """Add a row to a CSV file, with the header first if the file is new.

    A run that an earlier version started keeps its columns.
    """
    columns = list(row)
    if curves.exists():
        with curves.open(newline="") as file:
            columns = next(csv.reader(file), columns)
    with curves.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=columns, extrasaction="ignore")
        if not file.tell():
            writer.writeheader()
        writer.writerow(row)


def save(state: TrainingState, recipe: Recipe, path: Path, *, slim: bool = False) -> None:
    """Write a checkpoint that ultralytics can load, whole or not at all."""
    average = deepcopy(state.average)
    if hasattr(average, "criterion"):
        del average.criterion
    longest = max(recipe.large or recipe.size)
    content = {
        "epoch": -1,
        "best_fitness": state.best,
        "model": None,
        "ema": average.half() if slim else average,
        "train_args": {"model": recipe.model, "task": "detect", "imgsz": longest},
        "recipe": asdict(recipe),
        "date": datetime.now(UTC).isoformat(),
        "version": ultralytics.__version__,
        "license": "AGPL-3.0 (https://ultralytics.com/license)",
    }
    if not slim:
        content["weights"] = state.model.state_dict()
        content["optimizer"] = state.optimizer.state_dict()
        names = ("step", "views", "seconds", "best", "judged_on")
        content["progress"] = {name: getattr(state, name) for name in names}
    with atomic_write(path) as file:
        torch.save(content, file)


def restored(recipe: Recipe, device: Any, path: Path) -> TrainingState:
    """Return the state of a run from its last checkpoint.

    Raises:
        UsageError: It is damaged, or of another architecture.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=False)
        state = new_state(recipe, device, content["weights"])
        state.model.load_state_dict(content["weights"])
        state.average.load_state_dict(content["ema"].float().state_dict())
        state.optimizer.load_state_dict(content["optimizer"])
        # Checkpoints of earlier versions, which had one process, do not count views.
        views = content["progress"]["step"] * content["recipe"]["batch"]
        for name, value in {"views": views, **content["progress"]}.items():
            setattr(state, name, value)
    except (OSError, UsageError):
        raise
    except Exception as error:  # noqa: BLE001  (unpickling a damaged file can raise anything)
        raise UsageError(
            f"Cannot resume from {path}.",
            why=f"It is damaged, or of another --model: {str(error).partition(chr(10))[0]}",
            fix="Use those that the run started with, or another --out to start over.",
        ) from None
    return state
