"""Law 12: every order ends once."""

from __future__ import annotations

import pytest

from world.plants import caught


@pytest.mark.law(12)
@pytest.mark.parametrize("name", ["no reconcile"])
def test_law_12_notices(name: str) -> None:
    """A bot that breaks it is caught; tests/world/test_seeds.py shows that ours is not."""
    found = caught(name)
    assert found is not None
    assert found[1].law == 12
