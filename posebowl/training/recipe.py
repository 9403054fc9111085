"""The training recipe: the hyperparameters and data of a training run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from posebowl.training.augment import Augmentation
from posebowl.training.copy_paste import CopyPaste
from posebowl.training.options import TrainOptions


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The hyperparameters and data of a training run."""

    model: str = TrainOptions.model
    """Share of the model's channels."""
    role: str = TrainOptions.role
    """What the network is for; chooses the views, and what it is judged by."""
    size: tuple[int, int] = TrainOptions.size
    """Height and width of the training views."""
    large: tuple[int, int] | None = None
    """The same in every other step, with as many views as make no more pixels than a batch."""
    first: tuple[int, int] = TrainOptions.first
    """Height and width of the first look in validation."""
    second: tuple[int, int] = TrainOptions.second
    """The same for the second look."""
    batch: int = TrainOptions.batch
    rate: float = TrainOptions.rate
    """Highest learning rate of AdamW."""
    last_rate: float = 0.01
    """Share of `rate` at the end of the cosine."""
    frozen: int = TrainOptions.frozen
    """Number of first layers that keep their weights, for a short run from trained ones."""
    warm_up: int = 300
    """Steps of linear warm-up; a third of them from trained weights."""
    weight_decay: float = 5e-4
    average: float = 0.999
    """Decay of the exponential moving average of the weights, which is what is saved."""
    seed: int = TrainOptions.seed
    minutes: float = TrainOptions.minutes
    steps: int | None = TrainOptions.steps
    """Number of steps, instead of minutes: reproducible."""
    every_minutes: float = TrainOptions.every_minutes
    """Minutes between checkpoints, each of which is validated."""
    start: str = ""
    """Initial weights; empty for random ones."""
    teacher: str = ""
    """The wider network to imitate; empty for none."""
    precision: str = TrainOptions.precision
    device: str = TrainOptions.device
    processes: int = TrainOptions.processes
    """Replicas of the network, each of which gets `batch` views in a step."""
    data: tuple[str, ...] = ()
    pool: tuple[str, ...] = ()
    """Pieces of a pool, from which the training device makes the views."""
    val: str = ""
    augmentation: Augmentation = field(default_factory=Augmentation)
    cutouts: tuple[str, ...] = ()
    backgrounds: tuple[str, ...] = ()
    decoys: str = ""
    """The search network whose mistakes close views show; empty for none."""
    paste: CopyPaste = field(default_factory=CopyPaste)


_AS_GIVEN: Final = (
    *("model", "role", "size", "large", "first", "second", "batch", "rate", "frozen"),
    *("seed", "minutes", "steps", "every_minutes", "precision", "processes"),
)
"""The fields that are options of the same name."""

_VIEWS: Final[dict[str, dict[str, float]]] = {
    "both": {},
    "search": {"close": 0.0, "mosaic": 0.06},
    "refine": {"close": 1.0, "mosaic": 0.0},
}
"""The shares of close views and mosaics, where they are not the usual ones."""
_WITH_DECOYS: Final = 0.3
"""Share of composites that show a decoy instead, if there are any."""


def recipe_of(options: TrainOptions) -> Recipe:
    """Return the recipe that options ask for."""
    views = _VIEWS[options.role]
    with_decoys = options.decoys or (options.pool and options.role == "refine")
    return Recipe(
        **{name: getattr(options, name) for name in _AS_GIVEN},
        device="cpu" if options.processes > 1 else options.device,
        start=str(options.start or ""),
        teacher=str(options.teacher or ""),
        warm_up=Recipe.warm_up // 3 if options.start else Recipe.warm_up,
        data=tuple(str(folder) for folder in options.data),
        pool=tuple(str(piece) for piece in options.pool),
        val=str(options.val),
        cutouts=tuple(str(folder) for folder in options.cutouts),
        backgrounds=tuple(str(folder) for folder in options.backgrounds),
        augmentation=Augmentation(**views),
        decoys=str(options.decoys or ""),
        paste=CopyPaste(
            share=options.pasted,
            close=views.get("close", CopyPaste.close),
            empty=_WITH_DECOYS if with_decoys else CopyPaste.empty,
        ),
    )
