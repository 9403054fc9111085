from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from posebowl.submission import shell_lint
from posebowl.submission.lint import on_script
from posebowl.submission.shell_lint import bashisms, check_syntax

DASH = pytest.mark.skipif(not shutil.which("dash"), reason="needs dash")
SHELLCHECK = pytest.mark.skipif(not shutil.which("shellcheck"), reason="needs shellcheck")


@SHELLCHECK
@pytest.mark.parametrize(
    ("script", "word"),
    [
        ("if [[ -f a ]]; then :; fi", "[["),
        ("source env.sh", "'source'"),
        ("x && source ./env.sh", "'source'"),
        ("function f { :; }", "'function' keyword"),
        ("a=(1 2)", "arrays"),
        ("a+=(1)", "arrays"),
        ("declare -A x", "is not supported"),
        ("shopt -s nullglob", "is not supported"),
        ("cat <<< word", "here-strings"),
        ("set -o pipefail", "pipefail"),
        ("set -euo pipefail", "pipefail"),
        ("set -e -o pipefail", "pipefail"),
        ("x &> log", "&>"),
        ("x |& tee log", "|&"),
        ("diff <(a) <(b)", "process substitution"),
        ("((i++))", "((..))"),
        ('[ "$a" == b ]', "=="),
        ("for i in {1..5}; do :; done", "brace expansion"),
        ('echo "${a[0]}"', "array references"),
        ("echo ${x//a/b}", "string replacement"),
        ("echo ${x:0:3}", "string indexing"),
        ("echo ${x^^}", "case modification"),
        ("echo ${!x}", "indirect expansion"),
        ("cat <<END\n${a[0]}\nEND", "array references"),
        ('cd "$(dirname "${BASH_SOURCE[0]}")"', "BASH_SOURCE"),
        ("echo {a,b}", "brace expansion"),
        ("trap x ERR", "trapping ERR"),
        ("x=$(<f)", "$(<file)"),
        ("printf %q x", "%q"),
        ("export -f x", "export -f"),
    ],
)
def test_bashisms(script: str, word: str):
    found = bashisms(f"#!/bin/sh\n\n{script}\n".encode(), "main.sh")
    assert found
    assert any(word in text for text in found)
    assert found[0].startswith(f"main.sh:{4 if script.startswith('cat <<END') else 3}: ")


@pytest.mark.parametrize(
    "script",
    [
        "# source x; [[ a ]]; a=(1)",
        "echo '[[ a ]] ${x[0]} <<< &>'",
        'echo "[[ a ]]; source b"',
        "python - <<'EOF'\nsource = [[1]]\na=(1)\n${x[0]}\nEOF",
        "python - <<EOF\na=(1)\nsource x\nEOF\n:",
        "cat <<-'EOF' | x\n\t[[ a\n\tEOF",
        "x=$((1 + 2)); y=$(cd a && pwd)",
        "echo ${x:-1} ${x%%.*} ${x##*/} ${#x} ${x:=2} ${x:?no} ${x:+y}",
        "x >log 2>&1 &",
        '[ "$a" = b ] && [ "$a" != c ]',
        "set -eu",
        "a=1 b='(2)'",
        "awk '{ if (a == b) print $1 }' f",
        "echo a\\ source b",
        ". ./env.sh",
        "grep -E '(a|b)' x",
        "f() { :; }",
        "case $x in a|b) :;; (c) :;; esac",
        "echo x#y",
    ],
)
@DASH
def test_plain_sh(script: str):
    assert check_syntax(script.encode()).error == ""
    assert bashisms(script.encode(), "main.sh") == []


@SHELLCHECK
@pytest.mark.parametrize("again", ["(", "a=(", "$(( 1 + ", "$x ", "`", '"${a:-'])
def test_a_script_that_nests_without_end_is_not_waited_for(again: str):
    assert bashisms((again * 60_000).encode(), "main.sh") == []


@DASH
@pytest.mark.parametrize("again", ["(", "<<a ", "$(( 1 + ", "if :; then "])
def test_what_nests_without_end_is_no_riddle(again: str):
    script = (again * ((1 << 20) // len(again))).encode()
    assert check_syntax(script).error == shell_lint.TOO_MUCH
    (said,) = (text for text in on_script(script) if "cannot parse" in text)
    assert said == f"sh cannot parse main.sh: {shell_lint.TOO_MUCH}."


def test_without_shellcheck_nothing_is_said(monkeypatch):
    monkeypatch.setattr(shell_lint.shutil, "which", lambda *_args, **_words: None)
    assert bashisms(b"[[ a ]]\n", "main.sh") == []


@DASH
def test_syntax_errors_name_the_line():
    found = check_syntax(b"echo a\nif true; then\n  echo b\n")
    assert found.shell == "dash"
    assert found.error.startswith("main.sh: 4: Syntax error")
    assert check_syntax(b"echo a\n").error == ""


def test_nothing_is_run(tmp_path: Path):
    mark = tmp_path / "mark"
    check_syntax(f"touch {mark}\n$(touch {mark})\n".encode())
    assert not mark.exists()


def test_no_file_has_to_be_removed_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # Whoever kills a check, as a cluster may do with its jobs, leaves no temporary file.
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    looks = ["sh", "-c", f"ls -A {tmp_path} >&2; exit 1"]
    assert check_syntax(b"echo a", looks).error == "unknown error"


@pytest.mark.parametrize(
    ("present", "sh", "argv"),
    [
        ({"dash", "sh", "bash"}, "dash", ["dash", "-n"]),
        ({"sh", "bash"}, "busybox", ["sh", "-n"]),
        ({"sh", "bash"}, "bash", ["bash", "--posix", "-n"]),
        ({"sh"}, "zsh", []),
        (set(), "", []),
    ],
)
def test_which_shell_parses(present: set[str], sh: str, argv: list[str], monkeypatch):
    monkeypatch.setattr(shell_lint.shutil, "which", lambda name: name if name in present else None)
    monkeypatch.setattr(shell_lint.os.path, "realpath", lambda name: sh if name == "sh" else name)
    assert shell_lint.parser() == argv


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_stands_in():
    bash = [str(shutil.which("bash")), "--posix", "-n"]
    assert check_syntax(b"fi\n", bash).error
    assert check_syntax(b"[[ a ]]\n", bash).error == ""


def test_no_shell_says_nothing():
    assert check_syntax(b"fi\n", []) == shell_lint.SyntaxCheck()
