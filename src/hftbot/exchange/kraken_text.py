"""Kraken's JSON text, put together from pieces: key order and number tokens as on the wire."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii

from hftbot.exchange.accounts import FEE_DECIMALS
from hftbot.exchange.settings import Listing

MONEY_DECIMALS = 10
TOKENS_KEPT = 20_000


def quoted(text: str) -> str:
    """A JSON string."""
    return encode_basestring_ascii(text)


def fixed(units: int, precision: int) -> str:
    """A decimal token with exactly ``precision`` fraction digits."""
    sign = "-" if units < 0 else ""
    digits = str(abs(units)).rjust(precision + 1, "0")
    return f"{sign}{digits[:-precision]}.{digits[-precision:]}" if precision else sign + digits


class Stamps:
    """RFC 3339 texts of wall-clock microseconds; the second's part is cached."""

    def __init__(self) -> None:
        self.second = -1
        self.prefix = ""
        self.last_us = -1
        self.last = ""

    def micro(self, now_us: int) -> str:
        """``2026-01-01T00:00:00.000001Z``."""
        if now_us == self.last_us:
            return self.last
        second, fraction = divmod(now_us, 1_000_000)
        if second != self.second:
            self.second = second
            self.prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        self.last_us, self.last = now_us, f"{self.prefix}{fraction:06d}Z"
        return self.last

    def nano(self, now_us: int) -> str:
        """``2026-01-01T00:00:00.000001000Z``."""
        return f"{self.micro(now_us)[:-1]}000Z"

    def whole(self, now_us: int) -> str:
        """``2026-01-01T00:00:00Z``."""
        return datetime.fromtimestamp(now_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class ListingText:
    """Number tokens of one listing, with small caches of prices and sizes."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self.symbol = quoted(listing.symbol)
        self.prices: dict[int, str] = {}
        self.sizes: dict[int, str] = {}
        self.no_cost = fixed(0, listing.value_exponent)
        self.no_average = fixed(0, listing.price_precision + 4)
        # What a report says of an order that nothing has happened to.
        self.no_fee = fixed(0, FEE_DECIMALS.get(listing.quote, 8))
        self.unspent = f'"cum_cost":{self.no_cost},"fee_usd_equiv":{self.no_fee}'
        self.unfilled = f'"cum_qty":{self.qty(0)},{self.unspent},"avg_price":{self.no_average}'

    def price(self, ticks: int) -> str:
        """Price token at full precision."""
        text = self.prices.get(ticks)
        if text is None:
            if len(self.prices) > TOKENS_KEPT:
                self.prices.clear()
            text = fixed(ticks * self.listing.tick_units, self.listing.price_precision)
            self.prices[ticks] = text
        return text

    def qty(self, lots: int) -> str:
        """Size token at full precision."""
        text = self.sizes.get(lots)
        if text is None:
            if len(self.sizes) > TOKENS_KEPT:
                self.sizes.clear()
            text = fixed(lots * self.listing.lot_units, self.listing.qty_precision)
            self.sizes[lots] = text
        return text

    def level(self, ticks: int, lots: int) -> str:
        """One level of a book message."""
        return f'{{"price":{self.price(ticks)},"qty":{self.qty(lots)}}}'

    def digits(self, ticks: int, lots: int) -> str:
        """One level as the checksum reads it: both numbers without point and leading zeros."""
        return f"{ticks * self.listing.tick_units}{lots * self.listing.lot_units}"

    def cost(self, tick_lots: int) -> str:
        """Price times size, exact."""
        if not tick_lots:
            return self.no_cost
        units = tick_lots * self.listing.tick_units * self.listing.lot_units
        return fixed(units, self.listing.value_exponent)

    def average(self, tick_lots: int, lots: int) -> str:
        """Average price of a filled size, rounded half up to the pair's precision plus four."""
        if not lots:
            return self.no_average
        units = (2 * tick_lots * self.listing.tick_units * 10_000 + lots) // (2 * lots)
        return fixed(units, self.listing.price_precision + 4)

    def increment(self, units: int, precision: int) -> str:
        """An increment as the instrument channel writes it: exponent form below 0.0001."""
        text = repr(units / float(10**precision))
        return text[:-2] if text.endswith(".0") else text


def checksum(asks: Sequence[str], bids: Sequence[str]) -> int:
    """CRC32 over the digits of the ten best asks, then the ten best bids."""
    return zlib.crc32("".join((*asks[:10], *bids[:10])).encode())


def money(amount_e10: int) -> str:
    """An amount of 1e-10 units."""
    return fixed(amount_e10, MONEY_DECIMALS)
