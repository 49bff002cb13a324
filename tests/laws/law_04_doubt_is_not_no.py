"""Law 4: an order in doubt is neither sent again nor given up."""

from __future__ import annotations

import pytest

from world.plants import caught


@pytest.mark.law(4)
@pytest.mark.parametrize("name", ["new id on retry", "timeout means no"])
def test_law_4_notices(name: str) -> None:
    """A bot that breaks it is caught; tests/world/test_seeds.py shows that ours is not."""
    found = caught(name)
    assert found is not None
    assert found[1].law == 4
