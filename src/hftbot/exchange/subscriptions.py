"""subscribe and unsubscribe: one ack per symbol, then the snapshot, then updates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hftbot.exchange import reports
from hftbot.exchange.book_view import DEPTHS
from hftbot.exchange.kraken_text import ListingText, quoted
from hftbot.exchange.requests import WRONG_HOST, Refused, flag
from hftbot.exchange.settings import PUBLIC_ANSWER_US, RATE_TIERS, TOKEN_CHECK_US

if TYPE_CHECKING:
    from hftbot.exchange.connection import Connection

SYMBOL_CHANNELS = ("book", "trade")
PRIVATE_CHANNELS = ("executions", "balances")
KNOWN_ELSEWHERE = ("ticker", "ohlc")
EXECUTIONS_WARNINGS = (
    '["cancel_reason is deprecated, use reason","stop_price is deprecated, use triggers.price",'
    '"trigger is deprecated use triggers.reference",'
    '"triggered_price is deprecated use triggers.last_price"]')
INSTRUMENT_WARNINGS = '["tick_size is deprecated, use price_increment"]'


def handle(connection: Connection, method: str, req_id: int | None, params: dict[str, Any],
           now_us: int) -> None:
    """Answer one subscribe or unsubscribe request."""
    channel = params.get("channel")
    private = channel in PRIVATE_CHANNELS
    if channel in ("status", "heartbeat"):
        raise Refused("Symbol(s) not found")
    if not private and channel not in SYMBOL_CHANNELS and channel != "instrument":
        raise Refused("Subscription name invalid")
    if private != (connection.kind == "private"):
        raise Refused(WRONG_HOST[connection.kind])
    assert isinstance(channel, str)
    if private:
        handle_private(connection, method, req_id, channel, params, now_us)
        return
    if channel == "instrument":
        handle_instrument(connection, method, req_id, params, now_us)
        return
    symbols = params.get("symbol")
    if not isinstance(symbols, list) or not symbols:
        raise Refused("Symbol(s) not found")
    for symbol in symbols:
        name = symbol if isinstance(symbol, str) else str(symbol)
        try:
            handle_symbol(connection, method, req_id, channel, name, params, now_us)
        except Refused as refusal:
            connection.refuse(str(refusal), "subscribe", req_id, now_us,
                              now_us + PUBLIC_ANSWER_US, symbol=name)


def handle_symbol(connection: Connection, method: str, req_id: int | None, channel: str,
                  symbol: str, params: dict[str, Any], now_us: int) -> None:
    """book and trade of one symbol."""
    face = connection.face
    index = face.desk.index.get(symbol)
    if index is None:
        raise Refused(f"Currency pair not supported {symbol}")
    depth = params.get("depth", 10)
    if channel == "book" and (isinstance(depth, bool) or depth not in DEPTHS):
        raise Refused("Subscription depth not supported")
    key = (channel, symbol)
    value = int(depth) if channel == "book" else 1
    depth_text = f'"depth":{value},' if channel == "book" else ""
    out_us = now_us + PUBLIC_ANSWER_US
    if method == "unsubscribe":
        if connection.subscriptions.get(key) != value:
            raise Refused("Subscription Not Found")
        del connection.subscriptions[key]
        if channel == "book":
            face.views[index].unwatch(value)
        connection.ack(method, req_id,
                       f'{{"channel":"{channel}",{depth_text}"symbol":{quoted(symbol)}}}',
                       now_us, out_us)
        return
    if key in connection.subscriptions:
        raise Refused("Already subscribed")
    snapshot = flag(params, "snapshot") if "snapshot" in params else channel == "book"
    connection.subscriptions[key] = value
    connection.ack(method, req_id, f'{{"channel":"{channel}",{depth_text}"snapshot":'
                   f'{"true" if snapshot else "false"},"symbol":{quoted(symbol)}}}',
                   now_us, out_us)
    connection.last_due[0] = max(connection.last_due)
    if channel == "book":
        view = face.views[index]
        view.watch(value)
        if snapshot:
            connection.data(view.snapshot(value, face.stamps.micro(view.ts_us)), out_us)
    elif snapshot:
        rows = ",".join(face.public_trades[index])
        connection.data(f'{{"channel":"trade","type":"snapshot","data":[{rows}]}}', out_us)
    connection.beat(now_us)


def handle_instrument(connection: Connection, method: str, req_id: int | None,
                      params: dict[str, Any], now_us: int) -> None:
    """The reference data of all listings."""
    key = ("instrument", "")
    out_us = now_us + PUBLIC_ANSWER_US
    if method == "unsubscribe":
        if connection.subscriptions.pop(key, None) is None:
            raise Refused("Subscription Not Found")
        connection.ack(method, req_id, '{"channel":"instrument"}', now_us, out_us)
        return
    if key in connection.subscriptions:
        raise Refused("Already subscribed")
    snapshot = flag(params, "snapshot") if "snapshot" in params else True
    connection.subscriptions[key] = 1
    connection.ack(method, req_id, f'{{"channel":"instrument","snapshot":'
                   f'{"true" if snapshot else "false"},"warnings":{INSTRUMENT_WARNINGS}}}',
                   now_us, out_us)
    connection.last_due[0] = max(connection.last_due)
    if snapshot:
        face = connection.face
        assets = dict.fromkeys(asset for listing in face.listings.values()
                               for asset in (listing.base, listing.quote))
        connection.data('{"channel":"instrument","type":"snapshot","data":{"assets":['
                        + ",".join(asset_row(asset) for asset in assets) + '],"pairs":['
                        + ",".join(pair_row(text) for text in face.texts) + "]}}", out_us)
    connection.beat(now_us)


def asset_row(asset: str) -> str:
    """One asset of the instrument snapshot."""
    precision, display = (4, 2) if asset in ("USD", "EUR") else (10, 5)
    return (f'{{"id":{quoted(asset)},"status":"enabled","precision":{precision},'
            f'"precision_display":{display},"borrowable":false,"collateral_value":1.00,'
            f'"margin_rate":0.000000}}')


def pair_row(text: ListingText) -> str:
    """One pair of the instrument snapshot."""
    listing = text.listing
    tick = text.increment(listing.tick_units, listing.price_precision)
    lot = text.increment(listing.lot_units, listing.qty_precision)
    minimum = text.increment(listing.lots_min * listing.lot_units, listing.qty_precision)
    return (f'{{"symbol":{text.symbol},"base":{quoted(listing.base)},'
            f'"quote":{quoted(listing.quote)},"status":"online",'
            f'"qty_precision":{listing.qty_precision},"qty_increment":{lot},'
            f'"price_precision":{listing.price_precision},"cost_precision":5,'
            f'"ws_display_price_precision":{listing.price_precision},'
            f'"marginable":false,"has_index":false,"cost_min":{listing.cost_min},'
            f'"tick_size":{tick},"price_increment":{tick},"qty_min":{minimum}}}')


def handle_private(connection: Connection, method: str, req_id: int | None, channel: str,
                   params: dict[str, Any], now_us: int) -> None:
    """executions and balances."""
    out_us = now_us + TOKEN_CHECK_US
    key = (channel, "")
    try:
        token = connection.check_token(params, now_us)
    except Refused as refusal:
        named = channel if str(refusal).startswith("ESession") else ""
        connection.refuse(str(refusal), method, req_id, now_us, out_us, channel=named)
        return
    if method == "unsubscribe":
        if connection.subscriptions.pop(key, None) is None:
            raise Refused("Subscription Not Found")
        connection.ack(method, req_id, f'{{"channel":"{channel}"}}', now_us, out_us)
        return
    if key in connection.subscriptions:
        raise Refused("Already subscribed")
    connection.face.gate.keep(token)
    connection.tokens.append(token)
    # The answer and the snapshot are one instant of the account, once the token is checked.
    connection.face.later(out_us, lambda at_us: begin_private(
        connection, req_id, channel, params, now_us, at_us))


def begin_private(connection: Connection, req_id: int | None, channel: str,
                  params: dict[str, Any], in_us: int, now_us: int) -> None:
    """Ack a private subscription and send its snapshot as sequence 1."""
    if connection.closed:
        return
    face = connection.face
    connection.subscriptions[channel, ""] = 1
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
        connection.sequenced(channel, "snapshot", ",".join(rows), now_us)
    connection.beat(now_us)
