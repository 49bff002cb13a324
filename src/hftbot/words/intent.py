"""What a strategy wants."""

from __future__ import annotations

from hftbot.words.market import Side
from hftbot.words.order import Tif


class Intent:
    """A wish to trade: not yet allowed, not yet named.

    ``created_us`` is wall-clock microseconds (0 = when it is submitted); ``ttl_us`` how long the
    wish stays valid (0 = QUOTE_REFRESH_TTL_MS of the run). An Intent past its ttl is never sent.
    """

    __slots__ = ("created_us", "instrument", "lots", "post_only", "reason", "side", "ticks",
                 "tif", "ttl_us")

    def __init__(self, instrument: int, side: int = Side.BUY, ticks: int = 0, lots: int = 0,
                 tif: int = Tif.IOC, *, post_only: bool = False, created_us: int = 0,
                 ttl_us: int = 0, reason: str = "", created_ts: int | None = None) -> None:
        self.instrument = instrument
        self.side = side
        self.ticks = ticks
        self.lots = lots
        self.tif = tif
        self.post_only = post_only
        self.created_us = created_us if created_ts is None else created_ts
        self.ttl_us = ttl_us
        self.reason = reason

    @property
    def created_ts(self) -> int:
        """Wall-clock microseconds of its creation."""
        return self.created_us

    @property
    def ts(self) -> int:
        """Wall-clock microseconds of its creation."""
        return self.created_us

    def expired(self, now_us: int) -> bool:
        """True if the wish is older than its ttl."""
        return self.ttl_us > 0 and now_us - self.created_us > self.ttl_us

    def __repr__(self) -> str:
        return (f"Intent(instrument={self.instrument}, side={Side(self.side).name}, "
                f"ticks={self.ticks}, lots={self.lots}, tif={Tif(self.tif).name}, "
                f"created_us={self.created_us}, ttl_us={self.ttl_us}, reason={self.reason!r})")
