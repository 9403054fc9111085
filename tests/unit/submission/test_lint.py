from __future__ import annotations

import pytest

from posebowl.challenge import GIB
from posebowl.submission.imports import Imports
from posebowl.submission.lint import on_calls, on_names, on_script, on_sources

NONE = frozenset()


@pytest.mark.parametrize(
    ("sizes", "warned"),
    [
        ({"main.sh": 9, "main.py": 9}, True),
        ({"main.py": 9, "w.onnx": 9}, False),
        ({"main.py": 9, "deep/W.PT": 9}, False),
        ({"main.py": 9, "model": 5 << 20}, False),
        ({"main.py": 9, "photo.png": 5 << 20}, True),
    ],
)
def test_no_weights(sizes: dict[str, int], warned: bool):
    found = list(on_names(sizes, frozenset({"torch", "cv2"}), 100))
    assert bool(found) == warned
    assert all("No weights found, though torch is imported" in text for text in found)
    assert list(on_names(sizes, frozenset({"cv2"}), 100)) == []


@pytest.mark.parametrize("name", ["submission.csv", "data/train_labels.csv"])
def test_tables_that_a_run_brings_itself(name: str):
    (found,) = on_names({name: 5}, NONE, 100)
    assert name in found


def test_junk_and_size():
    names = {"__MACOSX/._a": 1, "src/__pycache__/b.pyc": 1, ".DS_Store": 1, "a.py": 1}
    (junk,) = on_names(names, NONE, 100)
    assert junk.startswith("3 files that no run needs")
    (size,) = on_names({"a.py": 1}, NONE, 3 * GIB)
    assert "3.0 GiB" in size


@pytest.mark.parametrize(
    "line",
    [
        "open('/home/me/w.pt')",
        "W = '/Users/me/x'",
        "cd /mnt/c/x",
        "p = r'C:\\Users\\me\\w.pt'",
        "p = 'C:\\\\Users\\\\me\\\\w.pt'",
        "DATA=/kaggle/input",
        "--weights=/home/me/w.pt",
    ],
)
def test_paths_of_another_machine(line: str):
    (found,) = on_sources({"src/a.py": f"\n{line}\n"}, Imports())
    assert found.startswith("1 absolute path of another machine")
    assert "src/a.py:2 " in found


@pytest.mark.parametrize(
    "line",
    [
        "open('/code_execution/data')",
        "#!/usr/bin/env python",
        "# see /home/me",
        "url = 'https://x.org/home/page'",
        "print('error:\\n')",
        "x = a/home/b",
        "os.path.join(root, 'mnt/x')",
        'f"{x}/home/{y}"',
    ],
)
def test_other_paths(line: str):
    assert list(on_sources({"a.py": line}, Imports())) == []


def test_broken_python_and_network_are_told():
    sources = {"main.sh": "curl x\n" * 20, "a.py": "x"}
    found = list(on_sources(sources, Imports(unparsable=("a.py:3",))))
    assert len(found) == 10
    assert found[0].startswith("main.sh:1: `curl`")
    assert found[8] == "... and 12 more of this kind."
    assert found[9] == "Not valid Python 3.11: a.py:3."


@pytest.mark.parametrize(
    ("name", "text", "warned"),
    [
        ("main.py", "df.to_csv('submission.csv', index=False)", True),
        ("main.py", 'df.to_csv("./submission.csv")', True),
        ("main.sh", "python main.py --out submission.csv", True),
        ("main.sh", "cp x >submission.csv", True),
        ("conf.yaml", "out: submission.csv", True),
        ("main.py", "# to 'submission.csv'", False),
        ("main.py", "# writes\ndf.to_csv('../submission/submission.csv')", False),
        ("main.py", "OUT = Path('/code_execution/submission')\nx = OUT / 'submission.csv'", False),
        ("main.py", "os.path.join('..', 'submission', 'submission.csv')", False),
        ("main.py", '"""Write submission.csv."""', False),
        ("main.py", "'submission_format.csv', 'my_submission.csv'", False),
    ],
)
def test_predictions_in_the_working_directory(name: str, text: str, warned: bool):
    found = list(on_sources({name: f"\n{text}\n"}, Imports()))
    assert len(found) == warned
    for warning in found:
        assert warning.startswith(f"{name}:2 names submission.csv without a folder")
        assert "../submission/submission.csv" in warning


def test_line_ends_of_scripts_that_are_called():
    sources = {"main.sh": "sh run.sh\n", "run.sh": "echo\r\n", "a.py": "x\r\n"}
    (found,) = on_sources(sources, Imports())
    assert "1 script with Windows line ends" in found
    assert "run.sh" in found


def test_files_without_the_bit_that_are_run():
    sources = {"main.sh": "./run.sh\nbin/tool x\nsh ./other.sh\n./absent\n"}
    modes = {"run.sh": 0o644, "bin/tool": 0o755, "other.sh": 0o644}
    (found,) = on_calls(sources, modes)
    assert found.startswith("main.sh:1: `run.sh` has no executable bit")


def test_a_script_that_is_fine_needs_no_advice():
    assert list(on_script(b"#!/bin/sh\nset -e\npython main.py\n")) == []
    (found,) = on_script(b"python main.py\n" * 2000)
    assert "Only the first 16.0 KiB" in found
