"""One order with every option that Kraken knows, checked, and as the venue's own fields.

The hot path writes plain limit orders by itself (fastcore.codec.text); this is for all others.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hftbot.venue.kraken import codec
from hftbot.words.instrument import Instrument
from hftbot.words.market import Side
from hftbot.words.order import Tif

STATIC, QUOTE, PERCENT = "static", "quote", "pct"
KINDS = (STATIC, QUOTE, PERCENT)
LIMIT, MARKET, ICEBERG = "limit", "market", "iceberg"
TRAILING = ("trailing-stop", "trailing-stop-limit")
LIMITED = (LIMIT, ICEBERG, "stop-loss-limit", "take-profit-limit", "trailing-stop-limit")
TRIGGERED = ("stop-loss", "stop-loss-limit", "take-profit", "take-profit-limit", *TRAILING)
TYPES = (LIMIT, MARKET, ICEBERG, *TRIGGERED, "settle-position")
CLOSES = (LIMIT, *TRIGGERED)
STPS = ("cancel_newest", "cancel_oldest", "cancel_both")
FEES = ("base", "quote")
REFERENCES = ("last", "index")
ICEBERG_PARTS = 15
USERREF_MAX = (1 << 31) - 1
TEXT_MAX = 36
PERCENT_PRECISION = 4
_FLAGS = {"quote": "fciq", "base": "fcib"}


@dataclass(frozen=True, slots=True)
class Price:
    """A price in one of Kraken's three forms.

    ``amount`` is ticks (``static``: the price; ``quote``: its distance from the market, with
    sign) or ten-thousandths of a percent (``pct``: the same).
    """

    amount: int
    kind: str = STATIC

    def text(self, grid: Instrument) -> str:
        """The number that the WebSocket takes."""
        if self.kind == PERCENT:
            return f"{Decimal(self.amount).scaleb(-PERCENT_PRECISION):f}"
        return grid.price_text(self.amount)

    def rest_text(self, grid: Instrument) -> str:
        """The text that REST takes: distances carry their sign, percents a percent sign."""
        if self.kind == STATIC:
            return self.text(grid)
        sign = "" if self.amount < 0 else "+"
        return f"{sign}{self.text(grid)}{'%' if self.kind == PERCENT else ''}"


@dataclass(frozen=True, slots=True)
class Close:
    """The order that Kraken places when this one fills: a stop, or a limit."""

    order_type: str
    limit: Price | None = None
    trigger: Price | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What one order asks for.

    Sizes are lots, prices a Price, times wall-clock microseconds (0: none). ``client_id`` 0 sends
    no cl_ord_id, ``cash`` is the quote amount of a market order to buy. ``check`` says what the
    venue would refuse; every field that is set is sent.
    """

    instrument: Instrument
    side: Side
    lots: int = 0
    order_type: str = LIMIT
    limit: Price | None = None
    trigger: Price | None = None
    reference: str = "last"
    tif: Tif = Tif.GTC
    expire_us: int = 0
    effective_us: int = 0
    post_only: bool = False
    reduce_only: bool = False
    margin: bool = False
    client_id: int = 0
    userref: int | None = None
    display_lots: int = 0
    cash: Decimal | None = None
    fee_preference: str = ""
    stp: str = ""
    close: Close | None = None
    sender: str = ""

    def check(self) -> None:
        """Raises ValueError with the field, its value and the rule that it breaks."""
        for wrong, field, rule in self._rules():
            if wrong:
                raise ValueError(f"{field} = {getattr(self, field.split('.')[0])!r}: {rule}")

    def _rules(self) -> tuple[tuple[bool, str, str], ...]:
        limited, triggered = self.order_type in LIMITED, self.order_type in TRIGGERED
        by_cash = self.cash is not None
        iceberg = self.order_type == ICEBERG
        return (
            (self.order_type not in TYPES, "order_type", f"one of {', '.join(TYPES)}"),
            (limited != (self.limit is not None), "limit",
             f"{self.order_type} {'needs' if limited else 'takes no'} limit price"),
            (triggered != (self.trigger is not None), "trigger",
             f"{self.order_type} {'needs' if triggered else 'takes no'} trigger price"),
            *self._price_rules(),
            (self.reference not in REFERENCES, "reference", "last or index"),
            (by_cash and (self.order_type != MARKET or self.side != Side.BUY or self.margin
                          or self.lots != 0 or not (self.cash or 0) > 0), "cash",
             "a positive amount, for a market order to buy, without lots and margin"),
            (not by_cash and self.lots < 1, "lots", "at least 1"),
            (self.tif not in tuple(Tif), "tif", "one of Tif"),
            (self.tif in (Tif.IOC, Tif.FOK) and self.order_type != LIMIT, "tif",
             "IOC and FOK are for limit orders"),
            ((self.tif == Tif.GTD) != (self.expire_us > 0), "expire_us",
             "GTD needs an expiry, and nothing else takes one"),
            (self.post_only and (self.order_type not in (LIMIT, ICEBERG)
                                 or self.tif in (Tif.IOC, Tif.FOK)), "post_only",
             "for limit orders that may rest"),
            (iceberg != (self.display_lots > 0), "display_lots",
             f"{self.order_type} {'needs' if iceberg else 'takes no'} shown size"),
            (iceberg and not self.lots <= self.display_lots * ICEBERG_PARTS
             <= self.lots * ICEBERG_PARTS, "display_lots",
             f"between a {ICEBERG_PARTS}th of the size and the size"),
            (self.client_id != 0 and self.userref is not None, "userref",
             "an order has a ClientId or a userref"),
            (self.userref is not None and abs(self.userref) > USERREF_MAX, "userref",
             "a signed 32-bit number"),
            (self.client_id < 0, "client_id", "1 to 2**53, or 0 for none"),
            (self.stp not in ("", *STPS), "stp", f"one of {', '.join(STPS)}"),
            (self.fee_preference not in ("", *FEES), "fee_preference", "base or quote"),
            (len(self.sender) > TEXT_MAX or not self.sender.isprintable(), "sender",
             f"at most {TEXT_MAX} printable characters"),
            *self._close_rules())

    def _price_rules(self) -> tuple[tuple[bool, str, str], ...]:
        limit, trigger = self.limit or Price(1), self.trigger or Price(1)
        trailing = self.order_type in TRAILING and self.trigger is not None
        both = self.order_type == "trailing-stop-limit"
        return (
            (limit.kind not in KINDS or (limit.kind != STATIC and not both), "limit",
             "only a trailing-stop-limit takes a distance as its limit"),
            (limit.kind == STATIC and limit.amount < 1, "limit", "at least one tick"),
            (trigger.kind not in KINDS, "trigger", f"its kind is one of {', '.join(KINDS)}"),
            (trailing and trigger.kind == STATIC, "trigger", "a trailing stop takes a distance"),
            (trigger.kind == STATIC and trigger.amount < 1, "trigger", "at least one tick"))

    def _close_rules(self) -> tuple[tuple[bool, str, str], ...]:
        if self.close is None:
            return ()
        kind = self.close.order_type
        return (
            (kind not in CLOSES, "close", f"its order_type is one of {', '.join(CLOSES)}"),
            ((kind in LIMITED) != (self.close.limit is not None), "close",
             f"its limit does not fit {kind}"),
            ((kind in TRIGGERED) != (self.close.trigger is not None), "close",
             f"its trigger does not fit {kind}"),
            (self.client_id != 0, "close", "Kraken refuses cl_ord_id beside a conditional close; "
             "use a userref"))

    # --- the venue's fields --------------------------------------------------------------------

    def ws_params(self) -> dict[str, Any]:
        """The fields of add_order (and of a row of batch_add, which has no symbol of its own).

        Raises ValueError as ``check``.
        """
        self.check()
        grid = self.instrument
        told: dict[str, Any] = {"order_type": self.order_type, "side": self.side.name.lower()}
        if self.lots:
            told["order_qty"] = codec.Number(grid.qty_text(self.lots))
        if self.cash is not None:
            told["cash_order_qty"] = codec.Number(f"{self.cash:f}")
        if self.limit is not None:
            told["limit_price"] = codec.Number(self.limit.text(grid))
            if self.limit.kind != STATIC:
                told["limit_price_type"] = self.limit.kind
        if self.trigger is not None:
            told["triggers"] = {"reference": self.reference,
                                "price": codec.Number(self.trigger.text(grid)),
                                "price_type": self.trigger.kind}
        if self.order_type == LIMIT or self.tif != Tif.GTC:
            told["time_in_force"] = self.tif.name.lower()
        for field in ("post_only", "reduce_only", "margin"):
            if getattr(self, field):
                told[field] = True
        told.update(self._ws_rest(grid))
        return told

    def _ws_rest(self, grid: Instrument) -> dict[str, Any]:
        told: dict[str, Any] = {}
        if self.display_lots:
            told["display_qty"] = codec.Number(grid.qty_text(self.display_lots))
        if self.expire_us:
            told["expire_time"] = codec.stamp(self.expire_us, 0)
        if self.effective_us:
            told["effective_time"] = codec.stamp(self.effective_us, 0)
        if self.client_id:
            told["cl_ord_id"] = codec.client_id_text(self.client_id)
        if self.userref is not None:
            told["order_userref"] = self.userref
        for field, name in (("fee_preference", "fee_preference"), ("stp", "stp_type"),
                            ("sender", "sender_sub_id")):
            if getattr(self, field):
                told[name] = getattr(self, field)
        if self.close is not None:
            told["conditional"] = _ws_close(self.close, grid)
        return told

    def rest_params(self) -> dict[str, str]:
        """The fields of AddOrder, or of a row of AddOrderBatch. Raises ValueError as ``check``."""
        self.check()
        if self.cash is not None or self.sender or self.margin:
            raise ValueError("REST takes no cash amount, sender or margin: use the WebSocket")
        grid = self.instrument
        told = {"ordertype": self.order_type, "type": self.side.name.lower(),
                "volume": grid.qty_text(self.lots)}
        prices = [price.rest_text(grid) for price in (self.trigger, self.limit)
                  if price is not None]
        told.update(zip(("price", "price2"), prices, strict=False))
        if self.trigger is not None and self.reference != "last":
            told["trigger"] = self.reference
        if self.tif != Tif.GTC:
            told["timeinforce"] = self.tif.name
        flags = ["post"] * self.post_only + [_FLAGS[self.fee_preference]
                                             for _ in range(bool(self.fee_preference))]
        if flags:
            told["oflags"] = ",".join(flags)
        if self.expire_us:
            told["expiretm"] = str(self.expire_us // 1_000_000)
        if self.effective_us:
            told["starttm"] = str(self.effective_us // 1_000_000)
        if self.reduce_only:
            told["reduce_only"] = "true"
        if self.display_lots:
            told["displayvol"] = grid.qty_text(self.display_lots)
        if self.client_id:
            told["cl_ord_id"] = codec.client_id_text(self.client_id)
        if self.userref is not None:
            told["userref"] = str(self.userref)
        if self.stp:
            told["stptype"] = self.stp.replace("_", "-")
        if self.close is not None:
            told["close[ordertype]"] = self.close.order_type
            closing = [price.rest_text(grid) for price in (self.close.trigger, self.close.limit)
                       if price is not None]
            told.update(zip(("close[price]", "close[price2]"), closing, strict=False))
        return told


def _ws_close(close: Close, grid: Instrument) -> dict[str, Any]:
    told: dict[str, Any] = {"order_type": close.order_type}
    for name, price in (("limit_price", close.limit), ("trigger_price", close.trigger)):
        if price is not None:
            told[name] = codec.Number(price.text(grid))
            if price.kind != STATIC:
                told[name + "_type"] = price.kind
    return told
