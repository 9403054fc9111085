from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from posebowl.submission import shell_lint
from posebowl.submission.shell_lint import bashisms, check_syntax, commands, network_uses

DASH = pytest.mark.skipif(not shutil.which("dash"), reason="needs dash")


@pytest.mark.parametrize(
    ("script", "word"),
    [
        ("if [[ -f a ]]; then :; fi", "[["),
        ("source env.sh", "`source`"),
        ("x && source ./env.sh", "`source`"),
        ("function f { :; }", "`function`"),
        ("a=(1 2)", "arrays"),
        ("a+=(1)", "arrays"),
        ("declare -A x", "bash's own"),
        ("shopt -s nullglob", "bash's own"),
        ("cat <<< word", "<<<"),
        ("set -o pipefail", "pipefail"),
        ("set -euo pipefail", "pipefail"),
        ("set -e -o pipefail", "pipefail"),
        ("x &> log", "&>"),
        ("x |& tee log", "|&"),
        ("diff <(a) <(b)", "process substitution"),
        ("((i++))", "((...))"),
        ('[ "$a" == b ]', "=="),
        ("for i in {1..5}; do :; done", "{1..9}"),
        ('echo "${a[0]}"', "expansion"),
        ("echo ${x//a/b}", "expansion"),
        ("echo ${x:0:3}", "expansion"),
        ("echo ${x^^}", "expansion"),
        ("echo ${!x}", "expansion"),
        ("cat <<END\n${a[0]}\nEND", "expansion"),
        ('cd "$(dirname "${BASH_SOURCE[0]}")"', "expansion"),
    ],
)
def test_bashisms(script: str, word: str):
    found = bashisms(f"#!/bin/sh\n\n{script}\n", "main.sh")
    assert len(found) == 1
    assert word in found[0]
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
        "echo x#y {a,b}",
    ],
)
@DASH
def test_plain_sh(script: str):
    assert check_syntax(script.encode()).error == ""
    assert bashisms(script, "main.sh") == []


@pytest.mark.parametrize(
    ("script", "word"),
    [
        ("pip install torch", "pip install"),
        ("python -m pip install -r requirements.txt", "pip install"),
        ("ls; pip install \\\n  torch", "pip install"),
        ("curl -O http://x", "curl"),
        ("cd x && wget http://x", "wget"),
        ("git   clone http://x", "git clone"),
        ("x=$(curl http://x)", "curl"),
        ("apt-get install x", "apt-get"),
    ],
)
def test_network(script: str, word: str):
    found = network_uses(f"\n{script}\n", "setup.sh")
    assert len(found) == 1
    assert found[0].startswith("setup.sh:2: `")
    assert word in found[0]


@pytest.mark.parametrize(
    "script",
    [
        "pip install --no-deps ./x.whl",
        "pip install --no-index --find-links wheels -r r.txt",
        "pip install \\\n  --no-deps \\\n  x.whl",
        "# pip install x; curl y",
        "echo 'curl x'",
        "echo curl",
        "git status",
    ],
)
def test_no_network(script: str):
    assert network_uses(script, "main.sh") == []


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
    assert shell_lint._parser() == argv


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_stands_in(monkeypatch):
    monkeypatch.setattr(shell_lint, "_parser", lambda: [shutil.which("bash"), "--posix", "-n"])
    assert check_syntax(b"fi\n").error
    assert check_syntax(b"[[ a ]]\n").error == ""


def test_no_shell_says_nothing(monkeypatch):
    monkeypatch.setattr(shell_lint, "_parser", list)
    assert check_syntax(b"fi\n") == shell_lint.SyntaxCheck()


def test_commands():
    script = "A=1 one x; two | three && exec four\nif five; then six; fi # seven\necho 'eight'"
    assert commands(script) >= {"one", "two", "three", "four", "five", "six", "echo"}
    assert not commands(script) & {"seven", "eight", "x"}


@given(st.text(st.sampled_from("ab '\"\\\n#<-EOF$(){}[]&|;=x"), max_size=80))
def test_masking_keeps_every_offset(script: str):
    for text in shell_lint._masked(script):
        assert len(text) == len(script)
        # Line ends stay, but for those that a backslash takes away.
        kept = [at for at, c in enumerate(text) if c == "\n"]
        assert set(kept) <= {at for at, c in enumerate(script) if c == "\n"}
        assert all(text[at] in {" ", c} for at, c in enumerate(script))
