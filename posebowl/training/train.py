"""Train the benchmark's network on rendered photos, within a given time.

python -m posebowl.training.train --data DIR --val DIR --minutes 60 --out DIR
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from posebowl.errors import StoppedError, UsageError
from posebowl.training.backgrounds import cache_backgrounds
from posebowl.training.batches import TrainingSet, batches
from posebowl.training.copy_paste import PasteSources
from posebowl.training.cutouts import read_cutouts
from posebowl.training.dataset import Sample, fill_cache, read_labels
from posebowl.training.decoys import find_decoys
from posebowl.training.detector import BestBox
from posebowl.training.device_views import device_batches
from posebowl.training.initial_weights import load_initial_weights
from posebowl.training.metrics import Accuracy, make_looks, measure
from posebowl.training.options import TrainOptions
from posebowl.training.pool import Pool, read
from posebowl.training.recipe import Recipe, recipe_of
from posebowl.training.replicas import Replicas, start
from posebowl.training.solution_modules import load_network
from posebowl.training.state import TrainingState, append_row, begin, save
from posebowl.util import program
from posebowl.util.console import note
from posebowl.util.files import write_text
from posebowl.util.host import usable_cores
from posebowl.util.interrupts import undisturbed


def learning_rate(progress: float, step: int, recipe: Recipe) -> float:
    """Return the learning rate: linear warm-up, then half a cosine down to `last_rate`."""
    cosine = (1 + math.cos(math.pi * progress)) / 2
    level = recipe.last_rate + (1 - recipe.last_rate) * cosine
    return recipe.rate * level * min(1.0, (step + 1) / recipe.warm_up)


def train(
    replicas: Replicas,
    recipe: Recipe,
    training_set: TrainingSet | Pool,
    val: list[Sample],
    out: Path,
    *,
    resume: bool,
) -> TrainingState:
    """Train until time or steps are used up; keep last.pt, best.pt and curves.csv in `out`.

    All replicas return at the same step, with the same weights; the leading one writes the files.
    """
    torch.manual_seed(recipe.seed)
    torch.backends.cudnn.benchmark = True
    device = choose_device(recipe.device)
    dtype = choose_precision(recipe.precision, device)
    state = begin(recipe, device, out / "last.pt" if resume else None)
    if replicas.leads:
        note(f"{recipe.model} on {device} in {dtype}, {len(training_set)} photos.")
        if state.step:
            note(f"Resuming at step {state.step}, {state.seconds / 60:.1f} minutes in.")
    feed = views_of(training_set, recipe, recipe.seed + state.step, device, replicas)
    checkpoint = partial(
        validate_and_save, state, recipe=recipe, training_set=training_set, val=val, out=out
    )
    if recipe.start and state.step == 0:
        load_start(state, recipe, feed, replicas)
        if replicas.leads:
            checkpoint(losses=evaluate_losses(state, next(feed)))
    losses: list[dict[str, float]] = []
    judged = time.monotonic()
    while state.progress(recipe) < 1:
        started = time.monotonic()
        try:
            losses.append(train_step(state, next(feed), recipe, replicas, dtype))
            # All go by one clock, which sets the learning rate and ends the run.
            state.seconds = replicas.agree(state.seconds + time.monotonic() - started)
        except KeyboardInterrupt:
            with undisturbed():
                save(state, recipe, out / "last.pt")
            raise StoppedError(
                "Interrupted.",
                why=f"The weights after {state.step} steps are saved.",
                fix="Type the same command with --resume to continue.",
            ) from None
        due = time.monotonic() - judged >= 60 * recipe.every_minutes
        if replicas.leads and (due or state.progress(recipe) >= 1):
            checkpoint(losses={name: fmean(one[name] for one in losses) for name in losses[0]})
            losses, judged = [], time.monotonic()
    return state


def views_of(
    training_set: TrainingSet | Pool, recipe: Recipe, seed: int, device: Any, replicas: Replicas
) -> Iterator[dict[str, Any]]:
    """Return an endless stream of batches, made on the device if the pictures are packed."""
    make: Any
    if isinstance(training_set, Pool):
        make = partial(device_batches, training_set, device=device)
    else:
        workers = 1 if device.type == "cpu" else usable_cores()
        make = partial(batches, training_set, workers=workers, rank=replicas.rank)
    stream: Iterator[dict[str, Any]] = make(
        size=recipe.size,
        large=recipe.large,
        batch=recipe.batch,
        seed=seed,
        augmentation=recipe.augmentation,
        paste=recipe.paste,
    )
    return stream


def load_start(
    state: TrainingState, recipe: Recipe, feed: Iterator[dict[str, Any]], replicas: Replicas
) -> None:
    """Give all replicas the initial weights, with the leading one's statistics of its views."""
    if replicas.leads:
        views = (next(feed)["img"] for _ in range(24))
        load_initial_weights(state.model, Path(recipe.start), views)
    replicas.share(state.model.state_dict().values())
    state.average.load_state_dict(state.model.state_dict())


def train_step(
    state: TrainingState,
    batch: dict[str, Any],
    recipe: Recipe,
    replicas: Replicas,
    dtype: Any,
) -> dict[str, float]:
    """Run one step of the optimizer and the running average; return this replica's losses."""
    device = next(state.model.parameters()).device
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(state.progress(recipe), state.step, recipe)
    inputs = batch["img"].to(device).permute(0, 3, 1, 2).float() / 255
    inputs = inputs.contiguous(memory_format=torch.channels_last)
    targets = {name: batch[name].to(device) for name in ("cls", "bboxes", "batch_idx")}
    with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        found = state.model(inputs)
    # Boxes and losses in full precision: bf16 has whole pixels only up to 256.
    found = {**found, "boxes": found["boxes"].float(), "scores": found["scores"].float()}
    losses, parts = state.model.loss({**targets, "img": inputs}, found)
    loss = losses.sum()
    if state.teacher:
        imitation = state.teacher.loss(inputs, found, dtype)
        parts = {**parts, "imitation_loss": imitation.detach()}
        loss = loss + imitation * len(inputs)  # as ultralytics' own parts count
    loss.backward()
    replicas.average_gradients(state.model.parameters())
    torch.nn.utils.clip_grad_norm_(state.model.parameters(), 10.0)
    state.optimizer.step()
    state.optimizer.zero_grad(set_to_none=True)
    state.step += 1
    state.views += len(batch["img"]) * replicas.count
    # Of the weights so far it spans a ninth: a short run forgets those that it started from.
    early = (1 + state.step) / (10 + state.step)
    update_average(state.average, state.model, min(recipe.average, early))
    return {name: float(value) for name, value in parts.items()}


def evaluate_losses(state: TrainingState, batch: dict[str, Any]) -> dict[str, float]:
    """Return the losses of a batch without training on it."""
    device = next(state.model.parameters()).device
    inputs = batch["img"].to(device).permute(0, 3, 1, 2).float() / 255
    targets = {name: batch[name].to(device) for name in ("cls", "bboxes", "batch_idx")}
    model = deepcopy(state.model)  # whose statistics the batch may change
    with torch.no_grad():
        found = model(inputs)
        _, parts = model.loss({**targets, "img": inputs}, found)
        if state.teacher:
            parts = {**parts, "imitation_loss": state.teacher.loss(inputs, found, torch.float32)}
    return {name: float(value) for name, value in parts.items()}


def update_average(average: Any, model: Any, decay: float) -> None:
    """Move the running average of weights and statistics a step towards the model."""
    now = model.state_dict()  # detached: no gradients are recorded
    moved = {
        name: value for name, value in average.state_dict().items() if value.is_floating_point()
    }
    torch._foreach_lerp_(list(moved.values()), [now[name] for name in moved], 1 - decay)


def validate_and_save(
    state: TrainingState,
    *,
    recipe: Recipe,
    training_set: TrainingSet | Pool,
    val: list[Sample],
    out: Path,
    losses: dict[str, float],
) -> None:
    """Write checkpoints and a line of curves.csv, with the accuracy of the running average."""
    save(state, recipe, out / "last.pt")  # before validation, which may fail
    quality = validate(state.average, val, recipe)
    best = quality.of(recipe.role) > state.best
    state.best = max(state.best, quality.of(recipe.role))
    save(state, recipe, out / "last.pt")
    if best:
        save(state, recipe, out / "best.pt", slim=True)
    row = {
        "minutes": round(state.seconds / 60, 2),
        "step": state.step,
        "views": state.views,
        "photos": len(training_set),
        "rate": round(learning_rate(state.progress(recipe), state.step, recipe), 6),
        **{name: round(value, 4) for name, value in losses.items()},
        **{name: round(value, 4) for name, value in asdict(quality).items()},
    }
    append_row(out / "curves.csv", row)
    note("  ".join(f"{name} {value}" for name, value in row.items()) + ("  *" if best else ""))


def validate(average: Any, val: list[Sample], recipe: Recipe) -> Accuracy:
    """Measure a network on the validation photos, with both looks."""
    best_box = BestBox(deepcopy(average))
    best_box.model.fuse(verbose=False)
    device = next(average.parameters()).device

    def network(inputs: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            found = best_box(torch.from_numpy(inputs).to(device))
        return np.asarray(found.cpu().numpy(), np.float32)

    return measure(network, val, make_looks(recipe.first, recipe.second))


def choose_device(name: str) -> Any:
    """Return the device to train on; by default the GPU if there is one.

    Raises:
        UsageError: A GPU was requested, but there is none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            "PyTorch found no GPU.",
            why="It needs an NVIDIA driver and a PyTorch build that matches it.",
            fix="Leave out --device cuda to train on the CPU.",
        )
    return torch.device(name)


def choose_precision(name: str, device: Any) -> Any:
    """Return bf16 where the hardware computes in it (elsewhere it is slower), else fp32."""
    if name == "auto":
        fast = device.type == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()  # noqa: SLF001
        name = "bf16" if fast else "fp32"
    return {"bf16": torch.bfloat16, "fp32": torch.float32}[name]


def prepare(recipe: Recipe, out: Path) -> TrainingSet | Pool:
    """Read and cache the training photos, and the cut-outs and backgrounds to paste."""
    if recipe.pool:
        pieces = [Path(piece) for piece in recipe.pool]
        return read(pieces, threads=usable_cores(), closes=recipe.role != "search")
    search = load_network(Path(recipe.decoys), device="cpu") if recipe.decoys else None
    cache, threads = out / "cache", usable_cores()
    samples = [sample for folder in recipe.data for sample in read_labels(Path(folder))]
    note(f"Caching {len(samples)} photos in {cache} (about 2 MB each, made once).")
    files = fill_cache(samples, cache, threads=threads)
    behind = [
        file
        for folder in recipe.backgrounds
        for file in cache_backgrounds(Path(folder), cache, threads=threads)
    ]
    cutouts = [cutout for folder in recipe.cutouts for cutout in read_cutouts(Path(folder))]
    if not cutouts:
        return TrainingSet(samples=samples, files=files)
    note(f"Pasting {len(cutouts)} cut-outs over {len(behind)} backgrounds and over photos.")
    decoys = []
    if search is not None:
        decoys = find_decoys(search, samples, behind, threads=threads)
        note(f"{sum(map(len, decoys))} decoys, where {recipe.decoys} sees something.")
    sources = PasteSources(cutouts=cutouts, backgrounds=behind, decoys=decoys)
    return TrainingSet(samples=samples, files=files, sources=sources)


def figures(state: TrainingState, out: Path) -> dict[str, Any]:
    """Return the figures of a finished run, for programs."""
    return {
        "best_mean_iou": state.best,
        "steps": state.step,
        "minutes": state.seconds / 60,
        "best": str(out / "best.pt"),
        "last": str(out / "last.pt"),
        "curves": str(out / "curves.csv"),
    }


def main(options: TrainOptions) -> None:
    """Train as the options ask."""
    options.check()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads or max(1, usable_cores() // options.processes))
    recipe = recipe_of(options)
    work = partial(
        train,
        recipe=recipe,
        training_set=prepare(recipe, options.out),
        val=read_labels(options.val),
        out=options.out,
        resume=options.resume,
    )
    with start(options.processes, work) as replicas:
        state = work(replicas)
    note(f"Best mean IoU {state.best:.4f}; weights in {options.out / 'best.pt'}.")
    if options.figures:
        write_text(options.figures, json.dumps(figures(state, options.out), indent=2) + "\n")


if __name__ == "__main__":
    program.run(main, TrainOptions, task="benchmark.train")
