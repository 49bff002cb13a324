"""REST's public endpoints: clock, assets, pairs, books and trades."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hftbot.config.fee_schedules import schedule_of
from hftbot.exchange.kraken_text import ListingText, fixed
from hftbot.exchange.requests import ARGUMENTS, Refused
from hftbot.exchange.rest_form import Fields, decimal_of, list_of, text_of, whole_of
from hftbot.exchange.rest_names import (
    ASSET_DECIMALS,
    DECIMALS,
    altname,
    asset_key,
    pair_key,
    short,
    wsname,
)
from hftbot.exchange.settings import Listing

if TYPE_CHECKING:
    from hftbot.exchange.rest import Rest

TRADES_KEPT = 1_000
DEPTH_MAX = 500
# Books and trades show prices with at least so many decimals, and sizes of levels with these.
PRICE_DECIMALS, LEVEL_DECIMALS = 5, 3
# side, ticks, lots, trade id, microseconds.
SeenTrade = tuple[int, int, int, int, int]


class RestMarkets:
    """The public half. Each method takes the fields and returns the result."""

    def __init__(self, rest: Rest) -> None:
        self.rest = rest
        self.face = rest.face
        self.seen: list[deque[SeenTrade]] = [deque(maxlen=TRADES_KEPT) for _ in self.face.markets]
        self.calls: dict[str, Callable[[Fields], Any]] = {
            "Time": self.time, "SystemStatus": self.system_status, "Assets": self.assets,
            "AssetPairs": self.asset_pairs, "Depth": self.depth, "Trades": self.trades}

    def traded(self, index: int, trades: Sequence[tuple[int, int, int, int]], now_us: int) -> None:
        """Remember trades that everybody sees."""
        self.seen[index] += [(*trade, now_us) for trade in trades]

    def time(self, fields: Fields) -> Any:
        """The venue's clock."""
        second = self.face.now_us // 1_000_000
        text = datetime.fromtimestamp(second, UTC).strftime("%a, %d %b %y %H:%M:%S +0000")
        return {"unixtime": second, "rfc1123": text}

    def system_status(self, fields: Fields) -> Any:
        """The engine's mode."""
        return {"status": self.face.system, "timestamp": self.face.stamps.whole(self.face.now_us)}

    def assets(self, fields: Fields) -> Any:
        """Every asset of the listed pairs, or those asked for."""
        names = self.rest.names.assets
        wanted = [names.get(str(name).upper()) for name in list_of(fields, "asset")]
        if None in wanted:
            raise Refused("EQuery:Unknown asset")
        rows = {}
        for asset in wanted or dict.fromkeys(names.values()):
            ledger, shown = DECIMALS.get(str(asset), ASSET_DECIMALS)
            rows[asset_key(str(asset))] = {
                "aclass": "currency", "altname": short(str(asset)), "decimals": ledger,
                "display_decimals": shown, "status": "enabled"}
        return rows

    def asset_pairs(self, fields: Fields) -> Any:
        """Reference data of all pairs, or of those asked for."""
        names = [str(name) for name in list_of(fields, "pair")]
        wanted = {self.rest.symbol(name): self.rest.names.answered(name) for name in names}
        parts = {"info": self.info_part, "fees": self.fees_part, "leverage": self.leverage_part,
                 "margin": self.margin_part}
        part = parts.get(text_of(fields, "info") or "info")
        if part is None:
            raise Refused(f"{ARGUMENTS}info")
        return {wanted.get(symbol) or pair_key(symbol): part(self.face.listings[symbol])
                for symbol in wanted or self.face.listings}

    def info_part(self, listing: Listing) -> dict[str, Any]:
        """The whole row of a pair."""
        base, quote = listing.base, listing.quote
        mode = self.face.operations.mode_of(listing.symbol)
        status = mode if mode != "maintenance" else "cancel_only"
        return {
            "altname": altname(listing.symbol), "wsname": wsname(listing.symbol),
            "aclass_base": "currency", "base": asset_key(base),
            "aclass_quote": "currency", "quote": asset_key(quote), "lot": "unit",
            "cost_decimals": 5, "pair_decimals": listing.price_precision,
            "lot_decimals": listing.qty_precision, "lot_multiplier": 1,
            **self.leverage_part(listing), **self.fees_part(listing),
            "margin_call": 80, "margin_stop": 40,
            "ordermin": fixed(listing.lots_min * listing.lot_units,
                              listing.qty_precision).rstrip("0").rstrip("."),
            "costmin": str(listing.cost_min),
            "tick_size": fixed(listing.tick_units, listing.price_precision), "status": status}

    def fees_part(self, listing: Listing) -> dict[str, Any]:
        """Fees in percent by 30-day volume; the real venue has left them empty since 2026."""
        tiers = schedule_of(self.face.settings.fees, listing.symbol)
        if self.face.settings.switches.asset_pairs_fees == "empty":
            tiers = ()
        return {"fees": [[tier.volume_usd, tier.taker_e6 / 10_000] for tier in tiers],
                "fees_maker": [[tier.volume_usd, tier.maker_e6 / 10_000] for tier in tiers],
                "fee_volume_currency": "ZUSD"}

    def leverage_part(self, listing: Listing) -> dict[str, Any]:
        """Nothing can be borrowed here."""
        return {"leverage_buy": [], "leverage_sell": []}

    def margin_part(self, listing: Listing) -> dict[str, Any]:
        """Levels at which borrowed positions would be closed."""
        return {"margin_call": 80, "margin_level": 40}

    def depth(self, fields: Fields) -> Any:
        """A snapshot of a book."""
        name, index = self.asked(fields)
        count = whole_of(fields, "count", 100)
        if not 1 <= count <= DEPTH_MAX:
            raise Refused(f"{ARGUMENTS}count")
        view, text = self.face.views[index], self.face.texts[index]
        second = self.face.now_us // 1_000_000
        sides = {word: [[price_text(text, key * side.sign), level_text(text, side.lots[key]),
                         second] for key in side.keys[:count]]
                 for word, side in (("asks", view.sides[1]), ("bids", view.sides[0]))}
        return {name: sides}

    def trades(self, fields: Fields) -> Any:
        """The last trades, at most a thousand; ``since`` is a time in nanoseconds (or seconds)."""
        name, index = self.asked(fields)
        count = whole_of(fields, "count", TRADES_KEPT)
        if not 1 <= count <= TRADES_KEPT:
            raise Refused(f"{ARGUMENTS}count")
        since = decimal_of(fields, "since")
        text, rows = self.face.texts[index], list(self.seen[index])
        if since is not None:
            since_us = since * 1_000_000 if since < 10**11 else since / 1_000
            rows = [row for row in rows if row[4] > since_us][:count]
        else:
            rows = rows[-count:]
        last_us = rows[-1][4] if rows else self.face.now_us
        return {name: [[price_text(text, ticks), text.qty(lots), us / 1e6, "bs"[side], "l", "",
                        trade_id] for side, ticks, lots, trade_id, us in rows],
                "last": f"{last_us}000"}

    def asked(self, fields: Fields) -> tuple[str, int]:
        """The answer's name of the one pair that was asked for, and its index."""
        name = text_of(fields, "pair")
        symbol = self.rest.symbol(name)
        return self.rest.names.answered(name), self.face.desk.index[symbol]

    def last_price(self, symbol: str) -> Decimal:
        """The last traded price, or the market's start before the first trade."""
        index = self.face.desk.index[symbol]
        seen = self.seen[index]
        ticks = seen[-1][1] if seen else self.face.markets[index].mid_ticks()
        return Decimal(self.face.texts[index].price(ticks))


def price_text(text: ListingText, ticks: int) -> str:
    """A price as books and trades show it."""
    token, digits = text.price(ticks), text.listing.price_precision
    if digits == 0:
        token += "."
    return token + "0" * max(0, PRICE_DECIMALS - digits)


def level_text(text: ListingText, lots: int) -> str:
    """A level's size, rounded as the venue does; one that is there is never shown as none."""
    units, digits = lots * text.listing.lot_units, text.listing.qty_precision
    if digits <= LEVEL_DECIMALS:
        return text.qty(lots)
    step: int = 10 ** (digits - LEVEL_DECIMALS)
    return fixed(max(1, (2 * units + step) // (2 * step)), LEVEL_DECIMALS)
