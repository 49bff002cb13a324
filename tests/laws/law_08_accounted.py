"""Law 8: what comes in is applied or counted, and queues are bounded."""

from __future__ import annotations

import pytest

from world.plants import caught


@pytest.mark.law(8)
@pytest.mark.parametrize("name", ["every hundredth frame lost"])
def test_law_8_notices(name: str) -> None:
    """A bot that breaks it is caught; tests/world/test_seeds.py shows that ours is not."""
    found = caught(name)
    assert found is not None
    assert found[1].law == 8
