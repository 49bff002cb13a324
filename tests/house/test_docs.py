"""The generated pages are what the code says now."""

from __future__ import annotations

import importlib.util
import pathlib

import pytest

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"


def generator():
    """docs/generate.py as a module."""
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["words.md", "verdicts.md"])
def test_page_is_current(page: str) -> None:
    assert (DOCS / page).read_text(encoding="utf-8") == generator().PAGES[page](), \
        "run: python docs/generate.py"


def test_every_verdict_is_explained() -> None:
    from hftbot.words.verdict import EXPLAINED, Verdict
    assert set(EXPLAINED) == set(Verdict) - {Verdict.ALLOW}
