"""Rows and messages of the instrument channel."""

from __future__ import annotations

from collections.abc import Iterable

from hftbot.exchange.kraken_text import ListingText, quoted


def instrument_frame(kind: str, assets: Iterable[str], pairs: Iterable[str]) -> str:
    """An instrument message; an update has the changed rows only."""
    return (f'{{"channel":"instrument","type":"{kind}","data":{{"assets":[{",".join(assets)}],'
            f'"pairs":[{",".join(pairs)}]}}}}')


def asset_row(asset: str) -> str:
    """One asset of the instrument snapshot."""
    precision, display = (4, 2) if asset in ("USD", "EUR") else (10, 5)
    return (f'{{"id":{quoted(asset)},"status":"enabled","precision":{precision},'
            f'"precision_display":{display},"borrowable":false,"collateral_value":1.00,'
            f'"margin_rate":0.000000}}')


def pair_row(text: ListingText, mode: str) -> str:
    """One pair of the instrument channel."""
    listing = text.listing
    tick = text.increment(listing.tick_units, listing.price_precision)
    lot = text.increment(listing.lot_units, listing.qty_precision)
    minimum = text.increment(listing.lots_min * listing.lot_units, listing.qty_precision)
    return (f'{{"symbol":{text.symbol},"base":{quoted(listing.base)},'
            f'"quote":{quoted(listing.quote)},"status":"{mode}",'
            f'"qty_precision":{listing.qty_precision},"qty_increment":{lot},'
            f'"price_precision":{listing.price_precision},"cost_precision":5,'
            f'"ws_display_price_precision":{listing.price_precision},'
            f'"marginable":false,"has_index":false,"cost_min":{listing.cost_min},'
            f'"tick_size":{tick},"price_increment":{tick},"qty_min":{minimum}}}')
