"""The options of training, measuring and exporting, for their programs and for invoke's tasks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from posebowl import paths
from posebowl.errors import UsageError
from posebowl.util.options import Option
from posebowl.util.values import (
    FILE,
    FOLDER,
    PATH,
    TEXT,
    TRUTH,
    choice,
    multiple_pair,
    number,
    whole,
)

OWN_MODEL: Final = paths.SOLUTIONS / "benchmark" / "model.onnx"
"""The solution's own file."""
REFINER: Final = "refiner.onnx"
"""The file beside it with the network for the second look."""
_OWN: Final = "solutions/benchmark/model.onnx"

Size = tuple[int, int]
"""Height and width; the network halves them five times."""
SIZE: Final = multiple_pair(32, "256x320")
ROLES: Final = ("both", "search", "refine")
"""What a network is for: the whole photo, the crop around what was found there, or both."""
POSITIVE: Final = number(0, math.inf, "60", without_least=True)
SHARE: Final = number(0, 1, "0.5", without_least=True)


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """What is trained on what, and for how long."""

    val: Annotated[Path, Option(FOLDER, "labelled photos to validate on")]
    out: Annotated[Path, Option(FOLDER, "folder for checkpoints, curves and the cache")]
    data: Annotated[tuple[Path, ...], Option(FOLDER, "labelled photos to train on", many=True)] = ()
    pool: Annotated[
        tuple[Path, ...],
        Option(FILE, "packed pictures instead, for views made on the GPU", many=True),
    ] = ()
    cutouts: Annotated[
        tuple[Path, ...], Option(FOLDER, "images of spacecraft alone, to paste", many=True)
    ] = ()
    backgrounds: Annotated[
        tuple[Path, ...],
        Option(FOLDER, "photos without spacecraft, to paste them over", many=True),
    ] = ()
    pasted: Annotated[
        float,
        Option(number(0, 1, "0.45"), "share of the views made by copy and paste, with --cutouts"),
    ] = 0.45
    decoys: Annotated[
        Path | None,
        Option(FILE, "a search network, whose mistakes teach a refiner", "none"),
    ] = None
    start: Annotated[
        Path | None,
        Option(FILE, "initial weights: a .pt checkpoint or an exported .onnx", "random"),
    ] = None
    teacher: Annotated[
        Path | None,
        Option(FILE, "an exported wider network, to imitate its scores and boxes", "none"),
    ] = None
    model: Annotated[str, Option(TEXT, "an ultralytics YAML")] = "yolo26n.yaml"
    role: Annotated[str, Option(choice(ROLES), "which looks the network is for")] = "both"
    size: Annotated[Size, Option(SIZE, "height and width of the training views")] = (256, 320)
    large: Annotated[
        Size | None,
        Option(SIZE, "views of this size in every other step, fewer at a time", "none"),
    ] = None
    first: Annotated[Size, Option(SIZE, "height and width of the first look in validation")] = (
        512,
        640,
    )
    second: Annotated[Size, Option(SIZE, "the same of the second look")] = (192, 256)
    batch: Annotated[int, Option(whole(1, 16), "views in a step")] = 16
    rate: Annotated[float, Option(POSITIVE, "highest learning rate")] = 2e-3
    frozen: Annotated[
        int, Option(whole(0, 5), "how many of the first layers keep their weights: faster")
    ] = 0
    minutes: Annotated[float, Option(POSITIVE, "how long to train")] = 60.0
    steps: Annotated[
        int | None, Option(whole(1, 1000), "how many steps to train instead of minutes")
    ] = None
    every_minutes: Annotated[float, Option(POSITIVE, "minutes between checkpoints")] = 4.0
    seed: Annotated[int, Option(whole(0, 0), "of weights and augmentation")] = 0
    device: Annotated[str, Option(choice(("auto", "cpu", "cuda")), "what to train on")] = "auto"
    precision: Annotated[
        str, Option(choice(("auto", "bf16", "fp32")), "what the network computes in")
    ] = "auto"
    threads: Annotated[
        int | None, Option(whole(1, 4), "processor cores for each process", "all, shared out")
    ] = None
    processes: Annotated[
        int, Option(whole(1, 2), "train on the CPU in so many, each with --batch views in a step")
    ] = 1
    resume: Annotated[bool, Option(TRUTH, "continue from the last checkpoint in --out")] = False
    figures: Annotated[
        Path | None, Option(PATH, "also write the final figures to this file, as JSON")
    ] = None

    def check(self) -> None:
        """Check what can be checked before anything is prepared.

        Raises:
            UsageError: A folder is missing, or contains an earlier run.
        """
        self._require_inputs()
        if not self.data and not self.pool:
            raise UsageError(
                "There is nothing to train on.",
                why="--data is missing.",
                fix="Make photos: invoke data.render --count 3000 --seed 1 --jpeg --out DIR",
            )
        others = (self.data, self.cutouts, self.backgrounds, self.decoys, self.processes > 1)
        if self.pool and any(others):
            raise UsageError(
                "--pool stands alone.",
                why="It has photos, cut-outs, backgrounds and decoys, for one process.",
                fix="Leave out --data, --cutouts, --backgrounds, --decoys and --processes.",
            )
        if self.decoys and not (self.cutouts and self.backgrounds and self.role != "search"):
            raise UsageError(
                "--decoys is for close views among composites.",
                why="It needs --cutouts and --backgrounds, and a role other than search.",
                fix="Add what is missing, or leave out --decoys.",
            )
        if not self.resume and (self.out / "last.pt").exists():
            raise UsageError(
                f"{self.out} already has a training run.",
                why="Its checkpoints would be overwritten.",
                fix="Use --resume to continue it, or choose another --out.",
            )
        if self.processes > 1 and self.device == "cuda":
            raise UsageError(
                "Several processes train on the CPU alone.",
                why="One process makes the views for a GPU on all cores.",
                fix="Leave out --processes, or --device cuda.",
            )

    def _require_inputs(self) -> None:
        from posebowl.util.files import require_folder

        require_folder(self.val, "--val")
        for name in ("data", "cutouts", "backgrounds"):
            for folder in getattr(self, name):
                require_folder(folder, f"--{name}")
        for piece in self.pool:
            _require_file(piece, "pool-1.zip", "--pool")
        for name in ("start", "teacher"):
            if file := getattr(self, name):
                _require_file(file, "model.onnx", f"--{name}")


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions:
    """Which network is measured, and on what."""

    data: Annotated[tuple[Path, ...], Option(FOLDER, "labelled photos", many=True)]
    weights: Annotated[Path, Option(FILE, "an ONNX file of benchmark.export", _OWN)] = OWN_MODEL
    figures: Annotated[
        Path | None, Option(PATH, "write the figures to this file, as JSON, instead of tables")
    ] = None

    def check(self) -> None:
        """Check what can be checked before anything is prepared.

        Raises:
            UsageError: A folder or the weights are missing.
        """
        from posebowl.util.files import require_folder

        for folder in self.data:
            require_folder(folder, "--data")
        _require_file(self.weights, "model.onnx")


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Which network is exported, how, and to where."""

    weights: Annotated[
        Path, Option(FILE, "an ultralytics detection checkpoint (.pt), yours or a stock one")
    ]
    out: Annotated[Path, Option(PATH, "the ONNX file", _OWN)] = OWN_MODEL
    refiner: Annotated[
        Path | None,
        Option(FILE, "a checkpoint, or an ONNX file, for the second look; refiner.onnx beside it"),
    ] = None
    images: Annotated[
        Path, Option(FOLDER, "photos to compare ONNX and PyTorch on", "data/demo")
    ] = paths.DEMO_DATA
    first: Annotated[
        Size | None,
        Option(SIZE, "height and width of the first look", "as in validation"),
    ] = None
    second: Annotated[
        Size | None,
        Option(SIZE, "height and width of the second look", "as in validation"),
    ] = None
    one_look: Annotated[bool, Option(TRUTH, "no closer look at what was found")] = False
    average: Annotated[
        Path | None,
        Option(FILE, "an ONNX file; the weights are halfway to its weights"),
    ] = None
    int8: Annotated[
        bool, Option(TRUTH, "compute in 8 bits; --weights may be an exported fp32 file then")
    ] = False
    calibrate: Annotated[Path, Option(FOLDER, "photos that show int8 its ranges", "data/demo")] = (
        paths.DEMO_DATA
    )
    judge: Annotated[
        Path, Option(FOLDER, "labelled photos to compare int8 with fp32 on", "data/demo")
    ] = paths.DEMO_DATA
    force: Annotated[bool, Option(TRUTH, "overwrite an existing file")] = False

    def check(self) -> None:
        """Check what can be checked before anything is prepared.

        Raises:
            UsageError: A file is missing or in the way, or the options exclude each other.
        """
        from posebowl.util.files import refuse_existing

        _require_file(self.weights, "best.pt")
        if self.average:
            _require_file(self.average, "model.onnx", "--average")
        refuse_existing(self.out, force=self.force)
        if self.refiner:
            _require_file(self.refiner, "best.pt", "--refiner")
            refuse_existing(self.out.with_name(REFINER), force=self.force)
        if self.refiner and self.one_look:
            raise UsageError(
                "--refiner and --one-look exclude each other.",
                why="The refiner takes the second look.",
                fix="Leave out one of them.",
            )
        if self.weights.suffix != ".onnx":
            return
        if not (self.int8 or self.average or self.refiner):
            raise UsageError(
                f"{self.weights} is already exported.",
                why="Without --int8, --average or --refiner there is nothing to do.",
                fix="Use one of them, or a checkpoint, such as --weights best.pt.",
            )
        if self.first or self.second or self.one_look:
            raise UsageError(
                f"{self.weights} already has its sizes.",
                why="--first, --second and --one-look apply to checkpoints.",
                fix="Leave them out, or use the checkpoint, such as --weights best.pt.",
            )


@dataclass(frozen=True, kw_only=True)
class NarrowOptions:
    """Which network is narrowed, by how much, and to where."""

    out: Annotated[Path, Option(PATH, "the narrower ONNX file; its refiner goes beside it")]
    images: Annotated[
        tuple[Path, ...],
        Option(FOLDER, "photos like those that it is for; --photos of them are used", many=True),
    ]
    weights: Annotated[Path, Option(FILE, "an ONNX file of benchmark.export", _OWN)] = OWN_MODEL
    keep: Annotated[float, Option(SHARE, "share of the multiplications that remain")] = 0.4
    photos: Annotated[int, Option(whole(1, 96), "photos on which both networks are compared")] = 96
    seed: Annotated[int, Option(whole(0, 0), "of the choice of photos")] = 0
    model: Annotated[str, Option(TEXT, "the ultralytics YAML that it was trained from")] = (
        "yolo26n.yaml"
    )
    force: Annotated[bool, Option(TRUTH, "overwrite an existing file")] = False

    def check(self) -> None:
        """Check what can be checked before anything is prepared.

        Raises:
            UsageError: A file or folder is missing, or a file in the way.
        """
        from posebowl.util.files import refuse_existing, require_folder

        _require_file(self.weights, "model.onnx")
        for folder in self.images:
            require_folder(folder, "--images")
        refuse_existing(self.out, force=self.force)


def _require_file(file: Path, example: str, flag: str = "--weights") -> None:
    if not file.is_file():
        raise UsageError(f"{file} does not exist.", fix=f"Use a file, such as {flag} {example}.")
