"""The training recipe and its command line.

python -m posebowl.training.train --data DIR --val DIR --minutes 60 --out DIR
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from posebowl.errors import UsageError
from posebowl.training.augment import Augmentation
from posebowl.training.copy_paste import CopyPaste
from posebowl.util.parser import Parser


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The hyperparameters and data of a training run."""

    model: str = "yolo26n.yaml"
    size: tuple[int, int] = (256, 320)
    """Height and width of the training views."""
    first: tuple[int, int] = (320, 384)
    """Height and width of the first look in validation."""
    second: tuple[int, int] = (192, 256)
    """The same of the second look."""
    batch: int = 16
    rate: float = 2e-3
    """Highest learning rate of AdamW."""
    last_rate: float = 0.01
    """Share of `rate` at the end of the cosine."""
    warm_up: int = 300
    """Steps of linear warm-up."""
    weight_decay: float = 5e-4
    average: float = 0.999
    """Decay of the exponential moving average of the weights, which is what is saved."""
    seed: int = 0
    minutes: float = 60.0
    steps: int | None = None
    """Stop after so many steps, not minutes: repeatable."""
    every_minutes: float = 4.0
    """Between checkpoints, each of which is validated."""
    start: str = ""
    """Initial weights; empty for random ones."""
    precision: str = "auto"
    device: str = "auto"
    data: tuple[str, ...] = ()
    val: str = ""
    augmentation: Augmentation = field(default_factory=Augmentation)
    cutouts: tuple[str, ...] = ()
    backgrounds: tuple[str, ...] = ()
    paste: CopyPaste = field(default_factory=CopyPaste)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    plain = Recipe()
    parser = Parser(task="benchmark.train", prog="posebowl.training.train", description=__doc__)
    parser.add_argument("--data", type=Path, action="append", required=True, help="labelled photos")
    parser.add_argument("--val", type=Path, required=True, help="photos that are only measured on")
    parser.add_argument(
        "--cutouts", type=Path, action="append", default=[], help="spacecraft to paste"
    )
    parser.add_argument(
        "--backgrounds", type=Path, action="append", default=[], help="photos to paste them over"
    )
    parser.add_argument("--pasted", type=float, default=plain.paste.share, help="share of views")
    parser.add_argument("--out", type=Path, required=True, help="checkpoints, curves, cache")
    parser.add_argument("--model", default=plain.model, help="an ultralytics YAML")
    parser.add_argument("--start", type=Path, help="weights to begin with, .pt or .onnx")
    parser.add_argument("--imgsz", type=int, nargs=2, metavar=("H", "W"), default=plain.size)
    parser.add_argument("--first", type=int, nargs=2, metavar=("H", "W"), default=plain.first)
    parser.add_argument("--second", type=int, nargs=2, metavar=("H", "W"), default=plain.second)
    parser.add_argument("--batch", type=int, default=plain.batch)
    parser.add_argument("--rate", type=float, default=plain.rate)
    parser.add_argument("--minutes", type=float, default=plain.minutes)
    parser.add_argument("--steps", type=int, help="stop after so many steps, not minutes")
    parser.add_argument("--every-minutes", type=float, default=plain.every_minutes)
    parser.add_argument("--seed", type=int, default=plain.seed)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default=plain.device)
    parser.add_argument("--precision", choices=("auto", "bf16", "fp32"), default=plain.precision)
    parser.add_argument("--threads", type=int, help="processors to use")
    parser.add_argument("--resume", action="store_true", help="go on from OUT/last.pt")
    parser.add_argument("--json", type=Path, help="write the final figures there")
    return parser.parse_args(argv)


def asked(args: argparse.Namespace) -> Recipe:
    """Return the recipe that a command line asks for.

    Raises:
        UsageError: A number makes no sense.
    """
    _refuse_what_cannot_be(args)
    return Recipe(
        model=args.model,
        start=str(args.start or ""),
        size=tuple(args.imgsz),
        first=tuple(args.first),
        second=tuple(args.second),
        batch=args.batch,
        rate=args.rate,
        seed=args.seed,
        minutes=args.minutes,
        steps=args.steps,
        every_minutes=args.every_minutes,
        precision=args.precision,
        device=args.device,
        data=tuple(str(folder) for folder in args.data),
        val=str(args.val),
        cutouts=tuple(str(folder) for folder in args.cutouts),
        backgrounds=tuple(str(folder) for folder in args.backgrounds),
        paste=CopyPaste(share=args.pasted),
    )


def refuse_size(flag: str, size: Sequence[int] | None) -> None:
    """Refuse a height or width that the network cannot take.

    Raises:
        UsageError: One of them is no multiple of 32.
    """
    if size is not None and any(edge <= 0 or edge % 32 for edge in size):
        raise UsageError(
            f"{flag} {size[0]} {size[1]}: heights and widths must be multiples of 32.",
            why="The network halves them five times.",
            fix=f"Take {flag} 320 384, for example.",
        )


def _refuse_what_cannot_be(args: argparse.Namespace) -> None:
    for flag, size in (("imgsz", args.imgsz), ("first", args.first), ("second", args.second)):
        refuse_size(f"--{flag}", size)
    if args.seed < 0:
        raise UsageError(f"--seed {args.seed} is below zero.", fix="Give a number from 0 on.")
    for name in ("minutes", "every_minutes", "steps", "batch", "rate", "threads"):
        value = getattr(args, name)
        if value is not None and not value > 0:  # NaN is no number above zero either
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(
                f"{flag} {value} is not above zero.",
                why="Training would never end, or never begin.",
                fix=f"Leave {flag} out, or give a number above zero.",
            )
    if not 0 <= args.pasted <= 1:
        raise UsageError(
            f"--pasted {args.pasted} is no share.",
            why="It is the share of the views that are made by copy and paste.",
            fix="Give a number from 0 to 1, such as --pasted 0.45.",
        )
