"""What Kraken's REST answers hold: orders, trades, fees, pairs; every number exact.

Amounts are Decimals, since the grid of a pair that we do not trade is not known here; times are
wall-clock microseconds. Whatever is not as documented raises BadFrame, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hftbot.errors import BadFrame
from hftbot.venue.kraken import codec
from hftbot.words.market import Side

AMOUNT_MAX = Decimal(10) ** 30
NAMES_MAX = 256
PRECISION_MAX = 18
_AMOUNT = re.compile(r"-?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_OLD_CODES = {"XBT": "BTC", "XDG": "DOGE"}


@dataclass(frozen=True, slots=True)
class RestOrder:
    """One order of OpenOrders, ClosedOrders or QueryOrders.

    ``pair`` is Kraken's altname (XBTUSD). ``price`` is the limit (or trigger) asked for, None for
    a relative one; ``average`` what it filled at, 0 if nothing; ``volume`` and ``executed`` are
    base units, ``cost`` and ``fee`` quote units (the fee in base if ``flags`` hold ``fcib``).
    """

    venue_id: str
    client_id: int
    cl_ord_id: str
    userref: int
    status: str
    pair: str
    side: Side
    order_type: str
    price: Decimal | None
    volume: Decimal
    executed: Decimal
    cost: Decimal
    fee: Decimal
    average: Decimal
    flags: frozenset[str]
    opened_us: int
    closed_us: int
    reason: str
    trades: tuple[str, ...]

    @property
    def working(self) -> bool:
        """True if more may happen to it."""
        return self.status in ("open", "pending")


@dataclass(frozen=True, slots=True)
class RestTrade:
    """One execution of TradesHistory. ``pair`` is Kraken's REST name (XXBTZUSD).

    ``volume`` is base units; ``cost`` and ``fee`` quote units.
    """

    exec_id: str
    venue_id: str
    pair: str
    side: Side
    price: Decimal
    volume: Decimal
    cost: Decimal
    fee: Decimal
    maker: bool
    trade_id: int
    ts_us: int


@dataclass(frozen=True, slots=True)
class Balance:
    """One asset of BalanceEx, in units of the asset. ``held`` is what open orders bind."""

    asset: str
    total: Decimal
    held: Decimal
    credit: Decimal = Decimal(0)
    credit_used: Decimal = Decimal(0)

    @property
    def free(self) -> Decimal:
        """What a new order may use."""
        return self.total + self.credit - self.credit_used - self.held


@dataclass(frozen=True, slots=True)
class PairFees:
    """The account's own fees of one pair, millionths of the traded value; negative is a rebate."""

    pair: str
    maker_fee_e6: int
    taker_fee_e6: int


@dataclass(frozen=True, slots=True)
class TradeVolume:
    """The account's 30-day volume (in ``currency``) and its fees by pair."""

    currency: str
    volume: Decimal
    fees: tuple[PairFees, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """One pair of AssetPairs: its names, its grid and its minimums.

    ``name`` is the REST key (XXBTZUSD), ``altname`` what orders are asked with (XBTUSD) and
    ``symbol`` the WebSocket's name (BTC/USD).
    """

    name: str
    altname: str
    symbol: str
    base: str
    quote: str
    status: str
    price_precision: int
    qty_precision: int
    cost_precision: int
    tick_size: Decimal
    qty_min: Decimal
    cost_min: Decimal
    taker_fees: tuple[tuple[Decimal, int], ...]
    maker_fees: tuple[tuple[Decimal, int], ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """One row of AddOrder or AddOrderBatch: ids, or the venue's refusal in ``error``.

    No id and no error is the answer to an order that was only validated.
    """

    venue_ids: tuple[str, ...]
    description: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What GetApiKeyInfo says of the key. ``nonce_window`` is in units of the nonce.

    ``iban`` names the account, empty if the venue does not tell it: keys of one account share it.
    """

    name: str
    permissions: frozenset[str]
    nonce_window: int
    valid_until_s: int
    iban: str = ""


def amount(row: codec.Row, key: str) -> Decimal:
    """A required number, which REST writes as text or as a JSON number. Raises BadFrame."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, str | int) \
            or not _AMOUNT.fullmatch(str(value)[:128]):
        raise BadFrame(f"{key} is not a number")
    number = Decimal(str(value))
    if abs(number) > AMOUNT_MAX:
        raise BadFrame(f"{key} {value!s:.40} is too large")
    return number


def amount_or(row: codec.Row, key: str) -> Decimal:
    """An optional number, 0 if it is not there. Raises BadFrame if it is something else."""
    return Decimal(0) if row.get(key) is None else amount(row, key)


def seconds_us(row: codec.Row, key: str) -> int:
    """An optional time in seconds as wall-clock us, digits beyond them cut; 0 if not there."""
    stamp = amount_or(row, key)
    if not 0 <= stamp < 253402300800:
        raise BadFrame(f"{key} is not a time")
    return int(stamp.scaleb(6))


def texts(row: codec.Row, key: str) -> tuple[str, ...]:
    """An optional array of short texts. Raises BadFrame."""
    value = row.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > NAMES_MAX:
        raise BadFrame(f"{key} is not a short array")
    return tuple(codec.text({key: entry}, key) for entry in value)


def named(result: codec.Row, key: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, object) of each entry of an object of objects. Raises BadFrame."""
    held = codec.inner(result, key) if key else result
    for name in held:
        codec.text({"name": name}, "name")
        yield name, codec.inner(held, name)


def symbol_of(wsname: str) -> str:
    """The symbol of the WebSocket (BTC/USD) for REST's wsname (XBT/USD)."""
    return "/".join(_OLD_CODES.get(code, code) for code in wsname.split("/"))


def order(venue_id: str, row: codec.Row) -> RestOrder:
    """One order row. Raises BadFrame."""
    asked = codec.inner(row, "descr")
    name = codec.text_or(row, "cl_ord_id")
    return RestOrder(
        venue_id=venue_id, client_id=codec.client_id_parse(name), cl_ord_id=name,
        userref=codec.integer(row, "userref") if row.get("userref") is not None else 0,
        status=codec.text(row, "status"), pair=codec.text(asked, "pair"),
        side=codec.side(asked, "type"), order_type=codec.text(asked, "ordertype"),
        price=_price(asked), volume=amount(row, "vol"), executed=amount(row, "vol_exec"),
        cost=amount(row, "cost"), fee=amount(row, "fee"), average=amount(row, "price"),
        flags=frozenset(codec.text_or(row, "oflags").split(",")) - {""},
        opened_us=seconds_us(row, "opentm"), closed_us=seconds_us(row, "closetm"),
        reason=codec.text_or(row, "reason"), trades=texts(row, "trades"))


def _price(asked: codec.Row) -> Decimal | None:
    """The price in a description; ``+1.0000%`` and the like are none."""
    if codec.text(asked, "price")[:1] in ("+", "-", "#") \
            or codec.text(asked, "price").endswith("%"):
        return None
    return amount(asked, "price")


def trade(exec_id: str, row: codec.Row) -> RestTrade:
    """One execution row. Raises BadFrame."""
    return RestTrade(
        exec_id=exec_id, venue_id=codec.text(row, "ordertxid"), pair=codec.text(row, "pair"),
        side=codec.side(row, "type"), price=amount(row, "price"), volume=amount(row, "vol"),
        cost=amount(row, "cost"), fee=amount(row, "fee"), maker=row.get("maker") is True,
        trade_id=codec.integer(row, "trade_id") if row.get("trade_id") is not None else 0,
        ts_us=seconds_us(row, "time"))


def trade_volume(result: codec.Row) -> TradeVolume:
    """The result of TradeVolume. Raises BadFrame."""
    taker = codec.inner(result, "fees") if result.get("fees") is not None else {}
    maker = codec.inner(result, "fees_maker") if result.get("fees_maker") is not None else taker
    return TradeVolume(
        codec.text(result, "currency"), amount(result, "volume"),
        tuple(PairFees(name, percent_e6(codec.inner(maker, name), "fee"),
                       percent_e6(codec.inner(taker, name), "fee"))
              for name, _ in named(taker)))


def percent_e6(row: codec.Row, key: str) -> int:
    """A fee in percent as millionths of the traded value. Raises BadFrame beyond 4 decimals."""
    fee = amount(row, key).scaleb(4)
    if fee != int(fee) or abs(fee) > 10**6:
        raise BadFrame(f"{key} is not a fee in percent with up to four decimals")
    return int(fee)


def pair(name: str, row: codec.Row) -> Pair:
    """One row of AssetPairs. Raises BadFrame."""
    altname = codec.text(row, "altname")
    price_precision = _precision(row, "pair_decimals")
    known = row.get("tick_size") is not None
    return Pair(
        name=name, altname=altname, symbol=symbol_of(codec.text_or(row, "wsname", altname)),
        base=codec.text(row, "base"), quote=codec.text(row, "quote"),
        status=codec.text_or(row, "status", "online"), price_precision=price_precision,
        qty_precision=_precision(row, "lot_decimals"),
        cost_precision=_precision(row, "cost_decimals"),
        tick_size=amount(row, "tick_size") if known else Decimal(1).scaleb(-price_precision),
        qty_min=amount_or(row, "ordermin"), cost_min=amount_or(row, "costmin"),
        taker_fees=_schedule(row, "fees"), maker_fees=_schedule(row, "fees_maker"))


def _precision(row: codec.Row, key: str) -> int:
    digits = codec.integer(row, key)
    if not 0 <= digits <= PRECISION_MAX:
        raise BadFrame(f"{key} {digits!s:.20} is no number of decimals")
    return digits


def _schedule(row: codec.Row, key: str) -> tuple[tuple[Decimal, int], ...]:
    """(30-day volume from which it holds, fee in millionths) of each tier."""
    tiers = row.get(key) or []
    if not isinstance(tiers, list):
        raise BadFrame(f"{key} is not an array")
    found = []
    for tier in tiers:
        if not isinstance(tier, list) or len(tier) != 2:
            raise BadFrame(f"{key} holds something that is not a tier")
        step = {"volume": tier[0], "fee": tier[1]}
        found.append((amount(step, "volume"), percent_e6(step, "fee")))
    return tuple(found)


def placed(row: codec.Row) -> Placed:
    """AddOrder's result or one row of AddOrderBatch's. Raises BadFrame."""
    if row.get("error") is not None:
        return Placed((), "", codec.text(row, "error"))
    ids = row.get("txid")
    venue_ids = texts(row, "txid") if isinstance(ids, list) else tuple(
        codec.text(row, "txid") for _ in range(ids is not None))
    told = codec.inner(row, "descr") if row.get("descr") is not None else {}
    return Placed(venue_ids, codec.text_or(told, "order"))


def api_key(result: codec.Row) -> ApiKey:
    """The result of GetApiKeyInfo. Raises BadFrame."""
    return ApiKey(codec.text_or(result, "api_key_name"),
                  frozenset(texts(result, "permissions")),
                  int(amount_or(result, "nonce_window")), int(amount_or(result, "valid_until")),
                  codec.text_or(result, "iban"))
