"""Money on the embedded exchange: nothing appears, nothing is lost, whatever clients do at once.

Several connections of one account send orders of every kind, change and cancel each other's, while
the engine's mode changes. The ledger that each of them is told is the only account of the money
that is believed here.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.counts import examples
from hftbot.config.fee_schedules import NAMES
from hftbot.exchange.accounts import Account, Movement
from hftbot.exchange.settings import Switches
from unit.exchange_client import START_US, VirtualExchange, rfc

E10 = 10**10
SYMBOLS = ("BTC/USD", "ETH/USD")
ENDED = ("filled", "canceled", "expired")
Fields = dict[str, Any]

# A price is ticks from the middle of the book, a size one of these: what makes orders meet.
AWAY = st.sampled_from((0, 0, 1, -1, 5, -5, 50, -50, 700, -700))
SIZES = {"BTC/USD": (0.0001, 0.001, 0.02, 0.5), "ETH/USD": (0.002, 0.05, 1.0)}
CLOSINGS = ({"order_type": "stop-loss", "trigger_price": -1.0, "trigger_price_type": "pct"},
            {"order_type": "trailing-stop", "trigger_price": 0.1, "trigger_price_type": "pct"},
            {"order_type": "take-profit", "trigger_price": 0.1, "trigger_price_type": "pct"})
NAMES_OF_ORDERS = [{}, {}, {"order_userref": 7}, {"sender_sub_id": "desk"},
                   *({"cl_ord_id": f"own{number}"} for number in range(4)),
                   *({"conditional": template} for template in CLOSINGS)]
MODES = ("online", "online", "online", "post_only", "cancel_only", "maintenance")


@st.composite
def orders(draw: st.DrawFn) -> Fields:
    """An order; ``away`` and ``size`` are put in when it is sent."""
    kind = draw(st.sampled_from(("limit", "limit", "limit", "market", "cash", "iceberg",
                                 "stop-loss", "take-profit-limit", "trailing-stop")))
    fields: Fields = {"kind": kind, "side": draw(st.sampled_from(("buy", "sell"))),
                      "away": draw(AWAY), "size": draw(st.integers(0, 3)),
                      "further": draw(AWAY), "more": dict(draw(st.sampled_from(NAMES_OF_ORDERS)))}
    more = fields["more"]
    if kind == "limit":
        more["time_in_force"] = draw(st.sampled_from(("gtc", "gtc", "ioc", "fok", "gtd")))
        more["post_only"] = draw(st.booleans()) and more["time_in_force"] == "gtc"
    if draw(st.booleans()):
        more["stp_type"] = draw(st.sampled_from(("cancel_newest", "cancel_oldest", "cancel_both")))
        more["fee_preference"] = draw(st.sampled_from(("base", "quote")))
    return fields


STEPS = st.lists(st.tuples(
    st.integers(0, 3), st.sampled_from(SYMBOLS),
    st.one_of(orders(), st.lists(orders(), min_size=2, max_size=4),
              st.tuples(st.sampled_from(("amend_order", "edit_order", "cancel_order",
                                         "batch_cancel")), st.integers(0, 9), AWAY,
                        st.integers(0, 3)),
              st.sampled_from(MODES), st.sampled_from(("cancel_all", "switch"))),
    st.sampled_from((0.0, 0.0, 0.001, 0.02, 0.5))), min_size=10, max_size=60)


class Desk:
    """One account, its connections, and what the first of them was told of money and orders."""

    def __init__(self, **given: Any) -> None:
        self.venue = VirtualExchange(symbols=SYMBOLS, **given)
        self.account = self.venue.face.account
        self.start = dict(self.account.balances)
        self.traders = [self.venue.trader() for _ in range(4)]
        self.booked: Counter[str] = Counter()
        self.alive: dict[str, bool] = {}

    def price(self, symbol: str, away: int) -> float:
        """So many ticks from the middle of the book."""
        market = self.venue.face.markets[SYMBOLS.index(symbol)]
        ticks = max(1, market.mid_ticks() + away) * market.listing.tick_units
        return float(Decimal(ticks).scaleb(-market.listing.price_precision))

    def written(self, symbol: str, order: Fields) -> Fields:
        """An order as it is sent."""
        kind, sizes = order["kind"], SIZES[symbol]
        qty = sizes[order["size"] % len(sizes)]
        fields: Fields = {"side": order["side"], "order_type": kind, "order_qty": qty,
                          **order["more"]}
        near, far = (self.price(symbol, order[name]) for name in ("away", "further"))
        if kind == "cash":
            del fields["order_qty"]
            fields |= {"order_type": "market", "side": "buy", "cash_order_qty": 777.77}
        elif kind == "trailing-stop":
            fields["triggers"] = {"price": 0.1, "price_type": "pct"}
        elif kind in ("stop-loss", "take-profit-limit"):
            fields["triggers"] = {"price": near}
        if kind in ("limit", "iceberg", "take-profit-limit"):
            fields["limit_price"] = far if kind == "take-profit-limit" else near
        if kind == "iceberg":
            fields["display_qty"] = qty / 2
        if fields.get("time_in_force") == "gtd":
            fields["expire_time"] = rfc((self.venue.clock.us - START_US) / 1e6 + 1.0)
        return fields

    def change(self, trader: Any, method: str, number: int, away: int, size: int) -> None:
        """Change or cancel orders that are open, whoever sent them."""
        found = list(self.venue.face.desk.orders.values())
        if not found:
            return
        order = found[number % len(found)]
        if method == "cancel_order":
            trader.ask(method, order_id=[order.order_id])
        elif method == "batch_cancel":
            trader.ask(method, orders=[each.order_id for each in found[:number + 2]])
        else:
            sizes = SIZES[order.symbol]
            fields: Fields = {"order_id": order.order_id,
                              "limit_price": self.price(order.symbol, away),
                              "order_qty": sizes[size % len(sizes)]}
            trader.ask(method, **fields, **(
                {"symbol": order.symbol} if method == "edit_order" else {}))

    def step(self, client: int, symbol: str, what: Any, seconds: float) -> None:
        """Do one thing, let time pass, and look at the account."""
        trader = self.traders[client]
        if isinstance(what, dict):
            trader.ask("add_order", symbol=symbol, **self.written(symbol, what))
        elif isinstance(what, list):
            trader.ask("batch_add", symbol=symbol,
                       orders=[self.written(symbol, order) for order in what])
        elif isinstance(what, tuple):
            self.change(trader, *what)
        elif what in MODES:
            self.venue.face.set_system(what)
        elif what == "switch":
            trader.ask("cancel_all_orders_after", timeout=1)
        else:
            trader.ask(what)
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        """Read what the first client is told, and check what is promised."""
        for message in self.venue.run(seconds, *self.traders)[0]:
            if message.get("type") != "update":
                continue
            for row in message["data"]:
                if message["channel"] == "balances":
                    self.booked[row["asset"]] += int((row["amount"] - row["fee"]) * E10)
                elif message["channel"] == "executions":
                    assert self.alive.get(row["order_id"], True), f"told after its end: {row}"
                    self.alive[row["order_id"]] = row["exec_type"] not in ENDED
        self.look()

    def look(self) -> None:
        """What is held is what open orders need, and is there."""
        held: Counter[str] = Counter()
        for order in self.venue.face.desk.orders.values():
            assert 0 <= order.filled_lots < order.lots
            held[order.hold_asset] += order.hold_e10
        for asset, amount in self.account.holds.items():
            assert amount == held[asset]
        for asset, amount in self.account.balances.items():
            assert amount >= held[asset], f"{asset}: {amount} for {held[asset]} promised"

    def close(self) -> None:
        """Cancel everything; the ledger that was told makes the balances."""
        self.venue.face.set_system("online")
        self.pass_time(1.0)
        self.traders[0].ask("cancel_all")
        self.pass_time(1.0)
        assert not any(self.account.holds.values())
        assert not any(self.alive.values())
        for asset, amount in self.account.balances.items():
            assert amount == self.start.get(asset, 0) + self.booked[asset], asset


def play(steps: list[Any], **given: Any) -> Desk:
    """Do these steps on a new exchange."""
    desk = Desk(**given)
    for step in steps:
        desk.step(*step)
    desk.close()
    return desk


@settings(max_examples=examples(40), deadline=None)
@given(steps=STEPS, seed=st.integers(0, 50), fees=st.sampled_from(NAMES),
       usd=st.sampled_from((300, 100_000)), btc=st.sampled_from((0, 2)),
       hold=st.sampled_from(("placed", "triggered")), post=st.sampled_from(("ack", "cancel")))
def test_the_ledger_makes_the_balances(steps: list[Any], seed: int, fees: str, usd: int, btc: int,
                                       hold: Any, post: Any) -> None:
    play(steps, seed=seed, fees=fees,
         balances={"USD": Decimal(usd), "BTC": Decimal(btc), "ETH": Decimal(3)},
         switches=Switches(trigger_hold=hold, post_only_reject=post, modes_stop_trading=False))


BUY: Fields = {"kind": "market", "side": "buy", "away": 0, "size": 1, "further": 0, "more": {}}
REST = BUY | {"kind": "limit", "away": -700, "more": {"time_in_force": "gtc"}}


def forget_fee(account: Account, *given: Any) -> tuple[int, Movement, Movement]:
    """Canary: the fee is taken and not told."""
    fee, base, quote = TRADE(account, *given)
    quote.fee_e10 = 0
    return fee, base, quote


def keep_hold(account: Account, asset: str, amount_e10: int) -> None:
    """Canary: what was promised is not given back."""
    HOLD(account, asset, max(0, amount_e10))


TRADE, HOLD = Account.trade, Account.hold


@pytest.mark.parametrize(("name", "canary"), [("trade", forget_fee), ("hold", keep_hold)])
def test_the_money_canaries_are_caught(monkeypatch: pytest.MonkeyPatch, name: str,
                                       canary: Any) -> None:
    steps = [(0, "BTC/USD", BUY, 0.1), (1, "BTC/USD", REST, 0.1)]
    desk = play(steps, fees="kraken")
    assert desk.venue.face.desk.counts["fills"] == 1
    assert desk.booked["USD"] < 0 < desk.booked["BTC"]
    monkeypatch.setattr(Account, name, canary)
    with pytest.raises(AssertionError):
        play(steps, fees="kraken")
