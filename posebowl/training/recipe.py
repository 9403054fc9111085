"""The training recipe: the hyperparameters and data of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from posebowl.training.augment import Augmentation
from posebowl.training.copy_paste import CopyPaste
from posebowl.training.options import TrainOptions


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The hyperparameters and data of a training run."""

    model: str = TrainOptions.model
    size: tuple[int, int] = TrainOptions.size
    """Height and width of the training views."""
    first: tuple[int, int] = TrainOptions.first
    """Height and width of the first look in validation."""
    second: tuple[int, int] = TrainOptions.second
    """The same of the second look."""
    batch: int = TrainOptions.batch
    rate: float = TrainOptions.rate
    """Highest learning rate of AdamW."""
    last_rate: float = 0.01
    """Share of `rate` at the end of the cosine."""
    warm_up: int = 300
    """Steps of linear warm-up."""
    weight_decay: float = 5e-4
    average: float = 0.999
    """Decay of the exponential moving average of the weights, which is what is saved."""
    seed: int = TrainOptions.seed
    minutes: float = TrainOptions.minutes
    steps: int | None = TrainOptions.steps
    """Stop after so many steps, not minutes: repeatable."""
    every_minutes: float = TrainOptions.every_minutes
    """Between checkpoints, each of which is validated."""
    start: str = ""
    """Initial weights; empty for random ones."""
    precision: str = TrainOptions.precision
    device: str = TrainOptions.device
    data: tuple[str, ...] = ()
    val: str = ""
    augmentation: Augmentation = field(default_factory=Augmentation)
    cutouts: tuple[str, ...] = ()
    backgrounds: tuple[str, ...] = ()
    paste: CopyPaste = field(default_factory=CopyPaste)


def recipe_of(options: TrainOptions) -> Recipe:
    """Return the recipe that options ask for."""
    return Recipe(
        model=options.model,
        start=str(options.start or ""),
        size=options.size,
        first=options.first,
        second=options.second,
        batch=options.batch,
        rate=options.rate,
        seed=options.seed,
        minutes=options.minutes,
        steps=options.steps,
        every_minutes=options.every_minutes,
        precision=options.precision,
        device=options.device,
        data=tuple(str(folder) for folder in options.data),
        val=str(options.val),
        cutouts=tuple(str(folder) for folder in options.cutouts),
        backgrounds=tuple(str(folder) for folder in options.backgrounds),
        paste=CopyPaste(share=options.pasted),
    )
