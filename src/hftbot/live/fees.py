"""What an account pays: its own fees by market, as the venue tells them at the start."""

from __future__ import annotations

from collections.abc import Sequence

from hftbot.errors import VenueError
from hftbot.live.rest_client import RestClient
from hftbot.venue.kraken import rest

Fees = dict[str, tuple[int, int]]


async def account_fees(client: RestClient, symbols: Sequence[str]) -> Fees:
    """Symbol to (maker, taker), in millionths of the traded value; a negative fee is a rebate.

    Raises VenueError if the venue does not answer, or tells no fee of one of the symbols.
    """
    pairs = [pair for pair in await client.ask(rest.asset_pairs(), rest.asset_pairs_answer)
             if pair.symbol in symbols]
    told = await client.ask(rest.trade_volume([pair.altname for pair in pairs]),
                            rest.trade_volume_answer)
    by_name = {row.pair: row for row in told.fees}
    found: Fees = {}
    for pair in pairs:
        for name in (pair.name, pair.altname, pair.symbol):
            if name in by_name:
                found[pair.symbol] = (by_name[name].maker_fee_e6, by_name[name].taker_fee_e6)
    missing = [symbol for symbol in symbols if symbol not in found]
    if missing:
        raise VenueError(f"TradeVolume tells no fee of {', '.join(missing)}")
    return found
