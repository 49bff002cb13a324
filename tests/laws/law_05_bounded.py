"""Law 5: position, working and doubtful orders stay within the limits."""

from __future__ import annotations

import pytest

from world.plants import caught


@pytest.mark.law(5)
@pytest.mark.parametrize("name", ["limit that is none"])
def test_law_5_notices(name: str) -> None:
    """A bot that breaks it is caught; tests/world/test_seeds.py shows that ours is not."""
    found = caught(name)
    assert found is not None
    assert found[1].law == 5
