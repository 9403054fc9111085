"""The profile of a run on every engine: memory, processor, bytes and images are all seen."""

from __future__ import annotations

import itertools

import pytest

from posebowl.engines.base import Engine, Sample
from posebowl.results.result import Source
from posebowl.run.image_progress import following
from tests.container.heard import Heard, SpecMaker

pytestmark = pytest.mark.container
MIB = 1 << 20

# Holds 100 MiB, is busy for two processor seconds, reads 40 MiB that are in the page cache and
# writes 20 MiB, in a child that has ended before the run does; reads two of the three photos.
MAIN = """
cat > work.py <<'END'
import pathlib, time
held = bytes([1]) * (100 << 20)
while time.process_time() < 2:
    pass
file = pathlib.Path("../submission/file")
file.write_bytes(held[: 20 << 20])
for _ in range(2):
    file.read_bytes()
for photo in sorted(pathlib.Path("../data/images").iterdir())[:2]:
    photo.read_bytes()
END
python work.py
"""


def test_all_that_a_run_uses_is_sampled(engine: Engine, spec_of: SpecMaker) -> None:
    spec, heard = spec_of(MAIN), Heard()
    with following(heard.watcher(), spec.images, lambda: 3) as (watch, done):
        engine.prepare(spec, watch)
        outcome = engine.execute(spec, watch)
        samples, source = done.fill(outcome.samples)
    assert outcome.exit_code == 0, heard.lines
    last = samples[-1]
    assert max(sample.memory_bytes for sample in samples) > 100 * MIB
    assert 2 <= last.cpu_s < 30
    assert 40 * MIB <= last.read_bytes < 200 * MIB
    assert 20 * MIB <= last.write_bytes < 40 * MIB
    assert last.output_bytes >= 20 * MIB
    assert (last.images, source) == (2, Source.READS)
    assert len(samples) >= 4
    assert all(_goes_on(a, b) for a, b in itertools.pairwise(samples))


def _goes_on(a: Sample, b: Sample) -> bool:
    return a.elapsed_s < b.elapsed_s and a.cpu_s <= b.cpu_s and a.read_bytes <= b.read_bytes
