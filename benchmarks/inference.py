"""Measure the benchmark solution against the loop that the competition's own benchmark used.

    python -m benchmarks.inference --data runs/speed [--count 500] [--int8 FILE] [--engine docker]
        [--isa avx2 avx512 amx] [--repeats 3]

Run it with the Python of the cpu environment (the reference needs torch and ultralytics), or with
--engine docker, which runs every part in the cpu image with 3 processors, 4 GiB and no network.
Every way of predicting runs in its own process, on the same cores and photos:

reference       ultralytics.YOLO(checkpoint)(photo), one photo at a time, written row by row
onnxruntime     the solution's main.py as it is
onnxruntime int8, openvino, openvino bf16
                the same with other weights, or with another backend
network         the network alone, on the inputs that it gets in the solution: a ceiling
decode          reading and decoding the photos alone: another ceiling

Times are of whole processes, including imports and loading, except for the two ceilings. "first"
is the time of a whole run on one photo; "inside" is the speed without that start. The reference
runs a YOLO26 nano of the original width, not a narrowed one: that of --checkpoint, else an
untrained one, which takes as long, and whose accuracy says nothing.

--isa hides better instruction sets of this processor from all parts alike (cpuid_mask.c), and
measures once for each name. Repeats take turns, way after way, so that a busy machine slows all of
them; the median counts.

With --scale 100 1000 10000 the solution also runs on so many photos, hard links to the existing
ones.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from benchmarks import processors
from benchmarks.inference_parts import Used
from benchmarks.processors import Processor
from posebowl import paths
from posebowl.challenge import COLUMNS, FORMAT_FILE, ID_COLUMN, LABELS_FILE, EngineName, Variant
from posebowl.engines.oci import client as oci_client, image_name
from posebowl.engines.oci.host_user import rlimits
from posebowl.scoring.metric import score_files

WEIGHTS = paths.SOLUTIONS / "benchmark" / "model.onnx"
MEMORY = "4g"
GOALS = {"amx": 10}
"""How many times faster than the reference the solution should be; 6 elsewhere."""


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way of predicting, or a ceiling."""

    name: str
    part: str
    weights: Path
    words: tuple[str, ...] = ()
    trained: bool = True

    @property
    def whole(self) -> bool:
        """Return whether it is a way, with imports, loading and predictions."""
        return self.part in {"solution", "reference"}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Speed, resources and accuracy of one way."""

    name: str
    images: int
    images_per_s: float
    inside_per_s: float
    """Without the time of a run on one photo."""
    cpu_ms_per_image: float
    first_s: float | None
    peak_mib: float
    mean_iou: float | None
    isa: str


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Where the parts run: the command line before them, and the processors they get."""

    cpus: int
    engine: str
    processor: Processor

    def environment(self) -> dict[str, str] | None:
        """Return the environment of the command; None for that of this process."""
        return {**os.environ, **self.processor.environment} if self.engine == "none" else None

    def argv(self, folder: Path, weights: Path) -> list[str]:
        """Build the start of a command: Python within the limits, with the same paths as here."""
        if self.engine == "none":
            return [sys.executable]
        client = oci_client.connect(EngineName(self.engine))
        mounts = {paths.ROOT: "ro", weights.parent: "ro", folder: "rw"}
        binds = [word for path, how in mounts.items() for word in ("-v", f"{path}:{path}:{how}")]
        argv = [*client.argv, "run", "--rm", "--network", "none", "--workdir", str(paths.ROOT)]
        argv += ["--cpus", str(self.cpus), "--memory", MEMORY, "--memory-swap", MEMORY]
        most = rlimits().items()
        argv += [word for name, at in most for word in ("--ulimit", f"{name}={at}:{at}")]
        argv += ["--user", f"{os.getuid()}:{os.getgid()}", "--env", f"PYTHONPATH={paths.ROOT}"]
        hidden = self.processor.environment.items()
        argv += [word for name, value in hidden for word in ("--env", f"{name}={value}")]
        argv += ["--env", "HOME=/tmp", "--entrypoint", "python"]
        return [*argv, *binds, image_name(Variant.CPU)]


def main() -> None:
    """Measure every way, and print the tables."""
    args = parse()
    if args.engine == "none":
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.cpus])
    cpus = min(args.cpus, len(os.sched_getaffinity(0)))
    console, progress = Console(width=110), Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="posebowl-inference-") as name:
        folder = Path(name)
        seen = [processors.choose(isa, folder) for isa in args.isa]
        all_limits = [Limits(cpus=cpus, engine=args.engine, processor=one) for one in seen]
        many, one = folder / "many", folder / "one"
        count = stage(args.data, args.count, many)
        stage(args.data, 1, one)
        ways = choose(args, folder)
        results = measure(ways, (many, one), all_limits, args, progress)
        scaled = list(scale(args, folder, all_limits[0]))
    if args.json:
        print(json.dumps({"ways": [asdict(r) for r in results], "scale": scaled}, indent=2))
        return
    for limits in all_limits:
        title = f"{count} photos, {cpus} processors ({limits.processor}), {args.device}"
        own = [result for result in results if result.isa == limits.processor.isa]
        console.print(table(own, title))
        for line in judge(own):
            console.print(line)
    if scaled:
        console.print(scale_table(scaled))


def choose(args: argparse.Namespace, folder: Path) -> list[Way]:
    """Return the ways to measure."""
    fp32 = args.weights.resolve()
    ours = [Way(name="onnxruntime", part="solution", weights=fp32)]
    if args.int8:
        int8 = args.int8.resolve()
        ours.append(Way(name="onnxruntime int8", part="solution", weights=int8))
    if args.device == "cpu":
        openvino = Way(
            name="openvino", part="solution", weights=fp32, words=("--backend", "openvino")
        )
        quick = replace(ours[0], name="enough 0.4", words=("--enough", "0.4"))
        bf16 = (*openvino.words, "--precision", "bf16")
        ours += [quick, openvino, replace(openvino, name="openvino bf16", words=bf16)]
        if args.int8:
            ours.append(replace(openvino, name="openvino int8", weights=int8))
    checkpoint = args.checkpoint.resolve() if args.checkpoint else folder / "reference.pt"
    if not args.checkpoint and (not args.only or "reference" in args.only):
        build(checkpoint)
    ways = [
        Way(name="reference", part="reference", weights=checkpoint, trained=bool(args.checkpoint)),
        *ours,
        Way(name="network", part="network", weights=fp32),
        Way(name="decode", part="decode", weights=fp32),
    ]
    known = [way.name for way in ways]
    if unknown := set(args.only or ()) - {*known, "scale"}:
        sys.exit(f"Unknown way {', '.join(sorted(unknown))}, only: {', '.join(known)}, scale.")
    return [way for way in ways if not args.only or way.name in args.only]


def build(checkpoint: Path) -> None:
    """Write a network of the original width, which sees nothing, in a process with torch."""
    if importlib.util.find_spec("torch") is None:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")
    code = (
        "import sys, torch; from posebowl.training.detector import build;"
        "net = build(sys.argv[1]).requires_grad_(False);"
        "[branch[-1].bias.fill_(-20) for branch in net.model[-1].cv3];"  # the scores'
        "args = {'model': sys.argv[1], 'task': 'detect', 'imgsz': 640};"
        "torch.save({'model': net, 'ema': None, 'train_args': args}, sys.argv[2])"
    )
    argv = [sys.executable, "-c", code, "yolo26n.yaml", str(checkpoint)]
    subprocess.run(argv, check=True, cwd=paths.ROOT)


def stage(data: Path, count: int, place: Path) -> int:
    """Build a data folder of `count` labelled photos from hard links; return how many it has.

    If there are fewer, photos are repeated under other names.
    """
    labels = pl.read_csv(data / LABELS_FILE, columns=list(COLUMNS))
    (place / "images").mkdir(parents=True)
    rows = []
    for at, row in enumerate(take(labels, count)):
        name = row[ID_COLUMN] if at < len(labels) else f"{row[ID_COLUMN]}_{at}"
        link(data / "images" / f"{row[ID_COLUMN]}.png", place / "images" / f"{name}.png")
        rows.append({**row, ID_COLUMN: name})
    frame = pl.DataFrame(rows, schema=labels.schema)
    frame.write_csv(place / LABELS_FILE)
    boxes = [pl.lit(edge).alias(name) for name, edge in zip(COLUMNS[1:], (0, 0, 1, 1), strict=True)]
    frame.select(ID_COLUMN, *boxes).write_csv(place / FORMAT_FILE)
    return len(frame)


def take(labels: pl.DataFrame, count: int) -> Iterator[dict[str, object]]:
    """Yield the rows, repeated until there are enough."""
    for at in range(count):
        yield labels.row(at % len(labels), named=True)


def link(source: Path, target: Path) -> None:
    """Write a hard link to a photo, or a copy on another file system."""
    with contextlib.suppress(OSError):
        target.hardlink_to(source.resolve())
        return
    target.write_bytes(source.read_bytes())


def measure(
    ways: list[Way],
    places: tuple[Path, Path],
    all_limits: list[Limits],
    args: argparse.Namespace,
    progress: Console,
) -> list[Measured]:
    """Measure every way within every limits, on all photos and on one, in turns."""
    many, one = places
    cases = [(limits, way) for limits in all_limits for way in ways]
    runs: list[list[tuple[Used, Used | None]]] = [[] for _ in cases]
    for _ in range(args.repeats):
        for done, (limits, way) in zip(runs, cases, strict=True):
            out = answers(way, many, limits.processor.isa)
            used = run(way, many, out, limits, args)
            alone = run(way, one, one.parent / "one.csv", limits, args) if way.whole else None
            done.append((used, alone))
            seen = f"{used.images / used.wall_s:.1f} photos/s"
            seen += f", {1000 * used.cpu_s / used.images:.1f} CPU ms each"
            progress.print(f"{limits.processor.isa} {way.name}: {seen}", style="dim")
    return [
        summarize(way, done, many, limits.processor.isa)
        for done, (limits, way) in zip(runs, cases, strict=True)
    ]


def answers(way: Way, place: Path, isa: str) -> Path:
    """Return the file of a way's predictions."""
    return place.parent / f"{way.name.replace(' ', '-')}-{isa}.csv"


def summarize(way: Way, runs: list[tuple[Used, Used | None]], place: Path, isa: str) -> Measured:
    """Return the medians of a way's runs on all photos and on one."""
    wall = statistics.median(used.wall_s for used, _ in runs)
    images = runs[0][0].images
    alone = [used.wall_s for _, used in runs if used]
    first = statistics.median(alone) if alone else None
    inside = (images - 1) / (wall - first) if first and images > 1 else None
    return Measured(
        name=way.name,
        images=images,
        images_per_s=images / wall,
        inside_per_s=inside or images / wall,
        cpu_ms_per_image=1000 * statistics.median(used.cpu_s for used, _ in runs) / images,
        first_s=first,
        peak_mib=max(used.peak_mib for used, _ in runs),
        mean_iou=score_files(answers(way, place, isa), place / LABELS_FILE).mean_iou
        if alone and way.trained
        else None,
        isa=isa,
    )


def run(way: Way, place: Path, out: Path, limits: Limits, args: argparse.Namespace) -> Used:
    """Run one way within the limits, and return what it used."""
    argv = limits.argv(place.parent, way.weights)
    argv += ["-m", "benchmarks.inference_parts", way.part, str(place), str(out)]
    argv += ["--weights", str(way.weights), "--device", args.device]
    if way.words:
        argv += ["--words", *way.words]
    done = subprocess.run(
        argv, stdout=subprocess.PIPE, cwd=paths.ROOT, check=False, env=limits.environment()
    )
    if done.returncode != 0:
        sys.exit(f"{way.name} failed with exit code {done.returncode}")
    return Used(**json.loads(done.stdout.splitlines()[-1]))


def scale(args: argparse.Namespace, folder: Path, limits: Limits) -> Iterator[dict[str, float]]:
    """Run the solution on more and more photos."""
    way = Way(name="scale", part="solution", weights=args.weights.resolve())
    for count in args.scale or ():
        place = folder / f"scale-{count}"
        stage(args.data, count, place)
        yield asdict(run(way, place, folder / "scale.csv", limits, args))


def judge(results: list[Measured]) -> Iterator[str]:
    """Yield the comparisons with the goals."""
    found = {one.name: one for one in results}
    ours = found.get("onnxruntime")
    if ours and "reference" in found:
        times = ours.images_per_s / found["reference"].images_per_s
        goal = GOALS.get(ours.isa, 6)
        yield f"against the reference: {times:.1f} times (goal {goal})"
    if ours and {"network", "decode"} <= found.keys():
        ceiling = 1 / sum(1 / found[name].images_per_s for name in ("network", "decode"))
        share = ours.inside_per_s / ceiling
        yield f"ceiling of network and decoder together: {ceiling:.1f} photos/s"
        yield f"share of it inside the loop: {share:.2f} (goal 0.9)"
    if ours and ours.first_s is not None:
        yield f"start to the end of a run on one photo: {ours.first_s:.2f} s (goal 1)"
        yield f"peak memory: {ours.peak_mib:.0f} MiB (goal 1024)"


def table(results: list[Measured], title: str) -> Table:
    """Return the results as a table, each against the reference if that was measured."""
    shown = Table(title=title)
    speeds = ("", "photos/s", "times", "inside", "CPU ms", "CPU times")
    for column in (*speeds, "first s", "MiB", "mean IoU"):
        shown.add_column(column, justify="right" if column else "left")
    base = next((one for one in results if one.name == "reference"), None)
    for one in results:
        shown.add_row(
            one.name,
            f"{one.images_per_s:.1f}",
            f"{one.images_per_s / base.images_per_s:.1f}" if base else "",
            f"{one.inside_per_s:.1f}",
            f"{one.cpu_ms_per_image:.1f}",
            f"{base.cpu_ms_per_image / one.cpu_ms_per_image:.1f}" if base else "",
            "" if one.first_s is None else f"{one.first_s:.2f}",
            f"{one.peak_mib:.0f}",
            "" if one.mean_iou is None else f"{one.mean_iou:.3f}",
        )
    return shown


def scale_table(scaled: list[dict[str, float]]) -> Table:
    """Return the runs on more and more photos as a table."""
    shown = Table(title="the solution on more photos")
    for column in ("photos", "seconds", "photos/s", "CPU ms/photo", "peak MiB"):
        shown.add_column(column, justify="right")
    for one in scaled:
        images, wall = one["images"], one["wall_s"]
        cpu = 1000 * one["cpu_s"] / images
        words = (f"{wall:.1f}", f"{images / wall:.1f}", f"{cpu:.1f}", f"{one['peak_mib']:.0f}")
        shown.add_row(f"{images:,}", *words)
    return shown


def positive(text: str) -> int:
    """Read a whole number of 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 1 or more")
    return int(text)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=paths.DEMO_DATA, help="labelled photos")
    parser.add_argument(
        "--count", type=positive, default=500, help="photos; they repeat if too few"
    )
    parser.add_argument("--cpus", type=positive, default=3)
    parser.add_argument("--engine", choices=("none", "docker", "podman"), default="none")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="fp32")
    parser.add_argument("--int8", type=Path, help="the same in int8")
    parser.add_argument("--checkpoint", type=Path, help="of the reference; else untrained")
    parser.add_argument("--repeats", type=positive, default=1, help="in turns; the median counts")
    parser.add_argument("--only", nargs="+", help="names of ways, or scale alone")
    parser.add_argument("--scale", type=positive, nargs="+", help="numbers of photos")
    parser.add_argument("--isa", choices=processors.HIDDEN, nargs="+", default=["native"])
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if not (args.data / LABELS_FILE).is_file():
        parser.error(f"{args.data} has no {LABELS_FILE}; invoke data.render makes such folders")
    for file in (args.weights, args.int8, args.checkpoint):
        if file and not file.is_file():
            parser.error(f"{file} is no file; name another, or leave the option out")
    return args


if __name__ == "__main__":
    main()
