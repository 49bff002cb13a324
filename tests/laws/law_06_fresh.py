"""Law 6: no order is priced from an old or suspect book."""

from __future__ import annotations

import pytest

from world.plants import caught


@pytest.mark.law(6)
@pytest.mark.parametrize("name", ["stale book"])
def test_law_6_notices(name: str) -> None:
    """A bot that breaks it is caught; tests/world/test_seeds.py shows that ours is not."""
    found = caught(name)
    assert found is not None
    assert found[1].law == 6
