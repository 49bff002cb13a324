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
from hftbot.exchange.tape import CANDLES_SHOWN, DAY_MIN, INTERVALS_MIN, MINUTE_US, Candle

if TYPE_CHECKING:
    from hftbot.exchange.rest import Rest

TRADES_KEPT, QUOTES_KEPT = 1_000, 200
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
        # Best bid and ask in ticks, microseconds.
        self.quotes: list[deque[tuple[int, int, int]]] = [
            deque(maxlen=QUOTES_KEPT) for _ in self.face.markets]
        self.calls: dict[str, Callable[[Fields], Any]] = {
            "Time": self.time, "SystemStatus": self.system_status, "Assets": self.assets,
            "AssetPairs": self.asset_pairs, "Ticker": self.ticker, "OHLC": self.ohlc,
            "Depth": self.depth, "Trades": self.trades, "Spread": self.spread}

    def watch(self, index: int, trades: Sequence[tuple[int, int, int, int]],
              best: tuple[int, int], now_us: int) -> None:
        """Remember what everybody saw: trades, and the best prices if they moved."""
        if trades:
            self.seen[index] += [(*trade, now_us) for trade in trades]
        quotes = self.quotes[index]
        if not quotes or quotes[-1][:2] != best:
            quotes.append((*best, now_us))

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

    def ticker(self, fields: Fields) -> Any:
        """Best prices, last trade, and the day's figures: since midnight UTC and of 24 hours."""
        symbols = {str(name): self.rest.symbol(str(name)) for name in list_of(fields, "pair")}
        wanted = {self.rest.names.answered(name): symbol for name, symbol in symbols.items()} or {
            pair_key(symbol): symbol for symbol in self.face.listings}
        return {name: self.ticker_row(self.face.desk.index[symbol])
                for name, symbol in wanted.items()}

    def ticker_row(self, index: int) -> dict[str, Any]:
        """One pair's ticker: prices and sizes are texts, trades are counted."""
        text, tape, view = (self.face.texts[index], self.face.feed.tapes[index],
                            self.face.views[index])
        now_us = self.face.now_us
        days = tape.candles[DAY_MIN]
        last = tape.last_ticks
        midnight_us = now_us - now_us % (DAY_MIN * MINUTE_US)
        today = days[-1] if days and days[-1].begin_us == midnight_us else Candle(
            midnight_us, last, last, last, last)
        both = (today, tape.day(now_us))
        bid, ask = view.best(0), view.best(1)
        newest = self.seen[index][-1][2] if self.seen[index] else 0
        return {"a": [price_text(text, ask[0]), *whole_lots(text, ask[1])],
                "b": [price_text(text, bid[0]), *whole_lots(text, bid[1])],
                "c": [price_text(text, last), text.qty(newest)],
                "v": [text.qty(candle.lots) for candle in both],
                "p": [price_text(text, candle.vwap_ticks()) for candle in both],
                "t": [candle.trades for candle in both],
                "l": [price_text(text, candle.low) for candle in both],
                "h": [price_text(text, candle.high) for candle in both],
                "o": price_text(text, today.open)}

    def ohlc(self, fields: Fields) -> Any:
        """Candles that begin after ``since``, at most 720; the newest is not finished."""
        name, index = self.asked(fields)
        minutes = whole_of(fields, "interval", 1)
        if minutes not in INTERVALS_MIN:
            raise Refused(f"{ARGUMENTS}interval")
        since = decimal_of(fields, "since")
        text, found = self.face.texts[index], self.face.feed.tapes[index].candles[minutes]
        rows = [[candle.begin_us // 1_000_000, text.price(candle.open), text.price(candle.high),
                 text.price(candle.low), text.price(candle.close),
                 text.price(candle.vwap_ticks()), text.qty(candle.lots), candle.trades]
                for candle in list(found)[-CANDLES_SHOWN:]
                if since is None or candle.begin_us > since * 1_000_000]
        finished = found[-2].begin_us if len(found) > 1 else 0
        return {name: rows, "last": finished // 1_000_000}

    def spread(self, fields: Fields) -> Any:
        """Best prices as they moved, at most 200, from the second ``since`` on."""
        name, index = self.asked(fields)
        since = decimal_of(fields, "since") or Decimal(0)
        text = self.face.texts[index]
        rows = [[us // 1_000_000, price_text(text, bid), price_text(text, ask)]
                for bid, ask, us in self.quotes[index] if us >= since * 1_000_000]
        return {name: rows, "last": self.face.now_us // 1_000_000}

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


def whole_lots(text: ListingText, lots: int) -> tuple[str, str]:
    """A best level's size as the ticker shows it: in whole units, at least one of them."""
    units = max(1, lots * text.listing.lot_units // int(10 ** text.listing.qty_precision))
    return str(units), f"{units}.000"


def level_text(text: ListingText, lots: int) -> str:
    """A level's size, rounded as the venue does; one that is there is never shown as none."""
    units, digits = lots * text.listing.lot_units, text.listing.qty_precision
    if digits <= LEVEL_DECIMALS:
        return text.qty(lots)
    step: int = 10 ** (digits - LEVEL_DECIMALS)
    return fixed(max(1, (2 * units + step) // (2 * step)), LEVEL_DECIMALS)
