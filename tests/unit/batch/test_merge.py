"""Shards made one: tables byte for byte, the verdict by precedence, the time as a sum."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given, strategies as st

from posebowl.batch.merge import join_tables, merge_results
from posebowl.challenge import Limits
from posebowl.errors import Verdict
from posebowl.results.result import Result, Timing
from tests.report_samples import passed

HEADER = b"image_id,xmin,ymin,xmax,ymax"


def shard(verdict: Verdict = Verdict.OK, *, wall_s: float = 6.0, images: int = 6) -> Result:
    return dataclasses.replace(
        passed(images),
        verdict=verdict,
        message=f"{verdict} it was",
        timing=Timing(
            started_at="2024-05-01T12:00:00+00:00",
            start_s=0.1,
            wall_s=wall_s,
            images_per_second=images / wall_s if verdict is Verdict.OK else None,
        ),
    )


@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=5),
    end=st.sampled_from([b"\n", b"\r\n"]),
    last=st.booleans(),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
)
def test_a_joined_table_is_what_one_run_writes(
    sizes: list[int], end: bytes, last: bool, mark: bytes
) -> None:
    rows = [f"{n:04x},1,2,3,4".encode() for n in range(sum(sizes))]

    def write(part: list[bytes]) -> bytes:
        text = end.join([HEADER, *part])
        return mark + text + (end if last else b"")

    starts = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
    tables = [write(rows[a:b]) for a, b in itertools.pairwise(starts)]

    assert join_tables(tables) == write(rows)


def test_the_time_of_all_shards_counts() -> None:
    limits = Limits(wall_time_s=10.0)

    within = merge_results([shard(wall_s=5.0), shard(wall_s=5.0)], limits)
    above = merge_results([shard(wall_s=5.0), shard(wall_s=5.1)], limits)

    assert within.verdict is Verdict.OK
    assert above.verdict is Verdict.TIME_LIMIT
    assert "10 s together" in above.message
    assert above.meters["time"].used == pytest.approx(12.0)


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        ((Verdict.OK, Verdict.OK), Verdict.OK),
        ((Verdict.OK, Verdict.INVALID_PREDICTIONS), Verdict.INVALID_PREDICTIONS),
        ((Verdict.RUNTIME_ERROR, Verdict.MEMORY_LIMIT), Verdict.MEMORY_LIMIT),
        ((Verdict.MEMORY_LIMIT, Verdict.TIME_LIMIT), Verdict.TIME_LIMIT),
        ((Verdict.TIME_LIMIT, Verdict.ENGINE_ERROR), Verdict.ENGINE_ERROR),
    ],
)
def test_the_verdict_is_the_first_that_holds(verdicts: tuple[Verdict, ...], worst: Verdict) -> None:
    merged = merge_results([shard(verdict) for verdict in verdicts], Limits())

    assert merged.verdict is worst
    assert merged.message == f"{worst} it was" or worst is Verdict.OK


def test_a_failed_machine_is_not_taken_for_a_slow_submission() -> None:
    parts = [shard(wall_s=50.0), shard(Verdict.ENGINE_ERROR, wall_s=1.0)]

    assert merge_results(parts, Limits(wall_time_s=10.0)).verdict is Verdict.ENGINE_ERROR


def test_speed_is_that_of_all_images_by_all_time() -> None:
    merged = merge_results([shard(wall_s=2.0, images=4), shard(wall_s=8.0, images=6)], Limits())

    assert merged.timing is not None
    assert merged.timing.images_per_second == pytest.approx(1.0)
    assert merged.meters["memory"].used == 640 << 20
    assert merged.meters["cpu"].used == pytest.approx(2.4)
