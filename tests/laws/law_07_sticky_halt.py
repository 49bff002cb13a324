"""Law 7: after a halt no new risk leaves."""

from __future__ import annotations

import pytest

from world.plants import caught


@pytest.mark.law(7)
@pytest.mark.parametrize("name", ["halt that is forgotten"])
def test_law_7_notices(name: str) -> None:
    """A bot that breaks it is caught; tests/world/test_seeds.py shows that ours is not."""
    found = caught(name)
    assert found is not None
    assert found[1].law == 7
