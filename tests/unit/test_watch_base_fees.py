"""What the same fills would have cost at base fees."""

from __future__ import annotations

import pytest

from hftbot.watch.base_fees import BaseFees


def test_every_fill_is_charged_at_its_own_rate() -> None:
    rates = {"BTC/USD": (2_500, 4_000), "USDT/USD": (2_000, 2_000)}
    base = BaseFees(rates.__getitem__)
    assert base.fees_usd == 0
    base.add_fill("BTC/USD", 100.0, maker=False)
    base.add_fill("BTC/USD", 100.0, maker=True)
    base.add_fill("USDT/USD", 50.0, maker=False)
    assert base.fees_usd == pytest.approx(0.4 + 0.25 + 0.1)
