"""Warnings about a submission that breaks no rule and would still fail or surprise."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from posebowl.challenge import FORMAT_FILE, GIB, LABELS_FILE, MAIN_SCRIPT, MIB, PREDICTIONS_FILE
from posebowl.submission.imports import Imports
from posebowl.submission.network_lint import conda_uses, network_uses
from posebowl.submission.shell_lint import BOM, SHELLCHECK_BYTES, TOO_MUCH, bashisms, check_syntax
from posebowl.submission.shell_text import called_files
from posebowl.util.text import counted, first_few, numbered
from posebowl.util.units import human_bytes

SOURCE_SUFFIXES: Final = (".sh", ".py", ".yaml", ".yml", ".toml", ".cfg", ".ini")
"""Files whose text is checked."""
WEIGHT_SUFFIXES: Final = frozenset((
    ".onnx", ".pt", ".pth", ".ckpt", ".safetensors", ".bin", ".torchscript", ".ptl", ".engine",
    ".trt", ".plan", ".tflite", ".pb", ".h5", ".hdf5", ".keras", ".weights", ".pkl", ".pickle",
    ".joblib", ".npz", ".npy", ".model", ".cbm", ".ort", ".mlmodel", ".gguf", ".msgpack",
    ".pdparams", ".params", ".caffemodel",
))  # fmt: skip
HUGE_BYTES: Final = 2 * GIB
"""A larger archive is warned of: to upload and unpack it takes minutes."""

_FRAMEWORKS: Final = frozenset((
    "torch", "torchvision", "ultralytics", "onnxruntime", "openvino", "tensorflow", "keras",
    "timm", "lightning", "fastai", "tflite_runtime",
))  # fmt: skip
_NO_WEIGHTS: Final = frozenset(
    (*SOURCE_SUFFIXES, *[".ipynb", ".md", ".txt", ".csv", ".png", ".jpg", ".json"])
)
_JUNK: Final = frozenset((
    "__MACOSX", "__pycache__", ".DS_Store", ".git", ".venv", ".ipynb_checkpoints", ".idea",
    ".vscode", "Thumbs.db",
))  # fmt: skip
_RESULTS_FOLDER: Final = re.compile(r"submission[\"']|(?:\.\.|code_execution)/submission\b")
_BARE_IN_PYTHON: Final = re.compile(r"""["'](?:\./)?submission\.csv["']""")
_BARE_ELSEWHERE: Final = re.compile(
    r"""(?:^|[\s=>"'])((?:\./)?submission\.csv)(?=["'\s;|&]|$)""", re.MULTILINE
)
_COMMENT: Final = re.compile(r"^[ \t]*#.*", re.MULTILINE)
_HOST_PATH: Final = re.compile(
    r"""(?<![\w.:/~}-])(?:/(?:home|Users|root|mnt|media|Volumes|content|kaggle)/[\w.@ -]*
    |[A-Za-z]:(?:\\\\?|/)[\w. -]{2,40}[\\/])""",
    re.VERBOSE,
)


def on_script(content: bytes) -> Iterator[str]:
    """Warn of what makes `sh main.sh` fail under a plain sh."""
    if content.startswith(BOM):
        yield f"{MAIN_SCRIPT} begins with a byte order mark, so that its first line fails."
    result = check_syntax(content)
    if result.error:
        yield f"sh cannot parse {MAIN_SCRIPT}: {result.error}."
    if result.error != TOO_MUCH:
        yield from _few(bashisms(content, MAIN_SCRIPT))
    if len(content) > SHELLCHECK_BYTES:
        yield f"Only the first {human_bytes(SHELLCHECK_BYTES)} of {MAIN_SCRIPT} were looked at."


def on_sources(sources: Mapping[str, str], imports: Imports) -> Iterator[str]:
    """Warn of the network, of paths of the author's machine, and of broken Python files."""
    scripts = {name: text for name, text in sources.items() if name.endswith(".sh")}
    for advice in (network_uses, conda_uses):
        yield from _few([found for name, text in scripts.items() for found in advice(text, name)])
    crlf = [name for name, text in scripts.items() if name != MAIN_SCRIPT and "\r\n" in text]
    if crlf:
        yield (
            f"{counted(len(crlf), 'script')} with Windows line ends (CRLF), which sh takes for a "
            f"part of each command: {first_few(crlf, len(crlf), 3)}. Save with LF line ends."
        )
    yield from _on_predictions(sources)
    paths = [
        f"{name}:{line} {match[0].strip()}"
        for name, text in sources.items()
        for line, match in _in_code(_HOST_PATH, text)
    ]
    if paths:
        yield (
            f"{counted(len(paths), 'absolute path')} of another machine, which a run does not "
            f"have: {first_few(paths, len(paths), 3)}."
        )
    broken = imports.unparsable
    if broken:
        yield f"Not valid Python 3.11: {first_few(broken, len(broken), 3)}."
    if unparsed := imports.unparsed:
        yield (
            f"{counted(len(unparsed), 'Python file')} not parsed, since that takes too long or too "
            f"much memory: {first_few(unparsed, len(unparsed), 3)}."
        )


def _on_predictions(sources: Mapping[str, str]) -> Iterator[str]:
    """Warn where predictions are written beside main.sh, and nothing names the right folder."""
    if any(_RESULTS_FOLDER.search(text) for text in sources.values()):
        return
    for name, text in sources.items():
        pattern = _BARE_IN_PYTHON if name.endswith(".py") else _BARE_ELSEWHERE
        for line, _ in _in_code(pattern, text):
            yield (
                f"{name}:{line} names {PREDICTIONS_FILE} without a folder: nothing reads it "
                f"in the working directory. Write ../submission/{PREDICTIONS_FILE}."
            )
            return


def on_calls(sources: Mapping[str, str], modes: Mapping[str, int]) -> Iterator[str]:
    """Warn of files that a script runs as programs, and that may not be executed.

    Args:
        sources: Text of each script by its path.
        modes: st_mode of each file by its path, 0 where none is recorded.
    """
    found = [
        f"{name}:{line}: `{path}` has no executable bit, so that sh is denied it; call it by its "
        "interpreter (sh, python), or set the bit (chmod +x) and pack again."
        for name, text in sources.items()
        if name.endswith(".sh")
        for line, path in called_files(text)
        if path in modes and not modes[path] & 0o111
    ]
    yield from _few(found)


def _in_code(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, re.Match[str]]]:
    """Yield the first match of each line that is not a comment, with the line's number."""
    code, last = _COMMENT.sub("", text), 0
    for line, match in numbered(pattern.finditer(code), code):
        if line != last:
            last = line
            yield line, match


def on_names(sizes: Mapping[str, int], imports: frozenset[str], packed: int) -> Iterator[str]:
    """Warn of what is missing, what should not be there, and of sheer size.

    Args:
        sizes: Bytes of each file by its path.
        imports: Top-level modules that the submission uses.
        packed: Bytes of the whole zip.
    """
    frameworks = sorted(imports & _FRAMEWORKS)
    if frameworks and not any(_may_be_weights(name, size) for name, size in sizes.items()):
        yield (
            f"No weights found, though {', '.join(frameworks)} is imported; "
            "nothing can be downloaded during a run."
        )
    tables = {LABELS_FILE, PREDICTIONS_FILE, FORMAT_FILE}
    answers = [name for name in sizes if name.rpartition("/")[2] in tables]
    if answers:
        yield (
            f"{first_few(answers, len(answers), 3)}: a run brings its own {FORMAT_FILE} and must "
            "write its predictions itself; nothing reads these."
        )
    junk = [name for name in sizes if not _JUNK.isdisjoint(name.split("/"))]
    if junk:
        yield (
            f"{counted(len(junk), 'file')} that no run needs: {first_few(junk, len(junk), 3)}; "
            "`invoke pack` leaves them out."
        )
    if packed > HUGE_BYTES:
        yield f"The zip has {human_bytes(packed)}: it takes long to upload and to unpack."


def _may_be_weights(name: str, size: int) -> bool:
    suffix = "." + name.rpartition(".")[2].lower()
    return suffix in WEIGHT_SUFFIXES or (size >= MIB and suffix not in _NO_WEIGHTS)


def _few(warnings: list[str], limit: int = 8) -> Iterator[str]:
    """Yield the first few warnings, so that a hostile script cannot fill the screen."""
    yield from warnings[:limit]
    if len(warnings) > limit:
        yield f"... and {len(warnings) - limit} more of this kind."
