"""Finds the errors that the code of a route can raise, from the source and without running it.

Every function, class and constant of a module is a node. It leads to each node that its code names, through imports
and modules. A node raises the names that it passes to constructors of errors.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

from pydantic.alias_generators import to_camel

from clearwindow.core import errors
from clearwindow.core.error_registry import error_codes
from clearwindow.core.errors import RequestError

SOURCE: Final = Path(__file__).parents[2] / "src" / "clearwindow"
KINDS: Final = {
    name: kind.status
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, RequestError)
}
Raised: TypeAlias = tuple[str, int | None]
"""A name and its status, None if the caller chooses the status."""

_CHOSEN_BY_CALLER: Final = frozenset({"kind", "conflict", "super().__init__"})
_OTHER_PROGRAMS: Final = frozenset({"client", "simulator", "cli"})
_IN_COMMON: Final = (
    "clearwindow.api.",
    "clearwindow.core.",
    "clearwindow.postgres.",
    "clearwindow.identity.guards.",
)
"""Code that every route uses. Its errors are in ``web.common_errors``."""

_METHODS: Final = frozenset({"get", "post", "put", "patch", "delete"})


@dataclass
class Node:
    leads_to: set[str] = field(default_factory=set)
    raises: set[Raised] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    """Names of errors that stand in its code in other ways."""


@dataclass(frozen=True)
class Reach:
    """What a route can raise."""

    raises: frozenset[Raised]
    texts: frozenset[str]

    def includes(self, name: str, status: int) -> bool:
        known = {given for raised, given in self.raises if raised == name}
        return (bool(known & {status, None})) if known else name in self.texts


@cache
def modules() -> dict[str, ast.Module]:
    """Returns the modules of the server by their full names."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        if parts[0] not in _OTHER_PROGRAMS:
            name = ".".join(("clearwindow", *(part for part in parts if part != "__init__")))
            found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def raised_in(tree: ast.AST) -> Iterator[Raised]:
    """Yields the names that are given to the constructors of errors, each with the status of its error."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and call.args and isinstance(call.args[0], ast.Constant):
            constructor, name = ast.unparse(call.func), call.args[0].value
            if isinstance(name, str) and (constructor in KINDS or constructor in _CHOSEN_BY_CALLER):
                yield name, KINDS.get(constructor)


def by_operation() -> dict[str, Reach]:
    """Returns what each operation can raise, by its id."""
    nodes = _nodes()
    return {operation: _reach(nodes, node) for operation, node in _routes()}


@cache
def _nodes() -> dict[str, Node]:
    nodes = {}
    for module, tree in modules().items():
        names = _names_in(module, tree)
        for definition in tree.body:
            for name in _defined(definition):
                nodes[f"{module}.{name}"] = _node(definition, names)
    return nodes


def _routes() -> Iterator[tuple[str, Node]]:
    for module, tree in modules().items():
        names = _names_in(module, tree)
        for definition in ast.walk(tree):
            if not isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for decorator in definition.decorator_list:
                called = decorator.func if isinstance(decorator, ast.Call) else None
                if isinstance(called, ast.Attribute) and called.attr in _METHODS:
                    yield _operation_id(definition.name, decorator), _node(definition, names)


def _operation_id(function: str, decorator: ast.expr) -> str:
    given = decorator.keywords if isinstance(decorator, ast.Call) else []
    ids = {one.arg: str(ast.literal_eval(one.value)) for one in given if one.arg in {"operation_id", "name"}}
    return ids.get("operation_id") or to_camel(ids.get("name", function))


def _names_in(module: str, tree: ast.Module) -> dict[str, str]:
    """Returns the full name of each name in a module."""
    names = {name: f"{module}.{name}" for definition in tree.body for name in _defined(definition)}
    for statement in ast.walk(tree):
        if isinstance(statement, ast.ImportFrom):
            names |= {one.asname or one.name: f"{statement.module}.{one.name}" for one in statement.names}
    return names


def _defined(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def _node(definition: ast.stmt, names: dict[str, str]) -> Node:
    node = Node(raises=set(raised_in(definition)))
    decorators = getattr(definition, "decorator_list", [])
    # A decorator shows what a route documents, not what it does.
    parts = [
        part for child in ast.iter_child_nodes(definition) if child not in decorators for part in ast.walk(child)
    ]
    for part in parts:
        if isinstance(part, ast.Name) and part.id in names:
            node.leads_to.add(names[part.id])
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id in names:
            node.leads_to.add(f"{names[part.value.id]}.{part.attr}")
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value in error_codes():
            node.texts.add(part.value)
    return node


def _reach(nodes: dict[str, Node], start: Node) -> Reach:
    seen: set[str] = set()
    raises, texts, ahead = set(start.raises), set(start.texts), set(start.leads_to)
    while ahead:
        name = ahead.pop()
        if name in seen or name not in nodes or name.startswith(_IN_COMMON):
            continue
        seen.add(name)
        raises |= nodes[name].raises
        texts |= nodes[name].texts
        ahead |= nodes[name].leads_to
    return Reach(frozenset(raises), frozenset(texts))
