"""The fill list of a backtest as text: the same bytes on every interpreter."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from hftbot.backtest.result import BacktestResult, SimAsset
from hftbot.words.market import Side

HEADER = "seen_ns,exch_ns,symbol,order_id,side,ticks,lots,price,size,maker,fee"


def fills_text(result: BacktestResult) -> str:
    """All fills as CSV, in the order in which they were seen.

    ``order_id`` is the ClientId; price, size and fee are in quote and base units.
    """
    return "\n".join(_lines(result)) + "\n"


def _lines(result: BacktestResult) -> Iterator[str]:
    steps = [(_exact(asset.tick_size), _exact(asset.lot_size)) for asset in result.assets]
    yield HEADER
    for fill in result.fills:
        asset: SimAsset = result.assets[fill.asset]
        tick, lot = steps[fill.asset]
        yield (f"{fill.seen_ns},{fill.exch_ns},{asset.symbol},{fill.order_id},"
               f"{Side(fill.side).name.lower()},{fill.ticks},{fill.lots},{fill.ticks * tick:f},"
               f"{fill.lots * lot:f},{int(fill.maker)},{fill.fee:.10f}")


def _exact(step: float) -> Decimal:
    return Decimal(repr(step))
