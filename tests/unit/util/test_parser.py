"""Command lines that cannot be read, in a sentence."""

from __future__ import annotations

import pytest

from posebowl.errors import UsageError
from posebowl.util.parser import Parser


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--count", "many"], "--count: invalid int value: 'many'."),
        (["--only", "some"], "--only: invalid choice: 'some' (choose from "),
        (["--other"], "Unrecognized arguments: --other."),
        (["--count"], "--count: expected one argument."),
    ],
)
def test_what_is_wrong_is_a_sentence_with_a_way_on(words: list[str], what: str) -> None:
    parser = Parser(task="data.render")
    parser.add_argument("--count", type=int)
    parser.add_argument("--only", choices=["photos", "cutouts"])
    with pytest.raises(UsageError) as caught:
        parser.parse_args(words)
    assert caught.value.what.startswith(what)
    assert caught.value.what.endswith(".")
    assert caught.value.fix == "Type: invoke --help data.render"
