"""Words that invoke does not know."""

from __future__ import annotations

from pathlib import Path

import pytest

from posebowl.cli import suggest
from tests.typed import invoke


@pytest.mark.parametrize(
    ("words", "what", "fix"),
    [
        ("pakc", 'No task is called "pakc".', "Type: uv run invoke pack; "),
        ("nonsense", 'No task is called "nonsense".', "`uv run invoke --list` lists all."),
        ("data.chek", 'No task is called "data.chek".', "Type: uv run invoke data.check; "),
        ("pack --slution x", 'pack has no flag "--slution".', "Type: --solution; "),
        ("run --enginee podman", 'run has no flag "--enginee".', "Type: --engine; "),
        ("data.unpack a --frce b", 'data.unpack has no flag "--frce".', "Type: --force; "),
        ("run --enginee=podman", 'run has no flag "--enginee".', "Type: --engine; "),
        ("run -e", 'run has no flag "-e".', "invoke's own stand before the task."),
        ("run -q", 'run has no flag "-q".', "`uv run invoke --help run` lists its flags."),
        ("run --engine", "--engine needs a value.", "`uv run invoke --help run`"),
        (
            "pack template benchmark",
            'pack has no use for the word "benchmark", and no',
            "`uv run invoke --help pack`",
        ),
        (
            "check my.zip other.zip",
            'check has no use for the word "other.zip"',
            "`uv run invoke --help check`",
        ),
        ("doctor a.zip", 'doctor has no use for the word "a.zip"', "`uv run invoke --help doctor`"),
        ("run --cpus=2 --cpus 3", "--cpus is given twice.", "Type it once; "),
        ("run --waive cpus --waive memory", "--waive is given twice.", "Type it once; "),
        ("--zap", 'invoke has no flag "--zap".', "`uv run invoke --list`"),
        ("doctor \x1b[31m", 'for the word "\\x1b[31m"', "`uv run invoke --help doctor`"),
    ],
)
def test_a_word_that_invoke_does_not_know(words: str, what: str, fix: str, tmp_path: Path) -> None:
    done = invoke(*words.split(" "), cwd=tmp_path)
    assert done.returncode == 2
    assert not done.stdout
    first, second = done.stderr.splitlines()
    assert first.startswith("error: ")
    assert what in first
    assert second.startswith("  fix: ")
    assert fix in second


def test_another_complaint_is_left_as_it_is() -> None:
    assert suggest.advice("'x' is ambiguous", None, ["pack"]) is None
