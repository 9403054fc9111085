"""Options: declared once, read, checked, and written for another process."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given, strategies as st

from posebowl.errors import UsageError
from posebowl.util import options, program, values
from posebowl.util.options import REQUIRED, Option, argv_of, call, declared
from posebowl.util.values import FOLDER, PATH, TEXT, TRUTH, choice, multiple_pair, number, whole


@dataclass(frozen=True, kw_only=True)
class Group:
    out: Annotated[Path, Option(PATH, "where to")]
    text: Annotated[str, Option(TEXT, "any")] = "x"
    seed: Annotated[int, Option(whole(0, 0), "which")] = 0
    share: Annotated[float, Option(number(0, 1, "0.5"), "of all")] = 0.5
    size: Annotated[tuple[int, int], Option(multiple_pair(32, "64x96"), "edges")] = (64, 96)
    some: Annotated[tuple[Path, ...], Option(FOLDER, "folders", many=True)] = ()
    full: Annotated[bool, Option(TRUTH, "all of it")] = False
    words: Annotated[tuple[str, ...], Option(TEXT, "words", many=True, positional=True)] = ()


def function(
    context: object, group: Group, *, one: Annotated[int, Option(whole(1, 2), "one")]
) -> tuple[object, Group, int]:
    return context, group, one


def test_options_are_read_off_the_parameters() -> None:
    found = declared(function)
    names = ["out", "text", "seed", "share", "size", "some", "full", "words", "one"]
    assert [option.name for option in found] == names
    assert [option.name for option in found if option.default is REQUIRED] == ["out", "one"]
    assert found[1].default == "x"
    made = call(function, {"context": "c", "out": Path("o"), "one": 1, "seed": 3})
    assert made == ("c", Group(out=Path("o"), seed=3), 1)


def test_a_word_that_python_reserves_can_be_an_option() -> None:
    def copy(*, from_: Annotated[str, Option(TEXT, "source")] = "a", to: str = "b") -> str:
        return f"{from_} to {to}"

    (option,) = declared(copy)
    assert (option.name, option.flag) == ("from", "--from")
    assert call(copy, options.read([option], {"from": "c"}, "copy")) == "c to b"
    assert call(copy, {}) == "a to b"


@pytest.mark.parametrize(
    ("option", "text"),
    [
        (Option(whole(1, 2), "how many", name="count", default=24), "how many (24)"),
        (Option(whole(1, 2), "how many", "all", name="count", default=None), "how many (all)"),
        (Option(choice(("a", "b", "c")), "which", name="w", default="a"), "which: a, b or c (a)"),
        (Option(TRUTH, "all of it", "false", name="full", default=False), "all of it"),
        (Option(FOLDER, "folder", many=True, name="some"), "folder; may be repeated"),
        (Option(FOLDER, "folder", many=True, positional=True, name="some"), "folder"),
    ],
)
def test_help_says_what_is_allowed_and_what_holds_unset(option: Option, text: str) -> None:
    assert option.explained == text


NUMBERS = [
    (whole(1, 3), "0", "must be at least 1, got 0"),
    (whole(1, 3), "-1", "must be at least 1, got -1"),
    (whole(1, 3), "1.5", 'must be a whole number of 1 or more, got "1.5"'),
    (whole(1, 3), "", 'must be a whole number of 1 or more, got ""'),
    (whole(1, 3), "1e3", 'must be a whole number of 1 or more, got "1e3"'),
    (whole(1, 3), "[/]", 'must be a whole number of 1 or more, got "[/]"'),
    (whole(1, 3), "\x1b[2J", 'must be a whole number of 1 or more, got "\\x1b[2J"'),
    (whole(1, 3), "\u0663", 'must be a whole number of 1 or more, got "\u0663"'),
    (whole(0, 3, none_at_zero="all"), "-1", "must be at least 0, got -1"),
    (whole(0, 3, none_at_zero="all"), "x", 'must be a whole number, or 0 for all, got "x"'),
    (number(0, 1, "0.4"), "2", "must be between 0 and 1, got 2"),
    (number(0, 1, "0.4"), "nan", 'must be a number between 0 and 1, got "nan"'),
    (
        number(0, 1, "0.4", without_least=True),
        "0",
        "must be greater than 0 and at most 1, got 0",
    ),
    (number(0, math.inf, "2", without_least=True), "0", "must be greater than 0, got 0"),
    (number(0, math.inf, "2", without_least=True), "-3", "must be greater than 0, got -3"),
    (
        number(0, math.inf, "2", without_least=True),
        "inf",
        "must be a number greater than 0, got",
    ),
    (multiple_pair(32, "64x96"), "100x96", 'multiples of 32, such as 64x96, got "100x96"'),
    (multiple_pair(32, "64x96"), "0x96", 'multiples of 32, such as 64x96, got "0x96"'),
    (multiple_pair(32, "64x96"), "96x-32", 'multiples of 32, such as 64x96, got "96x-32"'),
    (multiple_pair(32, "64x96"), "64", 'multiples of 32, such as 64x96, got "64"'),
]


@pytest.mark.parametrize(("kind", "text", "said"), NUMBERS)
def test_numbers_are_checked(kind: values.Kind, text: str, said: str) -> None:
    option = Option(kind, "", name="some_cores", default=3)
    with pytest.raises(UsageError) as caught:
        options.read([option], {"some_cores": text}, "run")
    assert caught.value.what.startswith("--some-cores must be ")
    assert said in caught.value.what
    assert caught.value.fix == f"Type: --some-cores {kind.example}"


@pytest.mark.parametrize("missing", [None, [], False])
def test_what_has_no_default_is_asked_for(missing: Any) -> None:
    asked = [
        Option(TEXT, "from where", name="source", positional=True),
        Option(PATH, "to where", name="a_place"),
    ]
    with pytest.raises(UsageError, match=r"push needs --a-place\.") as caught:
        options.read(asked, {"source": "a", "a_place": missing}, "push")
    assert caught.value.why == "--a-place (to where)."
    assert caught.value.fix == "Type: invoke push SOURCE --a-place ~/file"
    with pytest.raises(UsageError, match=r"push needs SOURCE, --a-place\."):
        options.read(asked, {"source": missing, "a_place": missing}, "push")


def test_a_command_line_leaves_out_what_is_not_there() -> None:
    assert argv_of(Group(out=Path("x y"))) == [
        "--out=x y", "--text=x", "--seed=0", "--share=0.5", "--size=64x96",
    ]  # fmt: skip
    more = argv_of(Group(out=Path("o"), some=(Path("a"), Path("-b")), full=True, words=("-c", "d")))
    assert more[-6:] == ["--some=a", "--some=-b", "--full", "--", "-c", "d"]


texts = st.text(min_size=1).filter(lambda text: "\0" not in text)
folders = st.text(st.characters(categories=("L", "N", "P")), min_size=1).filter(
    lambda text: not text.startswith("~")
)


@given(
    st.builds(
        Group,
        out=folders.map(Path),
        text=texts,
        seed=st.integers(0),
        share=st.floats(0, 1),
        size=st.tuples(*[st.integers(1, 99).map(lambda edge: 32 * edge)] * 2),
        some=st.lists(folders.map(Path)).map(tuple),
        full=st.booleans(),
        words=st.lists(texts).map(tuple),
    )
)
def test_another_process_gets_the_same_values(group: Group) -> None:
    assert program.read(Group, argv_of(group), task="go") == group
