"""Finds a strategy by its built-in name or in a user's own file."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from hftbot.errors import ConfigError
from hftbot.words.ports import Strategy

BUILT_IN = {"micro_scalper": ("hftbot.strategy.micro_scalper", "MicroScalper"),
            "spread_maker": ("hftbot.strategy.spread_maker", "SpreadMaker")}


def load(spec: str) -> type[Strategy]:
    """The class named by ``spec``: a built-in name, or ``path/to/file.py:Class``.

    The class may be left out if the file defines exactly one strategy. The file is run, as any
    Python program is. Raises ConfigError that names the file and line of what is wrong.
    """
    text = spec.strip()
    if text in BUILT_IN:
        module_name, class_name = BUILT_IN[text]
        found: type[Strategy] = getattr(importlib.import_module(module_name), class_name)
        return found
    path_text, class_name = _parts(text)
    if not path_text.endswith(".py"):
        raise ConfigError(_unknown(text))
    path = Path(path_text).expanduser()
    if not path.is_file():
        raise ConfigError(f"STRATEGY: {text!r}: there is no file {path} here")
    return _class_in(_run_file(path), path, class_name)


def _parts(text: str) -> tuple[str, str]:
    path_text, colon, class_name = text.rpartition(":")
    if not colon or "/" in class_name or "\\" in class_name or class_name.endswith(".py"):
        return text, ""
    if not class_name:
        raise ConfigError(f"STRATEGY: {text!r}: the name of a class must follow the colon")
    return path_text, class_name


def _unknown(text: str) -> str:
    near = difflib.get_close_matches(text, BUILT_IN, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return (f"STRATEGY: {text!r} is neither a built-in strategy ({', '.join(sorted(BUILT_IN))}) "
            f"nor of the form path/to/file.py:Class{hint}")


def _run_file(path: Path) -> ModuleType:
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    name = f"hftbot_user_strategy_{digest}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(f"STRATEGY: {path} cannot be loaded as a Python file")
    module = importlib.util.module_from_spec(spec)
    # Registered first, as an import would do: dataclasses and pickling look the module up.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        sys.modules.pop(name, None)
        raise
    except BaseException as error:
        sys.modules.pop(name, None)
        raise ConfigError(f"STRATEGY: {_place(path, error)}: {type(error).__name__}: "
                          f"{_first_line(error)}") from error
    return module


def _place(path: Path, error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{path}, line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__)
             if frame.filename == str(path)]
    return f"{path}, line {lines[-1]}" if lines else str(path)


def _first_line(error: BaseException) -> str:
    # A syntax error's text repeats its place, its first argument does not.
    text = str(error.args[0] if isinstance(error, SyntaxError) else error)
    return text.splitlines()[0] if text else "no message"


def _class_in(module: ModuleType, path: Path, class_name: str) -> type[Strategy]:
    own = {name: member for name, member in vars(module).items()
           if isinstance(member, type) and issubclass(member, Strategy)
           and member.__module__ == module.__name__}
    names = ", ".join(own) or "none"
    if not class_name:
        if len(own) == 1:
            return next(iter(own.values()))
        raise ConfigError(f"STRATEGY: {path} must be followed by :Class; strategies in it: {names}")
    member = vars(module).get(class_name)
    if member is None:
        near = difflib.get_close_matches(class_name, own, n=1)
        hint = f"; did you mean {near[0]}?" if near else f" (strategies in it: {names})"
        raise ConfigError(f"STRATEGY: {path} defines no {class_name}{hint}")
    if not (isinstance(member, type) and issubclass(member, Strategy)):
        raise ConfigError(f"STRATEGY: {class_name} in {path} is not a class derived from "
                          "hftbot.Strategy")
    return member
