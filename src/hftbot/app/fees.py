"""What the account of a run pays, where that is known from, and what base fees would mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path

from hftbot.app.children import Endpoint
from hftbot.config.fee_schedules import rates_e6
from hftbot.config.schema import Settings
from hftbot.errors import VenueError
from hftbot.live.clock import SystemClock
from hftbot.live.fees import account_fees
from hftbot.live.rest_client import RestClient
from hftbot.store.nonce_file import NonceFile, Nonces
from hftbot.wire.http import HttpClient

Rates = tuple[int, int]
BASE = "kraken"


async def ask_fees(endpoint: Endpoint, symbols: Sequence[str], folder: Path,
                   configured: Callable[[str], Rates],
                   warn: Callable[[str], None]) -> tuple[dict[str, Rates], str]:
    """Symbol to (maker, taker) in millionths, and one line that says where they are from.

    What the venue does not tell is taken from the configuration, with a warning.
    """
    client = HttpClient()
    nonces = NonceFile(folder, endpoint.api_key)
    clock = SystemClock()
    try:
        asker = RestClient(client, endpoint.rest_url, endpoint.api_key, endpoint.api_secret,
                           Nonces(nonces, lambda: clock.now_us() * 1000, warn))
        fees = await account_fees(asker, symbols)
        return fees, f"the venue tells {rates_text(fees)}"
    except VenueError as error:
        warn(f"the account's fees are taken from the configuration: {error}")
        fees = {symbol: configured(symbol) for symbol in symbols}
        return fees, f"not told by the venue ({error}), so FEES counts: {rates_text(fees)}"
    finally:
        nonces.close()
        await client.close()


def rates_text(fees: Mapping[str, Rates]) -> str:
    """Maker and taker fees in percent, once for all symbols that share them."""
    shared: dict[Rates, list[str]] = {}
    for symbol, rates in fees.items():
        shared.setdefault(rates, []).append(symbol)
    parts = [f"{_percent(maker)} maker and {_percent(taker)} taker"
             + (f" for {', '.join(symbols)}" if len(shared) > 1 else "")
             for (maker, taker), symbols in shared.items()]
    return "; ".join(parts)


def base_rates(symbol: str) -> Rates:
    """Maker and taker fee of a new account by the venue's public schedule, in millionths."""
    return rates_e6(BASE, symbol)


def base_text(settings: Settings, fees: Mapping[str, Rates]) -> str:
    """What this run's round trip would cost at base fees; empty if it pays them."""
    lines: dict[str, list[str]] = {}
    for symbol, paid in fees.items():
        maker, taker = base_rates(symbol)
        if paid == (maker, taker):
            continue
        entry = maker if settings.entry_order == "post_only" else taker
        ends_e6 = settings.profit_target_e6 - entry - taker
        lines.setdefault(f"{_percent(entry)} + {_percent(taker)} = {_percent(entry + taker)} a "
                         f"round trip: a target of {_percent(settings.profit_target_e6)} would "
                         f"end at {_percent(ends_e6)}", []).append(symbol)
    if len(lines) == 1:
        return next(iter(lines))
    return "; ".join(f"{', '.join(symbols)} {line}" for line, symbols in lines.items())


def _percent(ratio_e6: int) -> str:
    return f"{(Decimal(ratio_e6) / 10_000).normalize():f} %"
