"""subscribe and unsubscribe: one ack per symbol, then the snapshot, then updates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hftbot.exchange import reports
from hftbot.exchange.book_view import DEPTHS
from hftbot.exchange.door_limits import LEVEL3_COSTS
from hftbot.exchange.instrument import asset_row, instrument_frame, pair_row
from hftbot.exchange.kraken_text import quoted
from hftbot.exchange.orders_view import L3_DEPTHS
from hftbot.exchange.public_feed import TRIGGERS, by_number
from hftbot.exchange.requests import ARGUMENTS, WRONG_HOST, Refused, flag, text_field
from hftbot.exchange.settings import PUBLIC_ANSWER_US, RATE_TIERS, TOKEN_CHECK_US
from hftbot.exchange.tape import INTERVALS_MIN

if TYPE_CHECKING:
    from hftbot.exchange.connection import Connection

SYMBOL_CHANNELS = ("book", "ticker", "trade", "ohlc")
PRIVATE_CHANNELS = ("executions", "balances")
EXECUTIONS_WARNINGS = (
    '["cancel_reason is deprecated, use reason","stop_price is deprecated, use triggers.price",'
    '"trigger is deprecated use triggers.reference",'
    '"triggered_price is deprecated use triggers.last_price"]')
# No source has this one: it is made like its neighbours.
NO_LEVEL3 = "Level 3 data is unavailable on this endpoint. Try ws-l3.kraken.com"
OHLC_WARNINGS = '["timestamp is deprecated, use interval_begin"]'
INSTRUMENT_WARNINGS = '["tick_size is deprecated, use price_increment"]'


def handle(connection: Connection, method: str, req_id: int | None, params: dict[str, Any],
           now_us: int) -> None:
    """Answer one subscribe or unsubscribe request."""
    channel = params.get("channel")
    private = channel in PRIVATE_CHANNELS
    if channel in ("status", "heartbeat"):
        raise Refused("Symbol(s) not found")
    if (not private and channel not in SYMBOL_CHANNELS
            and channel not in ("instrument", "level3")):
        raise Refused("Subscription name invalid")
    assert isinstance(channel, str)
    check_host(connection.kind, channel, private)
    if private:
        handle_private(connection, method, req_id, channel, params, now_us)
        return
    if channel == "instrument":
        handle_instrument(connection, method, req_id, params, now_us)
        return
    symbols = params.get("symbol")
    if not isinstance(symbols, list) or not symbols:
        raise Refused("Symbol(s) not found")
    if channel == "level3" and not open_level3(connection, method, req_id, params, now_us):
        return
    for symbol in symbols:
        name = symbol if isinstance(symbol, str) else str(symbol)
        try:
            handle_symbol(connection, method, req_id, channel, name, params, now_us)
        except Refused as refusal:
            connection.refuse(str(refusal), "subscribe", req_id, now_us,
                              now_us + PUBLIC_ANSWER_US, symbol=name)


def check_host(kind: str, channel: str, private: bool) -> None:
    """Refuse a channel that another endpoint serves."""
    if channel == "level3" and kind == "private":
        raise Refused(NO_LEVEL3)
    if channel == "level3" or private:
        if kind != ("private" if private else "level3"):
            raise Refused(WRONG_HOST["public"])
    elif kind != "public":
        raise Refused(WRONG_HOST["private"])


def open_level3(connection: Connection, method: str, req_id: int | None, params: dict[str, Any],
                now_us: int) -> bool:
    """Check the token of a level3 request; says no itself."""
    try:
        connection.check_token(params, now_us)
    except Refused as refusal:
        named = "level3" if str(refusal).startswith("ESession") else ""
        connection.refuse(str(refusal), method, req_id, now_us, now_us + TOKEN_CHECK_US,
                          channel=named)
        return False
    return True


def handle_symbol(connection: Connection, method: str, req_id: int | None, channel: str,
                  symbol: str, params: dict[str, Any], now_us: int) -> None:
    """A public channel of one symbol."""
    face = connection.face
    index = face.desk.index.get(symbol)
    if index is None:
        raise Refused(f"Currency pair not supported {symbol}")
    name, value, shown = parameter(channel, params)
    key = (name, symbol)
    out_us = now_us + (TOKEN_CHECK_US if channel == "level3" else PUBLIC_ANSWER_US)
    if method == "unsubscribe":
        if connection.subscriptions.get(key) != value:
            raise Refused("Subscription Not Found")
        connection.leave(key)
        connection.ack(method, req_id,
                       f'{{"channel":"{channel}",{shown}"symbol":{quoted(symbol)}}}',
                       now_us, out_us)
        return
    if key in connection.subscriptions or (channel in ("book", "level3") and has_book(
            connection, channel, symbol)):
        raise Refused("Already subscribed")
    snapshot = flag(params, "snapshot") if "snapshot" in params else channel != "trade"
    if channel == "level3" and not face.level3_rate.pay(LEVEL3_COSTS[value], now_us):
        raise Refused("Exceeded msg rate")
    connection.enroll(key, value)
    if channel == "level3" and params["token"] not in connection.tokens:
        face.gate.keep(params["token"])
        connection.tokens.append(params["token"])
    warnings = f',"warnings":{OHLC_WARNINGS}' if channel == "ohlc" else ""
    connection.ack(method, req_id, f'{{"channel":"{channel}",{shown}"snapshot":'
                   f'{"true" if snapshot else "false"},"symbol":{quoted(symbol)}{warnings}}}',
                   now_us, out_us)
    connection.last_due[0] = max(connection.last_due)
    if snapshot:
        connection.data(snapshot_frame(connection, channel, index, value, now_us), out_us)
    connection.beat(now_us)


def parameter(channel: str, params: dict[str, Any]) -> tuple[str, int, str]:
    """Name, value and ack text of what a channel is subscribed with; raises Refused."""
    if channel in ("book", "level3"):
        depth = params.get("depth", 10)
        if isinstance(depth, bool) or depth not in (DEPTHS if channel == "book" else L3_DEPTHS):
            raise Refused("Subscription depth not supported")
        return by_number(channel, int(depth)), int(depth), f'"depth":{int(depth)},'
    if channel == "ticker":
        trigger = params.get("event_trigger", "trades")
        if not isinstance(trigger, str) or trigger not in TRIGGERS:
            raise Refused(f"{ARGUMENTS}event_trigger")
        return channel, TRIGGERS[trigger], f'"event_trigger":"{trigger}",'
    if channel == "ohlc":
        minutes = params.get("interval")
        if minutes is None:
            raise Refused("Subscription ohlc requires interval")
        if isinstance(minutes, bool) or minutes not in INTERVALS_MIN:
            raise Refused("Subscription ohlc interval not supported")
        return by_number(channel, int(minutes)), int(minutes), f'"interval":{int(minutes)},'
    return channel, 1, ""


def has_book(connection: Connection, channel: str, symbol: str) -> bool:
    """Whether another depth of the book is subscribed, and that is one too many."""
    if channel == "book" and connection.face.settings.switches.two_depths:
        return False
    return any((by_number(channel, depth), symbol) in connection.subscriptions
               for depth in DEPTHS)


def snapshot_frame(connection: Connection, channel: str, index: int, value: int,
                   now_us: int) -> str:
    """What a channel knows at the moment of the subscription."""
    feed = connection.face.feed
    if channel == "book":
        view = feed.views[index]
        return view.snapshot(value, feed.stamps.micro(view.ts_us))
    if channel == "level3":
        return feed.orders[index].snapshot(value)
    if channel == "ticker":
        return feed.ticker("snapshot", index, now_us)
    if channel == "ohlc":
        return feed.ohlc("snapshot", feed.tapes[index].ohlc_rows(value), now_us)
    return f'{{"channel":"trade","type":"snapshot","data":[{",".join(feed.trades[index])}]}}'


def handle_instrument(connection: Connection, method: str, req_id: int | None,
                      params: dict[str, Any], now_us: int) -> None:
    """The reference data of all listings."""
    key = ("instrument", "")
    out_us = now_us + PUBLIC_ANSWER_US
    if method == "unsubscribe":
        if key not in connection.subscriptions:
            raise Refused("Subscription Not Found")
        connection.leave(key)
        connection.ack(method, req_id, '{"channel":"instrument"}', now_us, out_us)
        return
    if key in connection.subscriptions:
        raise Refused("Already subscribed")
    snapshot = flag(params, "snapshot") if "snapshot" in params else True
    # There are no tokenized assets here, and one venue: what is asked is checked, and all is told.
    flag(params, "include_tokenized_assets")
    if text_field(params, "execution_venue") not in ("", "international"):
        raise Refused(f"{ARGUMENTS}execution_venue")
    connection.enroll(key, 1)
    connection.ack(method, req_id, f'{{"channel":"instrument","snapshot":'
                   f'{"true" if snapshot else "false"},"warnings":{INSTRUMENT_WARNINGS}}}',
                   now_us, out_us)
    connection.last_due[0] = max(connection.last_due)
    if snapshot:
        face = connection.face
        assets = dict.fromkeys(asset for listing in face.listings.values()
                               for asset in (listing.base, listing.quote))
        modes = face.operations.pairs
        connection.data(instrument_frame(
            "snapshot", [asset_row(asset) for asset in assets],
            [pair_row(text, modes.get(text.listing.symbol, "online")) for text in face.texts]),
            out_us)
    connection.beat(now_us)


def handle_private(connection: Connection, method: str, req_id: int | None, channel: str,
                   params: dict[str, Any], now_us: int) -> None:
    """executions and balances."""
    out_us = now_us + TOKEN_CHECK_US
    try:
        token = connection.check_token(params, now_us)
    except Refused as refusal:
        named = channel if str(refusal).startswith("ESession") else ""
        connection.refuse(str(refusal), method, req_id, now_us, out_us, channel=named)
        return
    # What is asked is done once the token is checked, in the order of the requests.
    connection.face.later(out_us, lambda at_us: decide_private(
        connection, method, req_id, channel, params, token, now_us, at_us))


def decide_private(connection: Connection, method: str, req_id: int | None, channel: str,
                   params: dict[str, Any], token: str, in_us: int, now_us: int) -> None:
    """The token was good: subscribe or unsubscribe, unless that is so already."""
    if connection.closed:
        return
    key = (channel, "")
    there = key in connection.subscriptions
    if there == (method == "subscribe"):
        connection.refuse("Already subscribed" if there else "Subscription Not Found", method,
                          req_id, in_us, now_us)
    elif there:
        connection.leave(key)
        connection.ack(method, req_id, f'{{"channel":"{channel}"}}', in_us, now_us)
    else:
        connection.face.gate.keep(token)
        connection.tokens.append(token)
        begin_private(connection, req_id, channel, params, in_us, now_us)


def begin_private(connection: Connection, req_id: int | None, channel: str,
                  params: dict[str, Any], in_us: int, now_us: int) -> None:
    """Ack a private subscription and send its snapshot as sequence 1."""
    face = connection.face
    connection.enroll((channel, ""), 1)
    connection.sequences[channel] = 0
    if channel == "executions":
        counter = face.settings.switches.ratecounter_field
        connection.wishes = reports.ReportWishes(
            params.get("order_status", True) is not False,
            counter if params.get("ratecounter", False) is True else "")
    fallback = params.get("snapshot", True) is not False
    orders = params.get("snap_orders", fallback) is not False
    trades = params.get("snap_trades", False) is True
    if channel == "balances":
        result = f'{{"channel":"balances","snapshot":{"true" if fallback else "false"}}}'
        rows = [reports.balance_row(asset, amount)
                for asset, amount in face.account.balances.items()] if fallback else []
    else:
        tier = face.settings.rate_tier
        threshold = RATE_TIERS["pro" if tier == "off" else tier][0]
        if face.settings.switches.executions_ack == "snapshot":
            shape = f'"snapshot":{"true" if orders else "false"},"warnings":{EXECUTIONS_WARNINGS}'
        else:
            shape = (f'"snap_orders":{"true" if orders else "false"},'
                     f'"snap_trades":{"true" if trades else "false"}')
        result = f'{{"channel":"executions","maxratecount":{threshold},{shape}}}'
        rows = face.desk.snapshot(now_us) if orders else []
        rows += list(face.desk.recent_trades) if trades else []
    connection.ack("subscribe", req_id, result, in_us, now_us)
    connection.last_due[2] = max(connection.last_due)
    if (channel == "balances" and fallback) or orders or trades:
        connection.sequenced(channel, "snapshot", (",".join(rows),), now_us)
    connection.beat(now_us)
