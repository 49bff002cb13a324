"""Interpreted twins of the compiled rooms, loaded beside them in one process.

``interpreted("fastcore.market.book")`` is the same source, run by the interpreter, and so is every
fastcore module that it imports; the compiled modules in ``sys.modules`` stay as they were. All
twins share one set of modules, so their classes fit each other. Where the rooms are interpreted
anyway (PyPy, FASTCORE_PURE=1) it is the ordinary import, and ``BOTH`` has one entry.

::

    import pytest
    from twins import BOTH, both, interpreted

    @pytest.mark.parametrize("room", both("fastcore.market.book"), ids=BOTH)
    def test_book(room):
        book = room.OrderBook()
"""

from __future__ import annotations

import importlib
import pathlib
import sys
from types import ModuleType

import fastcore

BOTH = ("compiled", "interpreted") if fastcore.compiled else ("interpreted",)

_twins: dict[str, ModuleType] = {}


def _family() -> dict[str, ModuleType]:
    return {name: module for name, module in sys.modules.items() if name.startswith("fastcore.")}


def _detach() -> None:
    """Forget every room, also as an attribute of the package (``from fastcore import x``)."""
    for name in _family():
        del sys.modules[name]
        if name.count(".") == 1:
            fastcore.__dict__.pop(name.partition(".")[2], None)


def _attach(family: dict[str, ModuleType]) -> None:
    for name, module in family.items():
        sys.modules[name] = module
        if name.count(".") == 1:
            setattr(fastcore, name.partition(".")[2], module)


def interpreted(module_name: str) -> ModuleType:
    """The interpreted module of that name; its fastcore imports are interpreted too."""
    if not fastcore.compiled:
        return importlib.import_module(module_name)
    if module_name not in _twins:
        ours = _family()
        finder = fastcore._SourceFinder()
        _detach()
        _attach(_twins)
        sys.meta_path.insert(0, finder)
        try:
            importlib.import_module(module_name)
        finally:
            sys.meta_path.remove(finder)
            _twins.update(_family())
            _detach()
            _attach(ours)
    return _twins[module_name]


def both(module_name: str) -> list[ModuleType]:
    """The module as it is imported and its interpreted twin, in the order of ``BOTH``.

    Raises ImportError if the first should be compiled and is not: comparing an interpreted module
    with itself would prove nothing.
    """
    module = importlib.import_module(module_name)
    if not fastcore.compiled:
        return [module]
    source = pathlib.Path(module.__file__ or "")
    if source.suffix == ".py" and source.with_suffix(".pxd").exists():
        raise ImportError(f"{module_name} is not compiled; run make inplace")
    return [module, interpreted(module_name)]
