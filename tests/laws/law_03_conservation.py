"""Law 3: position and cash equal the venue's once all is told."""

from __future__ import annotations

import pytest

from world.plants import caught


@pytest.mark.law(3)
@pytest.mark.parametrize("name", ["every seventh fill lost", "sign error on sell"])
def test_law_3_notices(name: str) -> None:
    """A bot that breaks it is caught; tests/world/test_seeds.py shows that ours is not."""
    found = caught(name)
    assert found is not None
    assert found[1].law == 3
