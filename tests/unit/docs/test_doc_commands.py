"""Every command in the documentation is one that its program takes."""

from __future__ import annotations

import re

import pytest

from tests.doc_commands import (
    NOT_RUN,
    PAGES,
    Command,
    WrongCommandError,
    commands,
    excused,
    executed,
    find,
    read,
    simple,
)

PAGE = """
Type `invoke run`, or `uv run invoke check`, or `pip`.

```sh
pip install uv && uv run nox -s tests   # and wait
uv run invoke pack \\
    --solution quickstart
# nothing
```

```python
uv = "not a command"
```

    uv run invoke check

    [tool.uv]
    index = []

- `uv run invoke list`
| `uv run invoke doctor` | see |

```yaml
      - run: uv run invoke clean
```
"""


def test_commands_are_found_where_people_see_them() -> None:
    found = [(command.line, command.text, command.typed) for command in find("page", PAGE)]
    assert found == [
        (2, "invoke run", False),
        (2, "uv run invoke check", False),
        (5, "pip install uv && uv run nox -s tests", True),
        (6, "uv run invoke pack --solution quickstart", True),
        (15, "uv run invoke check", True),
        (20, "uv run invoke list", False),
        (21, "uv run invoke doctor", True),
        (24, "uv run invoke clean", True),
    ]


def test_the_pages_are_all_there() -> None:
    assert {"README.md", "docs/quickstart.md", "docs/how-to/debug.md", "data/README.md"} <= set(
        PAGES
    )
    assert len(commands()) > 80


@pytest.mark.parametrize("command", commands(), ids=str)
def test_the_program_takes_it(command: Command) -> None:
    read(command.text, typed=command.typed)


def test_what_is_to_be_typed_is_executed_or_excused() -> None:
    typed = [command for command in commands() if command.typed]
    assert [str(one) for one in typed if not executed(one) and not excused(one)] == []


@pytest.mark.parametrize("pattern", NOT_RUN)
def test_no_excuse_is_left_over(pattern: str) -> None:
    typed = [command.text for command in commands() if command.typed]
    assert any(re.fullmatch(pattern, text) for text in typed)


@pytest.mark.parametrize(
    "line",
    [
        "uv run invoke fly",
        "uv run invoke run --speed 3",
        "uv run invoke score one.csv",
        "uv run invoke run --cpus",
        "uv run invoke pack && uv run invoke fly",
        "uv run nox -s fly",
        "uv run nox -s test_submission-cpu -- --speed 3",
        "uv run nox -s test_submission-cpu --engine podman",
        "uv run python -m posebowl.fly",
        "uv run python -m posebowl.render --out x --count many",
        "uv run python -m posebowl.training.train --data a --val b --out c --imgsz 64",
        "uv run python -m posebowl.cli evaluate a.zip --shards 0",
        "uv run invoke run --engine lxc",
        "uv run pytest tests/unit/test_fly.py",
        "uv fly",
        "fly",
    ],
)
def test_a_wrong_command_is_found(line: str) -> None:
    with pytest.raises(WrongCommandError):
        read(line)


def test_a_name_may_be_spoken_of_without_its_arguments() -> None:
    read("invoke score", typed=False)
    for line, typed in (("invoke score", True), ("invoke fly", False)):
        with pytest.raises(WrongCommandError):
            read(line, typed=typed)


def test_lines_are_split_as_a_shell_does() -> None:
    assert simple('a "b c" && d $(e) | f > g') == [["a", "b c"], ["d", "$", "(", "e", ")"], ["f"]]
