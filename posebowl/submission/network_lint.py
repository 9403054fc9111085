"""What a script takes from the network or from a conda environment, neither of which a run has."""

from __future__ import annotations

import re
import shlex
from typing import Final

from posebowl.submission.shell_text import COMMAND, LINT_BYTES, masked
from posebowl.util.text import brief, numbered

_WITH_VALUE: Final = frozenset(
    (
        "-c", "-f", "-i", "-t", "--cache-dir", "--constraint", "--extra-index-url", "--find-links",
        "--index-url", "--log", "--prefix", "--progress-bar", "--python", "--root", "--target",
    )
)  # fmt: skip
"""Options of `pip install` whose value is the next word."""
_LISTS: Final = frozenset(("-r", "--requirement"))
_NAME: Final = re.compile(r"[A-Za-z][\w.\[\],-]*([=<>!~].*)?")
_ARCHIVES: Final = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_INSTALL: Final = re.compile(r"\bpip3?(?:\.\d+)?\s+install\b([^\n;&|]*)")
_DOWNLOAD: Final = re.compile(
    COMMAND
    + r"(?:sudo\s+)?(curl|wget|git\s+clone|gdown|apt(?:-get)?\s|conda\s+install|gsutil|aws\s+s3"
    r"|huggingface-cli\s+download|hf\s+download|kaggle)\b",
    re.MULTILINE,
)
_CONDA: Final = re.compile(
    COMMAND + r"((?:conda|mamba|micromamba)\s+(?:run|activate)|(?:source|\.)\s+activate)\b",
    re.MULTILINE,
)


def network_uses(script: str, name: str) -> list[str]:
    """Return warnings, with line numbers, of commands that need the network, which a run lacks."""
    bare, expanded = masked(script[:LINT_BYTES])
    found = []
    for line, match in numbered(_INSTALL.finditer(expanded), script):
        arguments = script[match.start(1) : match.end(1)]  # with what quotes hold
        found += [(line, problem) for problem in _on_install(arguments)]
    for line, match in numbered(_DOWNLOAD.finditer(bare), script):
        what = f"`{' '.join(match[1].split())}` needs the network"
        found.append((line, f"{what}, and a run has none"))
    return [f"{name}:{line}: {text}." for line, text in sorted(found)]


def _on_install(arguments: str) -> list[str]:
    """Return what makes one `pip install` use the network."""
    options, targets = _split(arguments)
    if "--no-index" in options:
        return []
    names = [word for word in targets if _NAME.fullmatch(word) and not word.endswith(_ARCHIVES)]
    names += ["a list of packages"] if _LISTS & options else []
    folders = [
        word
        for word in targets
        if word not in names and not word.endswith((".whl", "*")) and "$" not in word
    ]
    found = []
    if names:
        found.append(
            f"`pip install` of {brief(names[0])} asks the network unless it is installed already, "
            "and a run has none; bundle wheels, and install them by their path"
        )
    if folders and "--no-build-isolation" not in options:
        found.append(
            f"`pip install` of {brief(folders[0])} builds it, for which pip asks the network, "
            "and a run has none; bundle the wheel that `pip wheel --no-deps` makes of it"
        )
    return found


def _split(arguments: str) -> tuple[set[str], list[str]]:
    """Split the words behind `pip install` into options and what is to be installed."""
    arguments = arguments.replace("\\\n", " ")
    try:
        words = iter(shlex.split(arguments, comments=True))
    except ValueError:
        words = iter(arguments.split())
    options, targets = set(), []
    for word in words:
        if word.startswith("-"):
            options.add(word.partition("=")[0])
            if word in _WITH_VALUE | _LISTS:
                next(words, None)
        elif redirection := re.match(r"[0-9]*[<>]+&?", word):
            if redirection[0] == word:
                next(words, None)
        else:
            targets.append(word)
    return options, targets


def conda_uses(script: str, name: str) -> list[str]:
    """Return warnings, with line numbers, of conda environments that a script activates."""
    bare = masked(script[:LINT_BYTES])[0]
    return [
        f"{name}:{line}: `{' '.join(match[1].split())}`: "
        "there is no conda here, and on the platform the environment is active already; "
        "call python itself."
        for line, match in numbered(_CONDA.finditer(bare), script)
    ]
