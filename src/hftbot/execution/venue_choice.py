"""Which venue stands behind the door."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hftbot.errors import ConfigError
from hftbot.execution.market import DEFAULT_SYMBOLS, WIDE, DoorVenue

EMBEDDED, PAPER = ("embedded", "sim"), "paper"
# Paper keeps the product's own delays: its orders compete with a real market.
WIDE_PAPER = {name: text for name, text in WIDE.items()
              if not name.startswith(("SIM_NETWORK", "SIM_ENGINE"))} | {"VENUE": "paper"}


def choose(engine: Any, connector: Any, backtesting: bool, symbols: Sequence[str] | None,
           settings: Mapping[str, Any], data: Any, state_dir: Any) -> DoorVenue:
    """The venue of an engine, not opened yet. Raises ConfigError.

    A backtest is its own venue, whatever the connector: that one is for the live engine.
    """
    if isinstance(symbols, str):
        symbols = (symbols,)
    if backtesting:
        from hftbot.execution.simulated_venue import SimulatedVenue
        venue = SimulatedVenue(engine, engine, settings, WIDE, data)
        venue.busy, venue.running = engine.busy_runners, engine.strategies_run
        return venue
    if data is not None:
        raise ConfigError("data= is a recording to trade in: it needs enable_backtesting=True")
    if connector is None or isinstance(connector, str):
        url = _url(connector)
        from hftbot.execution.embedded_venue import EmbeddedVenue
        return EmbeddedVenue(engine, settings, WIDE_PAPER if connector == PAPER else WIDE,
                             symbols or DEFAULT_SYMBOLS, url, state_dir)
    if not callable(getattr(connector, "create_order", None)):
        raise ConfigError(f"exchange_connector is a {type(connector).__name__}: give None or "
                          "'embedded' for the embedded exchange, its URL, or a ccxt exchange "
                          "object")
    from hftbot.execution.client_venue import ClientVenue
    return ClientVenue(engine, connector, settings, symbols, state_dir)


def _url(name: str | None) -> str | None:
    """The address in a venue's name, if it is one. Raises ConfigError for venues it cannot be."""
    if name is None or name == PAPER or name in EMBEDDED:
        return None
    if name.startswith(("http://", "https://")):
        return name
    raise ConfigError(f"exchange_connector {name[:40]!r}: give 'embedded', 'paper', the URL that "
                      "`hftbot exchange` prints, or a ccxt exchange object; a real account is "
                      "traded by `hftbot run` with VENUE=live, which has a guardian")
