"""Print what Python files import: `python -I -S python_parser.py < FILES`.

It runs by itself, under limits, since Python's own parser takes minutes or gigabytes for a few
hundred bytes of a hostile zip. It stands alone and imports next to nothing, so that it takes no
more than a hundredth of a second to start.

Each file of FILES is its length in bytes on a line, and then its text in UTF-8. What is printed for
it is a line `NUMBER OPTIONAL MODULE` for each module, where the first import of it stands, and
then `NUMBER`: the line of its syntax error, or 0.
"""

from __future__ import annotations

import sys
from _ast import (
    AST,
    Attribute,
    Call,
    Constant,
    ExceptHandler,
    If,
    Import,
    ImportFrom,
    Name,
    PyCF_ONLY_AST,
    Try,
    Tuple,
    With,
    excepthandler,
    match_case,
    stmt,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MODULES = 2000
"""Of one file; a longer list is of no use to anybody."""
CATCHES = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
CONDITIONS = {"TYPE_CHECKING", "version_info", "platform", "find_spec"}


def main() -> None:
    """Answer for each file."""
    while length := sys.stdin.buffer.readline():
        print(answer(sys.stdin.buffer.read(int(length)).decode()))


def answer(text: str) -> str:
    """Return what is printed for one file."""
    try:
        tree = compile(text, "", "exec", PyCF_ONLY_AST, dont_inherit=True)
    except SyntaxError as error:
        return str(error.lineno or 1)
    except (ValueError, MemoryError, RecursionError):  # a zero byte, or nested too deeply
        return "1"
    first: dict[tuple[str, bool], int] = {}
    for module, line, optional in imports(tree, calls="import_" in text):
        if module.isidentifier() and len(first) < MODULES:
            key = module, optional
            first[key] = min(line, first.get(key, line))
    lines = [f"{line} {int(optional)} {module}" for (module, optional), line in first.items()]
    return "\n".join([*lines, "0"])


def imports(tree: AST, *, calls: bool) -> Iterator[tuple[str, int, bool]]:
    """Yield modules, their lines, and whether the file copes without them."""
    kinds = AST if calls else (stmt, excepthandler, match_case)
    waiting: list[tuple[AST, bool]] = [(tree, False)]
    while waiting:
        node, optional = waiting.pop()
        if isinstance(node, Import):
            for alias in node.names:
                yield alias.name.partition(".")[0], node.lineno, optional
        elif isinstance(node, ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0], node.lineno, optional
        elif (
            isinstance(node, Call)
            and node.args
            and name_of(node.func)
            in {
                "import_module",
                "__import__",
            }
        ):
            named = node.args[0]
            if isinstance(named, Constant) and isinstance(named.value, str):
                yield named.value.partition(".")[0], node.lineno, optional
        inner = optional or copes(node)
        waiting += [(child, inner) for child in children(node) if isinstance(child, kinds)]


def copes(node: AST) -> bool:
    """Check whether what a statement holds may fail, or is not always run."""
    if isinstance(node, Try):
        return any(map(catches, node.handlers))
    if isinstance(node, With):
        used = [item.context_expr for item in node.items]
        return any(isinstance(call, Call) and name_of(call.func) == "suppress" for call in used)
    return isinstance(node, If) and any(name_of(part) in CONDITIONS for part in below(node.test))


def below(node: AST) -> Iterator[AST]:
    """Yield an expression and all that it is made of."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += children(node)


def children(node: AST) -> Iterator[AST]:
    """Yield the nodes of which a node is made."""
    for field in node._fields:
        value = getattr(node, field, None)
        yield from (
            child
            for child in (value if isinstance(value, list) else [value])
            if isinstance(child, AST)
        )


def catches(handler: ExceptHandler) -> bool:
    """Check whether a handler is called where a module is missing."""
    kind = handler.type
    kinds = kind.elts if isinstance(kind, Tuple) else [kind]
    return kind is None or any(name_of(item) in CATCHES for item in kinds)


def name_of(node: object) -> str:
    """Return the last part of a name, or nothing."""
    return node.id if isinstance(node, Name) else node.attr if isinstance(node, Attribute) else ""


if __name__ == "__main__":
    main()
