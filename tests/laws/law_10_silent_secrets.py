"""Law 10: no output holds a secret."""

from __future__ import annotations

import pytest

from world.plants import caught


@pytest.mark.law(10)
@pytest.mark.parametrize("name", ["secret in a note"])
def test_law_10_notices(name: str) -> None:
    """A bot that breaks it is caught; tests/world/test_seeds.py shows that ours is not."""
    found = caught(name)
    assert found is not None
    assert found[1].law == 10
