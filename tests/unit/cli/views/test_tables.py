"""Results of the commands, as text for people."""

from __future__ import annotations

import io
import shlex
from pathlib import Path

import pytest
from rich.console import Console

from posebowl import paths
from posebowl.cli.views import tables
from posebowl.data.checks import DataReport
from posebowl.data.folder import DataFolder
from posebowl.data.unpacker import Unpacked
from posebowl.doctor import Diagnosis, Finding, State
from posebowl.results.cleaning import Cleaned
from posebowl.scoring.metric import Score
from posebowl.submission.archive import Archive
from posebowl.submission.packer import Packed
from posebowl.util import console

ODD = ["[red]x[/]", "[/]", "a\\", ":smile:"]


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> io.StringIO:
    """Catch what is shown, to a user in an empty folder."""
    monkeypatch.chdir(tmp_path)
    caught = io.StringIO()
    made = Console(file=caught, highlight=False, emoji=False, soft_wrap=True, width=200)
    for module, name in ((tables, "out"), (console, "err")):
        monkeypatch.setattr(module, name, made)
    return caught


def lines(screen: io.StringIO) -> list[str]:
    return [line.rstrip() for line in screen.getvalue().splitlines()]


def archive(path: Path, *, imports: frozenset[str], warnings: tuple[str, ...]) -> Archive:
    return Archive(
        path=path,
        entries=2,
        files=1,
        packed_bytes=100,
        unpacked_bytes=300,
        main_script="",
        imports=imports,
        warnings=warnings,
    )


def made(path: Path, *, left_out: tuple[str, ...], warnings: tuple[str, ...] = ()) -> Packed:
    return Packed(
        path=path,
        files=3,
        bytes=2048,
        seconds=0.25,
        sha256="0",
        left_out=left_out,
        warnings=warnings,
        archive=archive(path, imports=frozenset(), warnings=()),
    )


@pytest.mark.parametrize("odd", ODD)
def test_packed(odd: str, screen: io.StringIO) -> None:
    name = odd.replace("/", "")
    tables.packed(made(Path(name), left_out=(odd, "b"), warnings=(odd,)), Path("usual.zip"))
    assert lines(screen) == [
        f"warning: {odd}",
        f"Packed {name} (3 files, 2.0 KiB, 0.25 s)",
        f"Left out 2: {odd}, b",
        f"Next: uv run invoke run {shlex.quote(name)}",
    ]


def test_the_next_step_names_no_default(screen: io.StringIO) -> None:
    tables.packed(made(Path("usual.zip"), left_out=()), Path("usual.zip"))
    assert lines(screen)[-1] == "Next: uv run invoke run"


def test_packed_names_a_few_that_it_left_out(screen: io.StringIO) -> None:
    tables.packed(made(Path("a.zip"), left_out=tuple("abcdefgh")), Path("usual.zip"))
    assert "Left out 8: a, b, c, d, e and 3 more" in lines(screen)


@pytest.mark.parametrize("odd", ODD)
def test_checked(odd: str, screen: io.StringIO) -> None:
    name = odd.replace("/", "")
    tables.checked(archive(Path(name), imports=frozenset({"torch", odd}), warnings=(odd,)))
    assert lines(screen) == [
        f"warning: {odd}",
        f"OK {name}: 1 file, 100 B, 300 B unpacked",
        f"It imports {', '.join(sorted(['torch', odd]))}.",
    ]


def test_scored(screen: io.StringIO) -> None:
    frame = pytest.importorskip("polars").DataFrame()
    tables.scored(Score(mean_iou=0.5, median_iou=0.25, count=1, unscored=1200, frame=frame))
    assert lines(screen) == [
        "Mean IoU 0.5000 (median 0.2500)",
        "1 image scored; 1,200 labelled without a prediction",
    ]


@pytest.mark.parametrize("odd", ODD)
def test_data(odd: str, screen: io.StringIO) -> None:
    folder = DataFolder(
        root=Path(odd),
        images=Path(odd),
        submission_format=Path(odd),
        labels=None,
        is_demo=False,
    )
    report = DataReport(
        folder=folder, images=2, labels=None, extra=0, missing=0, deep=False, warnings=(odd,)
    )
    tables.data(report)
    assert lines(screen) == [f"warning: {odd}", report.summary]
    assert str(Path(odd)) in report.summary


@pytest.mark.parametrize("odd", ODD)
def test_cleaned(odd: str, screen: io.StringIO, tmp_path: Path) -> None:
    name = odd.replace("/", "")
    tables.cleaned(Cleaned(removed=(tmp_path / name,), kept=(Path("/else/where"),), freed_bytes=1))
    assert lines(screen) == [f"Removed {name}", "Kept /else/where"]


def test_nothing_to_clean(screen: io.StringIO) -> None:
    tables.cleaned(Cleaned(removed=(), kept=(), freed_bytes=0))
    assert lines(screen) == ["Nothing to remove."]


@pytest.mark.parametrize("odd", ODD)
def test_diagnosis(odd: str, screen: io.StringIO) -> None:
    findings = tuple(Finding(name=state, state=state, text=odd) for state in State)
    tables.diagnosis(Diagnosis(findings=findings, next_step=odd))
    expected = [[state, state, odd] for state in State]
    assert [line.split(maxsplit=2) for line in lines(screen)[:-1]] == expected
    assert lines(screen)[-1] == odd


def test_unpacked(screen: io.StringIO) -> None:
    tables.unpacked(Unpacked(folder=paths.DATA, written=1, kept=2000, left_out=3), paths.DATA)
    assert lines(screen) == [
        "1 file written; 2,000 already there; 3 left out: not photos.",
        "Next: uv run invoke data.check",
    ]
