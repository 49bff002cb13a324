"""hftbot: high-frequency trading with a compiled core and an embedded exchange.

The names that a strategy author needs are here; they load on first use, so that
``import hftbot`` stays cheap.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_DOORS = {
    "Strategy": "hftbot.words.ports",
    "Desk": "hftbot.words.ports",
    "Side": "hftbot.words.market",
    "BookTop": "hftbot.words.market",
    "BookTrust": "hftbot.words.market",
    "RefPrice": "hftbot.words.market",
    "Trade": "hftbot.words.market",
    "VenueMode": "hftbot.words.market",
    "Tif": "hftbot.words.order",
    "OpenOrder": "hftbot.words.order",
    "OrderState": "hftbot.words.order",
    "Intent": "hftbot.words.intent",
    "Instrument": "hftbot.words.instrument",
    "OrderFilled": "hftbot.words.events",
    "Verdict": "hftbot.words.verdict",
}

__all__ = ["__version__", *sorted(_DOORS)]


def __getattr__(name: str) -> Any:
    try:
        room = _DOORS[name]
    except KeyError:
        raise AttributeError(f"module 'hftbot' has no attribute {name!r}") from None
    return getattr(importlib.import_module(room), name)


def __dir__() -> list[str]:
    return __all__
