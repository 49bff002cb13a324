"""Law 9: a replay of the journal gives the run's state."""

from __future__ import annotations

import pytest

from world.plants import caught


@pytest.mark.law(9)
@pytest.mark.parametrize("name", ["fill without a record"])
def test_law_9_notices(name: str) -> None:
    """A bot that breaks it is caught; tests/world/test_seeds.py shows that ours is not."""
    found = caught(name)
    assert found is not None
    assert found[1].law == 9
