"""What of a shell script is code, which commands it names, which files it runs."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from posebowl.submission.shell_text import called_files, commands, masked


def test_commands():
    script = "A=1 one x; two | three && exec four\nif five; then six; fi # seven\necho 'eight'"
    assert commands(script) >= {"one", "two", "three", "four", "five", "six", "echo"}
    assert not commands(script) & {"seven", "eight", "x"}


@given(st.text(st.sampled_from("ab '\"\\\n#<-EOF$(){}[]&|;=x"), max_size=80))
def test_masking_keeps_every_offset(script: str):
    for text in masked(script):
        assert len(text) == len(script)
        # Line ends stay, but for those that a backslash takes away.
        kept = [at for at, c in enumerate(text) if c == "\n"]
        assert set(kept) <= {at for at, c in enumerate(script) if c == "\n"}
        assert all(text[at] in {" ", c} for at, c in enumerate(script))


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("./run.sh", [(1, "run.sh")]),
        ("\ncd . && exec bin/tool -x", [(2, "bin/tool")]),
        ("/code_execution/workdir/a.py x; ./b", [(1, "a.py"), (1, "b")]),
        ("sh ./run.sh\npython src/main.py", []),
        ("# ./run.sh\necho ./run.sh\nrun.sh\n'./run.sh'", []),
        ("/usr/bin/env python x", []),
        ("../x/run.sh", []),
    ],
)
def test_files_that_are_run(script: str, found: list[tuple[int, str]]):
    assert called_files(script) == found
