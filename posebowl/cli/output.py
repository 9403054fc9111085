"""How a task prints its result: as text for people, or as JSON for programs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any, TypeVar

from posebowl.util import console

_T = TypeVar("_T")


def present(result: _T, show: Callable[[_T], None], *, as_json: bool) -> None:
    """Print a result as JSON for programs, or have it shown to people."""
    if as_json:
        print_json(result)
    else:
        show(result)


def present_text(result: Any, text: str, *, as_json: bool) -> None:
    """Print a result as JSON for programs, or a text about it for people."""
    present(result, lambda _: console.out.print(text, markup=False), as_json=as_json)


def print_json(value: Any) -> None:
    """Print a result for programs."""
    console.out.print(json.dumps(_jsonable(value), indent=2, default=str), markup=False)


def print_document(text: str) -> None:
    """Print a document that is already text, as it is."""
    with console.results():
        print(text, end="")


def _jsonable(value: Any) -> Any:
    """Return a value with dataclasses as objects and sets as sorted arrays, at every level."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {item.name: _jsonable(getattr(value, item.name)) for item in fields}
    if isinstance(value, dict):
        return {str(name): _jsonable(item) for name, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    return [_jsonable(item) for item in value] if isinstance(value, list | tuple) else value
