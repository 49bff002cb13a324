"""Twelve defects and more, each planted and each found by the laws within 50 seeds."""

from __future__ import annotations

import pytest

from world.plants import PLANTS, caught


@pytest.mark.long
@pytest.mark.timeout(900)
def test_every_planted_bug_is_caught() -> None:
    """What finds each is printed. The law files plant them one by one every day."""
    found = {name: caught(name) for name in PLANTS}
    for name, what in found.items():
        print(f"planted: {name}: " + (f"seed {what[0]}, {what[1]}" if what else "NOT caught"))
    print(f"planted bugs: {sum(what is not None for what in found.values())} of {len(PLANTS)}")
    assert len(PLANTS) >= 12
    assert all(found.values())
