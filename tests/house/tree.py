"""The project as the house rules see it: files, their text, their syntax trees, their imports."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

IGNORED = {".git", ".venv", "build", "dist", "__pycache__", ".mypy_cache", ".ruff_cache",
           ".pytest_cache", ".hypothesis", "hftbot-state", ".idea", ".vscode"}
WRITTEN = {".py", ".pyi", ".pyx", ".pxd", ".hpp", ".cpp", ".c", ".h", ".md", ".toml", ".txt",
           ".json", ".yaml", ".yml", ".sh", ".cfg", ".hft", ".env", ""}
CYTHON_IMPORT = re.compile(r"^\s*from\s+([\w.]+)\s+c?import\s+(.+)|^\s*c?import\s+([\w.]+)")
CYTHON_DEF = re.compile(r"^(\s*)(?:cpdef|cdef|def)\s+(?!class\b|extern\b|struct\b|enum\b)"
                        r"[^#=]*?(\w+)\s*\(")


@dataclass(frozen=True)
class Import:
    """One imported module, as an absolute dotted name, and the names taken from it."""

    line: int
    module: str
    names: tuple[str, ...] = ()


class Source:
    """One file. ``module`` is its dotted name if it lies under src, else empty."""

    def __init__(self, root: Path, path: Path) -> None:
        self.path = path
        self.shown = path.relative_to(root).as_posix()
        self.suffix = path.suffix
        inside = path.relative_to(root).parts
        self.module = ""
        if inside[0] == "src" and self.suffix in {".py", ".pyi", ".pyx", ".pxd"}:
            parts = [*inside[1:-1], path.stem]
            self.module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8", errors="replace")

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of a Python file; nothing for other languages."""
        if self.suffix not in {".py", ".pyi"}:
            return []
        return list(ast.walk(self.tree))

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, self.shown)

    @cached_property
    def package(self) -> str:
        if self.path.stem == "__init__":
            return self.module
        return self.module.rpartition(".")[0]

    @cached_property
    def imports(self) -> list[Import]:
        found = self._python_imports() if self.nodes else self._cython_imports()
        return [Import(i.line, i.module.removeprefix("cython.cimports."), i.names) for i in found]

    def _python_imports(self) -> Iterator[Import]:
        for node in self.nodes:
            if isinstance(node, ast.Import):
                for name in node.names:
                    yield Import(node.lineno, name.name)
            elif isinstance(node, ast.ImportFrom):
                module = self._absolute("." * node.level + (node.module or ""))
                yield Import(node.lineno, module, tuple(name.name for name in node.names))

    def _cython_imports(self) -> Iterator[Import]:
        if self.suffix not in {".pyx", ".pxd"}:
            return
        for number, line in enumerate(self.lines, 1):
            match = CYTHON_IMPORT.match(line)
            if match:
                names = re.findall(r"(\w+)(?:\s+as\s+\w+)?", match.group(2) or "")
                module = self._absolute(match.group(1) or match.group(3))
                yield Import(number, module, tuple(names))

    def _absolute(self, module: str) -> str:
        dots = len(module) - len(module.lstrip("."))
        if not dots:
            return module
        parts = self.package.split(".")
        kept = parts[: len(parts) - dots + 1]
        return ".".join([*kept, *filter(None, [module[dots:]])])

    @cached_property
    def functions(self) -> list[tuple[int, str, int]]:
        """(line, name, length in lines) of every function."""
        if self.nodes:
            return [(node.lineno, node.name, (node.end_lineno or node.lineno) - node.lineno + 1)
                    for node in self.nodes
                    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        if self.suffix != ".pyx":
            return []
        return [(number, match.group(2), self._indented(number, len(match.group(1))))
                for number, line in enumerate(self.lines, 1)
                if (match := CYTHON_DEF.match(line))]

    def _indented(self, start: int, indent: int) -> int:
        length = 1
        for offset, line in enumerate(self.lines[start:], 2):
            if not line.strip() or line.lstrip().startswith(")"):
                continue
            if len(line) - len(line.lstrip()) <= indent:
                break
            length = offset
        return length


class Tree:
    """All written files below a root, each read and parsed once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = [Source(root, path) for path in sorted(self._walk(root))]
        self.modules = {file.module for file in self.files if file.module}

    def _walk(self, folder: Path) -> Iterator[Path]:
        for path in folder.iterdir():
            if path.name in IGNORED or path.name.endswith(".egg-info"):
                continue
            if path.is_dir():
                yield from self._walk(path)
            elif path.suffix in WRITTEN and path.is_file():
                yield path

    def under(self, *folders: str) -> list[Source]:
        """Files of the given top folders."""
        return [file for file in self.files if file.shown.split("/")[0] in folders]

    @cached_property
    def code(self) -> list[Source]:
        """Everything that is programmed: the product, its tests, benches and scripts."""
        return [file for file in self.under("src", "tests", "bench", "docs", ".ci")
                if file.suffix in {".py", ".pyi", ".pyx", ".pxd", ".hpp", ".cpp", ".sh"}
                or file.shown == ".ci/run"]

    @cached_property
    def product(self) -> list[Source]:
        """Modules and declarations under src."""
        return [file for file in self.files if file.module]

    def named(self, shown: str) -> Source | None:
        """The file at a path, or None."""
        return next((file for file in self.files if file.shown == shown), None)

    def of_module(self, module: str) -> list[Source]:
        """The files that make up one dotted module."""
        return [file for file in self.product if file.module == module]
