"""How far a run has got: from the files it reads, else from its log."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from posebowl.engines.base import Sample, Watcher
from posebowl.results.result import Source
from posebowl.run import image_progress
from posebowl.run.image_progress import following, images_done


@pytest.mark.parametrize(
    ("line", "done"),
    [
        ("120/500 images", 120),
        ("120 / 500", 120),
        ("120 of 500 images", 120),
        ("  24%|##4  | 120/500 [00:05<00:16]", 120),
        ("done 500/500.", 500),
        ("1/10 batches, 120/500 images", 120),
        ("100/500, then 120/500", 120),
        ("120/600", None),
        ("501/500", None),
        ("0.120/500", None),
        ("120/500.5", None),
        ("epoch 3/10", None),
        ("2024/05/500", None),
        ("", None),
        ("no numbers of any kind", None),
    ],
)
def test_images_done(line: str, done: int | None) -> None:
    assert images_done(line, 500) == done


def test_numbers_with_commas() -> None:
    assert images_done("12,000/100,000 images", 100_000) == 12_000


@given(st.text(alphabet="0123456789,./ of٣", max_size=60), st.integers(1, 1000))
def test_any_line_tells_a_number_in_range_or_nothing(line: str, images: int) -> None:
    done = images_done(line, images)
    assert done is None or 0 <= done <= images


def test_a_line_of_numbers_takes_no_time_to_read() -> None:
    steps = image_progress._PAIR.finditer("1," * 1000)
    assert list(steps) == []
    assert images_done("1," * 1_000_000, 5) is None


def at(elapsed_s: float, images: int = 0) -> Sample:
    return Sample(elapsed_s=elapsed_s, memory_bytes=1, cpu_s=1.0, images=images)


def photos(folder: Path, count: int) -> list[Path]:
    files = [folder / f"{number}.png" for number in range(count)]
    for file in files:
        file.write_bytes(b"x")
    return files


def test_files_that_are_read_are_images_done(tmp_path: Path) -> None:
    files, heard = photos(tmp_path, 4), []
    with following(Watcher(sample=heard.append), tmp_path, lambda: 4) as (watch, done):
        files[3].read_bytes()
        watch.admit()
        watch.sample(at(0.5))
        for file in [*files[:2], files[0]]:
            file.read_bytes()
        list(tmp_path.iterdir())
        watch.line("1/4")
        watch.sample(at(1.0))
        files[2].read_bytes()
        filled = done.fill([at(0.5), at(1.0), at(1.2)])
    assert heard == [at(0.5, 0), at(1.0, 2)]
    assert filled == ((at(0.5, 0), at(1.0, 2), at(1.2, 3)), Source.READS)


def test_where_no_file_is_read_the_log_tells(tmp_path: Path) -> None:
    heard: list[Sample] = []
    with following(Watcher(sample=heard.append), tmp_path / "none", lambda: 9) as (watch, done):
        watch.admit()
        watch.sample(at(0.5))
        watch.line("3/9 images")
        watch.line("hello")
        watch.sample(at(1.0))
        filled = done.fill([at(0.5), at(1.0), at(1.2)])
    assert heard == [at(0.5, 0), at(1.0, 3)]
    assert filled == ((at(0.5, 0), at(1.0, 3), at(1.2, 3)), Source.LOG)


def test_where_nothing_tells_it_says_so(tmp_path: Path) -> None:
    lines: list[str] = []
    with following(Watcher(line=lines.append), tmp_path, lambda: 9) as (watch, done):
        watch.admit()
        watch.line("loading")
        assert done.fill([at(0.5)]) == ((at(0.5, 0),), Source.NONE)
    assert lines == ["loading"]
