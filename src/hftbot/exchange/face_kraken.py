"""Kraken as its clients see it: text in, text out, in the time and with the chance it is given.

No sockets and no sleeping here: the server (or a test in virtual time) calls ``advance`` when
``next_due_us`` comes, hands in frames and requests, and takes the frames that are due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any, Literal

from fastcore.sim.rng import SplitMix
from hftbot.exchange.accounts import dollars, new_account
from hftbot.exchange.api_keys import Gatekeeper
from hftbot.exchange.connection import Connection
from hftbot.exchange.dead_man import DeadManSwitch
from hftbot.exchange.door_limits import LEVEL3_PER_S, Doorman, SlidingCount
from hftbot.exchange.kraken_text import ListingText, Stamps
from hftbot.exchange.maintenance import Operations
from hftbot.exchange.market import Batch, Market, SyntheticMarket
from hftbot.exchange.order_desk import USER_REQUESTED, Identifiers, OrderDesk
from hftbot.exchange.orders_view import OrdersView, crowd_name
from hftbot.exchange.public_feed import PublicFeed
from hftbot.exchange.rate_counter import RateCounter
from hftbot.exchange.replay_market import Event, ReplayMarket
from hftbot.exchange.reports import Order
from hftbot.exchange.rest import Rest
from hftbot.exchange.settings import ExchangeSettings
from hftbot.words.ports import Clock, Rng

Kind = Literal["public", "private", "level3"]
START_AGAIN_US = 1_000_000
SKIP_US = 5_000_000
NEVER_US = 1 << 62
# So many things to do are kept before those that are not needed any more are looked for.
ACTIONS_MIN = 256


class KrakenFace:
    """The whole venue: markets, one account, connections, REST.

    ``secrets`` makes keys and tokens (a server passes the system's randomness); ``rng`` makes
    everything else, so that a seed repeats a run. ``markets`` are those of a follower, one for
    each listing. ``saved`` is what ``saved()`` returned before.
    """

    def __init__(self, settings: ExchangeSettings, clock: Clock, rng: Rng,
                 saved: Mapping[str, Any] | None = None,
                 events: Iterable[Event] | None = None, secrets: Rng | None = None,
                 markets: Sequence[Market] = ()) -> None:
        self.settings = settings
        self.clock = clock
        self.now_us = clock.now_us()
        self.stamps = Stamps()
        self.delays = SplitMix(rng.getrandbits(63))
        self.listings = {listing.symbol: listing for listing in settings.listed()}
        self.runs = int(saved["runs"]) + 1 if saved else 1
        self.markets = list(markets) or self.make_markets(saved or {}, events)
        self.texts = [ListingText(market.listing) for market in self.markets]
        self.feed = PublicFeed(self.texts, self.stamps, [
            OrdersView(text, market.matcher, partial(self.name_of, i))
            for i, (text, market) in enumerate(zip(self.texts, self.markets, strict=True))])
        self.views = self.feed.views
        self.account = new_account(settings.balances, settings.fees)
        self.account.clock, self.account.worth = (lambda: self.now_us), self.worth
        self.gate = Gatekeeper(secrets or rng, saved["gate"] if saved else None,
                               settings.rate_tier, int(settings.switches.rest_history_cost),
                               self.now_us, settings.switches.lockout_after,
                               settings.switches.nonce_window)
        self.desk = OrderDesk(self.account, self.markets, self.texts, settings.switches,
                              Identifiers(rng), self.stamps, RateCounter(settings.rate_tier))
        self.desk.on_scheduled = self.start_later
        self.level3_rate = SlidingCount(
            LEVEL3_PER_S["pro" if settings.rate_tier == "pro" else "standard"])
        self.system = "online"
        self.connections: list[Connection] = []
        self.rest = Rest(self)
        self.doorman = Doorman(settings.switches.connections_per_10_min)
        self.actions: list[tuple[int, int, Callable[[int], None], Callable[[], bool] | None]] = []
        self.actions_max = ACTIONS_MIN
        # What next_market found, None if a market has moved since.
        self.market_ahead: tuple[int, int] | None = None
        self.order_of_actions = count()
        self.connection_ids = rng.getrandbits(63)
        self.counts = {"frames_in": 0, "frames_out": 0, "events": 0}
        self.open(saved)
        self.operations = Operations(self)
        self.dead_man = DeadManSwitch(self, int(saved.get("dead_man_us", 0)) if saved else 0)

    def make_markets(self, saved: Mapping[str, Any],
                     events: Iterable[Event] | None) -> list[Market]:
        """One market per listing."""
        settings = self.settings
        if settings.mode == "replay":
            return [ReplayMarket(settings.listed()[0], events or (), settings.pace)]
        grids = saved["desk"]["grids"] if saved else {}
        last = {listing.symbol: saved["last_ticks"][listing.symbol]
                for listing in settings.listed() if grids.get(listing.symbol) == listing.grid}
        return [SyntheticMarket(listing, settings.seed * 1_000 + 7 * i + self.runs * 1_000_003,
                                int(last.get(listing.symbol, 0)),
                                deep=settings.switches.deep_book)
                for i, listing in enumerate(settings.listed())]

    def open(self, saved: Mapping[str, Any] | None) -> None:
        """Books, money and orders as they were; the crowd arrives around them."""
        if saved:
            self.account.balances.update(
                {asset: int(text) for asset, text in saved["balances"].items()})
            self.account.fees_paid_e10 = int(saved["fees_paid_e10"])
            self.account.volumes_e10 = {int(day): int(text) for day, text
                                        in saved.get("volumes_e10", {}).items()}
            self.account.settle_tier()
            if self.settings.mode == "synthetic":
                self.desk.restore(saved["desk"], self.now_us)
        for i, market in enumerate(self.markets):
            matcher = market.matcher
            kept = [(side, ticks, lots) for side in (0, 1)
                    for ticks, lots in matcher.levels(side, 4_096)]
            batch = market.open(self.now_us)
            batch.changes[:0] = kept
            self.feed.open(i, market.mid_ticks())
            self.publish(i, batch, self.now_us)
        if saved and self.settings.mode != "synthetic":
            self.desk.restore(saved["desk"], self.now_us)
        self.desk.drain()
        for order in self.desk.orders.values():
            if order.expire_us:
                self.expire_later(order)

    # Time.

    @property
    def finished(self) -> bool:
        """True if the recorded data is over."""
        return all(market.finished for market in self.markets)

    @property
    def halted(self) -> bool:
        """True while the engine's mode lets nobody trade: the crowd waits."""
        return self.system != "online" and self.settings.switches.modes_stop_trading

    def later(self, due_us: int, action: Callable[[int], None],
              needed: Callable[[], bool] | None = None) -> None:
        """Do something at a time; it may be forgotten once ``needed`` says no, which is for ever.

        A client may ask for things a month ahead and take them back as often as it likes.
        """
        heappush(self.actions, (due_us, next(self.order_of_actions), action, needed))
        if len(self.actions) > self.actions_max:
            self.actions[:] = [row for row in self.actions if row[3] is None or row[3]()]
            heapify(self.actions)
            self.actions_max = max(ACTIONS_MIN, 2 * len(self.actions))

    def is_open(self, order: Order) -> bool:
        """Whether an order is open still."""
        return order.order_id in self.desk.orders

    def expire_later(self, order: Order) -> None:
        """Look for GTD orders when this one is due."""
        def look(now_us: int) -> None:
            index = self.desk.index[order.symbol]
            self.publish(index, self.desk.expire(index, now_us), now_us)
            self.tell(now_us)
        self.later(order.expire_us, look, partial(self.is_open, order))

    def start_later(self, order: Order) -> None:
        """Start a scheduled order when its time comes, unless it is gone by then."""
        def begin(now_us: int) -> None:
            if not self.is_open(order):
                return
            if self.operations.mode_of(order.symbol) != "online":
                # The engine is not taking orders: it looks again.
                self.later(now_us + START_AGAIN_US, begin, partial(self.is_open, order))
            else:
                index = self.desk.index[order.symbol]
                self.publish(index, self.desk.start(index, order, now_us), now_us)
                self.tell(now_us)
        self.later(order.effective_us, begin, partial(self.is_open, order))

    def next_due_us(self) -> int | None:
        """Time of the next thing to do or frame to send, or None."""
        due: int | None = self.actions[0][0] if self.actions else None
        at, index = self.next_market()
        if index >= 0 and (due is None or at < due):
            due = at
        for connection in self.connections:
            if connection.out and (due is None or connection.out[0][0] < due):
                due = connection.out[0][0]
        return due

    def advance(self, now_us: int) -> None:
        """Do everything that is due, in the order of time. Time never goes back."""
        actions = self.actions
        while True:
            due, index = self.market_ahead or self.next_market()
            if actions and actions[0][0] <= due:
                due, index = actions[0][0], -1
            if due > now_us:
                break
            if due > self.now_us:
                self.now_us = due
            if index < 0:
                heappop(actions)[2](due)
            else:
                self.market_event(index, due)
        self.now_us = max(self.now_us, now_us)

    def next_market(self) -> tuple[int, int]:
        """When the next market moves by itself, and which; NEVER_US and -1 if none will."""
        if self.market_ahead is None:
            self.market_ahead = (NEVER_US, -1)
            for i, market in enumerate(() if self.halted else self.markets):
                at = market.next_due_us()
                if at is not None and at < self.market_ahead[0]:
                    self.market_ahead = (at, i)
        return self.market_ahead

    def skip(self, now_us: int) -> None:
        """After a pause longer than five seconds: markets go on from now."""
        if now_us - self.next_market()[0] <= SKIP_US:
            return
        self.market_ahead = None
        for market in self.markets:
            due = market.next_due_us()
            if due is not None and now_us - due > SKIP_US:
                market.skip(now_us)

    def network_us(self) -> int:
        """One way through the network."""
        latency = self.settings.latency
        if not latency.network_jitter_us:
            return latency.network_us
        return latency.network_us + int(self.delays.exponential() * latency.network_jitter_us)

    def engine_us(self) -> int:
        """Through the engine."""
        latency = self.settings.latency
        if not latency.engine_jitter_us:
            return latency.engine_us
        return latency.engine_us + int(self.delays.exponential() * latency.engine_jitter_us)

    # Public channels.

    def market_event(self, index: int, now_us: int) -> None:
        """Let a market do its next event and tell everybody."""
        self.counts["events"] += 1
        batch = self.markets[index].step(now_us)
        self.market_ahead = None
        if batch.fills or batch.cancels or batch.prints:
            self.desk.book(index, batch, now_us)
        self.publish(index, batch, now_us)
        if self.desk.reports:
            self.tell(now_us)

    def publish(self, index: int, batch: Batch, now_us: int) -> None:
        """Tell the public channels of one engine event, and of what its trades set off."""
        waiting = self.desk.waiting
        if (batch.trades or waiting.closings[index]) and self.operations.mode_of(
                self.markets[index].listing.symbol) == "online":
            waiting.follow(index, batch, now_us)
        self.feed.publish(index, batch, now_us)
        self.rest.markets.watch(index, batch.trades, self.feed.bests[index], now_us)

    def name_of(self, index: int, matcher_id: int) -> str:
        """The id under which level3 shows an order of a market."""
        own = self.desk.matched.get((index, matcher_id))
        return own.order_id if own is not None else crowd_name(index, matcher_id)

    # Private channels.

    def tell(self, now_us: int) -> None:
        """Send the desk's reports and ledger rows to whoever subscribed."""
        found, ledger = self.desk.drain()
        for connection in self.connections:
            if connection.kind != "private":
                continue
            if found:
                told = connection.wishes.texts(found, self.desk.rates, now_us)
                connection.sequenced("executions", "update", told, now_us)
            if ledger:
                connection.sequenced("balances", "update", ledger, now_us)

    def set_system(self, system: str) -> None:
        """Change the engine's mode: online, post_only, cancel_only or maintenance."""
        if self.halted and system == "online":
            for market in self.markets:
                market.skip(self.now_us)
        self.system = system
        self.market_ahead = None
        if system != "maintenance":
            self.dead_man.engine_returned(self.now_us)
        self.operations.push()

    def cancel_everything(self, now_us: int, reason: str = USER_REQUESTED) -> int:
        """Cancel all open orders; returns how many."""
        orders = list(self.desk.orders.values())
        each = self.settings.switches.cancel_all_cost == "orders"
        for order in orders:
            index = self.desk.index[order.symbol]
            self.publish(index, self.desk.cancel(order, now_us, reason, each), now_us)
        for symbol in {order.symbol for order in orders} if not each else ():
            self.desk.rates.charge(symbol, now_us, 1.0)
        self.tell(now_us)
        return len(orders)

    # What the server calls.

    def connect(self, kind: Kind) -> Connection:
        """A new WebSocket connection; its first frame is the status."""
        self.now_us = max(self.now_us, self.clock.now_us())
        self.connection_ids += 1
        connection = Connection(self, kind, self.connection_ids)
        self.connections.append(connection)
        return connection

    def http(self, method: str, path: str, headers: Mapping[str, str],
             body: bytes) -> tuple[int, dict[str, str], bytes]:
        """One REST request, answered at once."""
        self.advance(max(self.now_us, self.clock.now_us()))
        return self.rest.answer(method, path, headers, body)

    def worth(self, asset: str) -> int:
        """What one unit of an asset is worth in US dollars, 1e-10; 0 if no market tells."""
        index = self.desk.index.get(f"{asset}/USD")
        if index is None:
            return dollars(asset)
        listing = self.listings[f"{asset}/USD"]
        scale: int = 10 ** (10 - listing.price_precision)
        return self.markets[index].mid_ticks() * listing.tick_units * scale

    def status(self) -> dict[str, Any]:
        """For GET /sim/status."""
        return {"mode": self.settings.mode, "source": self.settings.source,
                "finished": self.finished, "system": self.system,
                "market_time_us": max(market.market_time_us(self.now_us)
                                      for market in self.markets),
                "now_us": self.now_us, "symbols": list(self.listings),
                "open_orders": len(self.desk.orders),
                "dead_man_us": self.dead_man.due_us, "dead_man_fired": self.dead_man.fired,
                "connections": len(self.connections),
                "fees": self.settings.fees, "runs": self.runs, "seed": self.settings.seed,
                "faults": self.settings.faults_seed,
                "latency": self.settings.latency.text(),
                "endpoint_file": str(self.settings.state_dir.absolute() / "endpoint.json"),
                **self.desk.counts, **self.counts}

    def remember(self, saved: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> None:
        """Take in the history of earlier runs; of pairs whose grid is another now, nothing."""
        grids = saved["desk"]["grids"]
        same = {symbol for symbol, listing in self.listings.items()
                if grids.get(symbol) == listing.grid}
        self.desk.history.restore(rows, same)

    def saved(self) -> dict[str, Any]:
        """Everything that the next run must know, as plain data."""
        return {"version": 1, "runs": self.runs, "mode": self.settings.mode,
                "source": self.settings.source, "gate": self.gate.saved(),
                "balances": {asset: str(e10) for asset, e10 in self.account.balances.items()},
                "fees_paid_e10": str(self.account.fees_paid_e10), "desk": self.desk.saved(),
                "volumes_e10": {str(day): str(e10)
                                for day, e10 in self.account.volumes_e10.items()},
                "dead_man_us": self.dead_man.due_us,
                "last_ticks": {market.listing.symbol: market.mid_ticks()
                               for market in self.markets}}
