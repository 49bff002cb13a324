"""Law 2: a fill changes the position exactly once."""

from __future__ import annotations

import pytest

from world.plants import caught


@pytest.mark.law(2)
@pytest.mark.parametrize("name", ["no fill dedupe", "one lot less"])
def test_law_2_notices(name: str) -> None:
    """A bot that breaks it is caught; tests/world/test_seeds.py shows that ours is not."""
    found = caught(name)
    assert found is not None
    assert found[1].law == 2
