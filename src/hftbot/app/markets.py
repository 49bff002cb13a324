"""``hftbot markets``: what can be traded, on which grid, from which size."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

from hftbot.app.access import tls_context
from hftbot.config.schema import Settings
from hftbot.errors import ConfigError
from hftbot.exchange.settings import LISTINGS
from hftbot.live.rest_client import ANSWER_S
from hftbot.venue.kraken import rest
from hftbot.wire.http import HttpClient

WIDTHS = (16, 14, 16, 16, 12)


def command(settings: Settings, quote: str | None, live: bool, json_wanted: bool) -> int:
    """Print the markets of the embedded exchange, or with ``live`` those of the real venue.

    Needs no key. Raises VenueError if the venue cannot be asked, ConfigError for a quote asset
    that nothing is paid with.
    """
    rows = asyncio.run(listed(settings)) if live else embedded()
    if quote is not None:
        known = sorted({row["quote"] for row in rows})
        rows = [row for row in rows if row["quote"] == quote.strip().upper()]
        if not rows:
            raise ConfigError(f"--quote {quote[:20]}: no market is paid in it; there are "
                              f"{', '.join(known[:20])}")
    rows.sort(key=lambda row: str(row["symbol"]))
    if json_wanted:
        print(json.dumps({"venue": settings.kraken_rest_url if live else "embedded",
                          "markets": rows}, indent=2))
        return 0
    names = ("symbol", "tick", "smallest size", "smallest cost", "status")
    print("".join(f"{name:<{width}}" for name, width in zip(names, WIDTHS, strict=True)).rstrip())
    for row in rows:
        cells = (row["symbol"], row["tick_size"], row["qty_min"], row["cost_min"], row["status"])
        print("".join(f"{cell:<{width}}" for cell, width in
                      zip(cells, WIDTHS, strict=True)).rstrip())
    print(f"{len(rows)} markets of " + (settings.kraken_rest_url if live else
                                        "the embedded exchange; --live asks the real venue"))
    return 0


async def listed(settings: Settings) -> list[dict[str, Any]]:
    """The real venue's pairs."""
    client = HttpClient(tls_context(settings.kraken_ca_file))
    try:
        call = rest.asset_pairs()
        pairs = rest.asset_pairs_answer(*await client.request(
            "GET", settings.kraken_rest_url + call.target, {"User-Agent": "hftbot"}, b"",
            ANSWER_S))
    finally:
        await client.close()
    return [_row(pair.symbol, pair.tick_size, pair.qty_min, pair.cost_min, pair.status)
            for pair in pairs]


def embedded() -> list[dict[str, Any]]:
    """What the embedded exchange can list."""
    return [_row(symbol, Decimal(listing.tick_units).scaleb(-listing.price_precision),
                 Decimal(listing.lots_min * listing.lot_units).scaleb(-listing.qty_precision),
                 Decimal(str(listing.cost_min)), "online")
            for symbol, listing in LISTINGS.items()]


def _row(symbol: str, tick: Decimal, qty_min: Decimal, cost_min: Decimal,
         status: str) -> dict[str, Any]:
    base, _, quote = symbol.partition("/")
    return {"symbol": symbol, "base": base, "quote": quote, "tick_size": f"{tick:f}",
            "qty_min": f"{qty_min:f}", "cost_min": f"{cost_min:f}", "status": status}
