"""Law 11: no self-trade, and nothing outside the market's mode."""

from __future__ import annotations

import pytest

from world.plants import caught


@pytest.mark.law(11)
@pytest.mark.parametrize("name", ["mode ignored"])
def test_law_11_notices(name: str) -> None:
    """A bot that breaks it is caught; tests/world/test_seeds.py shows that ours is not."""
    found = caught(name)
    assert found is not None
    assert found[1].law == 11
