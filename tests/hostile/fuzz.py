"""Mutate archives and predictions, and see that their readers answer in words, soon and in bounds.

    uv run python -m tests.hostile.fuzz --count 1000000 [--seed 1] [--workers 2]

Every input is one of the cases of this folder with some bytes changed, cut, doubled or swapped for
those of another case. A reader may take it or refuse it with a verdict; anything else is a find:
it is printed with the seed that makes it again.
"""

from __future__ import annotations

import argparse
import io
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import polars as pl

from posebowl.challenge import ID_COLUMN
from posebowl.errors import VerdictError
from posebowl.scoring.box_csv import parse
from posebowl.submission.archive import inspect_file
from tests.conftest import IDS
from tests.hostile import archives, predictions

LARGEST = 20_000
SLOW_S = 2.0
EXPECTED = pl.Series(ID_COLUMN, list(IDS))
TOKENS = (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"\0", b"\xff\xff", b"\xff" * 8, b"../", b",")


@cache
def corpus(kind: str) -> tuple[bytes, ...]:
    """Return the inputs to start from, half of them good; large ones would only take long."""
    if kind == "zip":
        good = [case.build() for case in archives.OK_CASES]
        bad = [case.build() for case in archives.BAD_CASES]
    else:
        good = [predictions.good(IDS)]
        bad = [case.make(IDS) for case in predictions.CASES]
    good, bad = ([case for case in part if 0 < len(case) <= LARGEST] for part in (good, bad))
    return tuple(bad + good * (len(bad) // len(good)))


def mutated(rng: random.Random, inputs: Sequence[bytes]) -> bytes:
    """Change an input in one to six places; cut off its end now and then."""
    data = bytearray(rng.choice(inputs))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((1, 1, 2, 4, 16, 64)))
        match rng.randrange(5) if rng.randrange(20) else 5:
            case 0:
                data[at:end] = rng.randbytes(end - at)
            case 1:
                del data[at:end]
            case 2:
                data[at:at] = data[at:end] * rng.randint(1, 3)
            case 3:
                data[at:end] = rng.choice(TOKENS)
            case 4:
                other = rng.choice(inputs)
                start = rng.randrange(len(other))
                data[at:end] = other[start : start + 64]
            case _:
                del data[at:]
    return bytes(data[: 2 * LARGEST])


def read_zip(data: bytes) -> None:
    """Give an input to the reader of archives."""
    inspect_file(io.BytesIO(data), Path("fuzzed.zip"))


def read_csv(data: bytes) -> None:
    """Give an input to the reader of predictions."""
    parse(data, name="submission.csv", expected=EXPECTED)


READERS: dict[str, Callable[[bytes], None]] = {"zip": read_zip, "csv": read_csv}


def fuzz(kind: str, seed: int, count: int) -> tuple[Counter[str], list[str]]:
    """Try so many inputs; return how they ended, and what was found."""
    rng, read, inputs = random.Random(f"{kind}-{seed}"), READERS[kind], corpus(kind)
    ended: Counter[str] = Counter()
    finds: list[str] = []
    for number in range(count):
        data = mutated(rng, inputs)
        start = time.process_time()
        try:
            read(data)
            ended["taken"] += 1
        except VerdictError as error:
            ended[error.verdict] += 1
        except Exception as error:  # noqa: BLE001  # this is what it looks for
            finds.append(f"{kind} seed {seed} number {number}: {type(error).__name__}: {error}")
        if time.process_time() - start > SLOW_S:
            finds.append(f"{kind} seed {seed} number {number}: took over {SLOW_S:g} s of CPU time")
    return ended, finds


def main() -> int:
    """Fuzz both readers on all processors, and print what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000, help="inputs for each reader")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    words = parser.parse_args()
    found = 0
    for kind in READERS:
        start, batches = time.monotonic(), max(words.workers, words.count // 20_000)
        sizes = [words.count // batches] * batches
        seeds = [words.seed * 1_000_000 + batch for batch in range(batches)]
        ended: Counter[str] = Counter()
        with ProcessPoolExecutor(words.workers) as pool:
            for counts, finds in pool.map(fuzz, [kind] * batches, seeds, sizes):
                ended += counts
                found += len(finds)
                for find in finds:
                    print(find)
        rate = sum(ended.values()) / (time.monotonic() - start)
        print(f"{kind}: {dict(ended)}, {rate:,.0f} a second")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"peak memory of a worker: {peak:.0f} MiB; finds: {found}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
