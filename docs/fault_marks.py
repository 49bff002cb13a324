"""Which tests carry which marks: found by reading the tests, nothing is imported or run."""

from __future__ import annotations

import ast
import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

KINDS = ("fault", "law")
PATTERNS = ("test_*.py", "law_*.py", "fuzz_*.py", "crash_*.py")


def marks(tests: pathlib.Path) -> dict[tuple[str, Any], list[str]]:
    """(kind, argument) to the tests that carry the mark, as ``folder/file.py::test``.

    A mark of a whole file is listed as the file. Raises ValueError where an argument is not
    written out.
    """
    found: dict[tuple[str, Any], list[str]] = {}
    paths = sorted({path for pattern in PATTERNS for path in tests.rglob(pattern)})
    for path in paths:
        shown = path.relative_to(tests).as_posix()
        for mark, test in _of_module(ast.parse(path.read_text(encoding="utf-8")), shown):
            names = found.setdefault(mark, [])
            if test not in names:
                names.append(test)
    return found


def _of_module(tree: ast.Module, shown: str) -> Iterator[tuple[tuple[str, Any], str]]:
    constants = dict(_assigned(tree.body))
    if "pytestmark" in constants:
        for mark in _in((constants["pytestmark"],), constants, shown):
            yield mark, shown
    yield from _of_body(tree.body, constants, shown, shown)


def _of_body(body: Iterable[ast.stmt], constants: dict[str, ast.expr], place: str,
             shown: str) -> Iterator[tuple[tuple[str, Any], str]]:
    """Tests and classes of tests."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if node.name.startswith("test"):
                for mark in _in(node.decorator_list, constants, shown):
                    yield mark, f"{place}::{node.name}"
        elif isinstance(node, ast.ClassDef):
            inside = f"{place}::{node.name}"
            whole = [*node.decorator_list,
                     *(value for name, value in _assigned(node.body) if name == "pytestmark")]
            for mark in _in(whole, constants, shown):
                yield mark, inside
            yield from _of_body(node.body, constants, inside, shown)


def _assigned(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for node in body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value
        elif (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
              and node.value is not None):
            yield node.target.id, node.value


def _in(nodes: Iterable[ast.expr], constants: dict[str, ast.expr],
        shown: str) -> Iterator[tuple[str, Any]]:
    """Marks anywhere in these expressions, and in the constants of the file that they name."""
    seen: set[str] = set()
    waiting: list[ast.AST] = list(nodes)
    while waiting:
        node = waiting.pop(0)
        waiting.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Name) and node.id in constants and node.id not in seen:
            seen.add(node.id)
            waiting.append(constants[node.id])
        if (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
                and node.func.attr in KINDS and ast.unparse(node.func.value).endswith("mark")):
            for argument in node.args:
                if not isinstance(argument, ast.Constant):
                    raise ValueError(f"{shown}:{node.lineno}: write the {node.func.attr} out")
                yield node.func.attr, argument.value
