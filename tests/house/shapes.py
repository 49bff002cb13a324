"""Sizes, names and unfinished work."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

from tree import Source, Tree

FUNCTION_LINES = 70
LINE_COLUMNS = 100
FILE_LINES = {".py": 500, ".pyi": 500, ".pyx": 700, ".pxd": 200, ".hpp": 700, ".cpp": 700}
MAKE_TARGETS = 12
BANNED_FILES = {"utils", "util", "helpers", "helper", "common", "base", "misc", "manager", "core",
                "data"}
FILES_ALLOWED = {"hftbot.backtest.data"}
BANNED_IN_CLASSES = {"Manager": "say what it does", "Helper": "say what it does",
                     "Utils": "say what it does", "Util": "say what it does",
                     "Handler": "on_<event> methods need no class",
                     "Impl": "the class is the thing"}
CLASSES_ALLOWED = {"QueuePositionManager"}  # the handbook's name
SHORT = {"cfg": "settings", "mgr": "the thing itself", "idx": "index", "msg": "message",
         "buf": "buffer", "ctx": "context", "cnt": "count", "amt": "amount", "evt": "event",
         "px": "ticks", "vol": "volume or volatility", "calc": "the result's own name",
         "addr": "address", "tmp": "the thing itself", "strat": "strategy", "pos": "position",
         "ord": "order", "instr": "instrument", "conn": "connection", "sess": "session"}
SHORT_ALLOWED = {"ord", "calc"}  # the builtin; the seed's tracker fair_price_calc
MILLISECONDS = re.compile(r"(^|_)ms(_|$)")
MILLISECOND_ROOMS = ("hftbot.config", "hftbot.app.load")
WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*")


def small_enough(tree: Tree) -> Iterator[str]:
    """Functions, files and lines fit on a page."""
    for file in tree.code:
        limit = FILE_LINES.get(file.suffix)
        if limit and len(file.lines) > limit:
            yield f"{file.shown}:{len(file.lines)}: longer than {limit} lines"
        for start, name, length in file.functions:
            if length > FUNCTION_LINES:
                yield f"{file.shown}:{start}: {name} is {length} lines, at most {FUNCTION_LINES}"
        for number, line in enumerate(file.lines, 1):
            if len(line) > LINE_COLUMNS:
                yield f"{file.shown}:{number}: {len(line)} columns, at most {LINE_COLUMNS}"


def few_make_targets(tree: Tree) -> Iterator[str]:
    """The Makefile stays a short list."""
    makefile = tree.named("Makefile")
    targets = re.findall(r"^([\w-]+):", makefile.text, re.M) if makefile else []
    if len(targets) > MAKE_TARGETS:
        yield f"Makefile:1: {len(targets)} targets, at most {MAKE_TARGETS}"


def file_names(tree: Tree) -> Iterator[str]:
    """A file is a noun in snake case; utils, helpers and their kin say nothing."""
    for file in tree.code:
        stem = file.path.name.split(".")[0]
        if stem in BANNED_FILES and file.module not in FILES_ALLOWED:
            yield f"{file.shown}:1: a file may not be called {stem}"
        if file.module and not re.fullmatch(r"_*[a-z][a-z0-9_]*", stem.strip("_")):
            yield f"{file.shown}:1: file names are snake case"
        parts = file.module.split(".")
        if parts[:2] == ["hftbot", "venue"] and len(parts) > 3 and parts[2] in parts[3]:
            yield f"{file.shown}:1: no venue prefix inside a venue's folder"


def identifiers(file: Source) -> Iterator[tuple[int, str]]:
    """(line, name) of every name that a file defines; what it only uses has its own owner."""
    for node in file.nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
    if file.suffix in {".pyx", ".pxd"}:
        for number, line in enumerate(file.lines, 1):
            code = re.sub(r"'[^']*'|\"[^\"]*\"", "", line).split("#")[0]
            for name in WORD.findall(code):
                yield number, name


def units_last(tree: Tree) -> Iterator[str]:
    """Inside the house time is _us, _ns or _s; _ms stops at the config door."""
    for file in tree.product:
        if file.module.startswith(MILLISECOND_ROOMS):
            continue
        for line, name in identifiers(file):
            if MILLISECONDS.search(name.lower()) and not name.isupper():
                yield f"{file.shown}:{line}: {name} is in milliseconds; use _us, _ns or _s"


def full_words(tree: Tree) -> Iterator[str]:
    """Names are whole words of the vocabulary."""
    for file in tree.product:
        for line, name in identifiers(file):
            for part in name.lower().split("_"):
                if part in SHORT and part not in SHORT_ALLOWED:
                    yield f"{file.shown}:{line}: {name}: write {SHORT[part]} for {part}"


def class_names(tree: Tree) -> Iterator[str]:
    """A class is named after the thing, not after the pattern."""
    for file in tree.product:
        for node in file.nodes:
            if isinstance(node, ast.ClassDef) and node.name not in CLASSES_ALLOWED:
                for word, instead in BANNED_IN_CLASSES.items():
                    if node.name.endswith(word) or f"{word}_" in node.name:
                        yield f"{file.shown}:{node.lineno}: {node.name}: no {word}; {instead}"


UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK",
                                           r"raise NotImplemented" + "Error"]) + r")\b")


def finished(tree: Tree) -> Iterator[str]:
    """No open ends, no stubs."""
    for file in tree.code:
        for number, line in enumerate(file.lines, 1):
            if match := UNFINISHED.search(line):
                yield f"{file.shown}:{number}: {match.group(1)} is left open"
    for file in tree.product:
        if file.suffix == ".py":
            yield from _stubs(file)


def _stubs(file: Source) -> Iterator[str]:
    protocols = {child for node in file.nodes if isinstance(node, ast.ClassDef)
                 and any("Protocol" in ast.unparse(parent) for parent in node.bases)
                 for child in node.body}
    for node in file.nodes:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) \
                or node in protocols or _is_declaration(node):
            continue
        body = [line for line in node.body if not _is_docstring(line)]
        if body and all(isinstance(line, ast.Pass) or _is_ellipsis(line) for line in body):
            yield f"{file.shown}:{node.lineno}: {node.name} is an empty stub"


def _is_declaration(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    marks = " ".join(ast.unparse(mark) for mark in node.decorator_list)
    return "overload" in marks or "abstractmethod" in marks


def _is_docstring(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) \
        and isinstance(line.value.value, str)


def _is_ellipsis(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) \
        and line.value.value is ...


# Written in pieces, so that this file does not find itself.
MACHINE = re.compile("|".join([
    "/wo" + r"rk/", "/ro" + r"ot/", r"/ho" + r"me/\w+/", "/op" + "t/wheels", "bash" + "_jobs",
    "cla" + "ude", "anth" + "ropic", "chat" + "gpt", "co" + "pilot", "open" + "ai",
    r"sub-?" + "agent", r"\bAI " + "agent", r"language " + "model", r"\bL" + r"LM\b",
    r"work" + "tree", r"the " + r"lead\b",
]), re.I)


def speaks_of_the_project_only(tree: Tree) -> Iterator[str]:
    """No word about the tools, people or machine that happened to build it."""
    for file in tree.files:
        for number, line in enumerate(file.lines, 1):
            if match := MACHINE.search(line):
                yield f"{file.shown}:{number}: {match.group(0)!r} is not about the project"


def comments_are_sentences(tree: Tree) -> Iterator[str]:
    """No commented-out code: a comment that parses as a statement is code."""
    for file in tree.product:
        if file.suffix != ".py":
            continue
        for token in tokenize.generate_tokens(io.StringIO(file.text).readline):
            if token.type == tokenize.COMMENT and _is_code(token.string.lstrip("#! ")):
                yield f"{file.shown}:{token.start[0]}: commented-out code"


CODE = re.compile(r"^\w+\(.*\)$|^\w[\w.\[\]]* = .+|^(return|import|from|del|assert) \S")


def _is_code(comment: str) -> bool:
    if not CODE.search(comment):
        return False
    try:
        ast.parse(comment)
    except SyntaxError:
        return False
    return True


RULES = (small_enough, few_make_targets, file_names, units_last, full_words, class_names, finished,
         speaks_of_the_project_only, comments_are_sentences)
