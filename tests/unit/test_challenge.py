"""The challenge as data: what the platform does, so nobody may change it."""

from __future__ import annotations

import dataclasses

import pytest

from posebowl import challenge
from posebowl.challenge import ARCHIVE_LIMITS, LIMITS, Limits, Variant


def test_the_contract() -> None:
    assert (challenge.IMAGE_WIDTH, challenge.IMAGE_HEIGHT) == (1280, 1024)
    assert challenge.COLUMNS == ("image_id", "xmin", "ymin", "xmax", "ymax")
    assert str(challenge.CODE_EXECUTION) == "/code_execution"
    assert challenge.MAIN_SCRIPT == "main.sh"
    names = (challenge.FORMAT_FILE, challenge.LABELS_FILE, challenge.PREDICTIONS_FILE)
    assert names == ("submission_format.csv", "train_labels.csv", "submission.csv")


def test_the_platform_s_limits() -> None:
    limits = LIMITS[Variant.CPU]
    assert limits.wall_time_s == 6300
    assert limits.memory_bytes == 4 << 30
    assert limits.cpus == 3


def test_every_variant_has_limits_that_can_hold() -> None:
    assert set(LIMITS) == set(Variant) == {"cpu", "gpu"}
    for limits in LIMITS.values():
        assert all(value > 0 for value in dataclasses.astuple(limits))
        assert limits.predictions_bytes < limits.output_bytes
    assert ARCHIVE_LIMITS.file_bytes <= ARCHIVE_LIMITS.unpacked_bytes


def test_limits_do_not_change_under_way() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        LIMITS[Variant.CPU].cpus = 4  # type: ignore[misc]
    with pytest.raises(TypeError):
        Limits(1.0)  # type: ignore[misc]


def test_what_a_zip_may_hold_can_be_unpacked_in_a_run() -> None:
    for limits in challenge.LIMITS.values():
        assert challenge.ARCHIVE_LIMITS.file_bytes <= limits.file_bytes
