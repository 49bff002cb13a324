"""Law 1: no bytes of an order leave unless the journal names it."""

from __future__ import annotations

import pytest

from world.plants import caught


@pytest.mark.law(1)
@pytest.mark.parametrize("name", ["order sent before the journal"])
def test_law_1_notices(name: str) -> None:
    """A bot that breaks it is caught; tests/world/test_seeds.py shows that ours is not."""
    found = caught(name)
    assert found is not None
    assert found[1].law == 1
