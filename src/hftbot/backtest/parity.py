"""A run's fills beside those of the backtest of the same orders, and why each pair differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from hftbot.backtest.session_market import SessionMarket, Sight, Tape, Wish
from hftbot.backtest.session_orders import Execution, SessionOrder
from hftbot.backtest.session_replay import NOT_REACHED, WOULD_TAKE, SimExecution, SimOrder
from hftbot.words.instrument import Instrument
from hftbot.words.market import Side
from hftbot.words.order import OrderState, Tif

EQUAL, TIME, PRICE, MISSED, EXTRA = "equal", "time", "price", "missed", "extra"
CAUSES = (EQUAL, TIME, PRICE, MISSED, EXTRA)
MEANING = {EQUAL: "the same lots at the same price within the tolerance",
           TIME: "the same lots at the same price, at another time",
           PRICE: "the same lots at another price",
           MISSED: "filled by the venue and not in the backtest",
           EXTRA: "filled in the backtest and not by the venue"}
TOLERANCE_NS = 5_000_000


@dataclass(frozen=True, slots=True)
class Pair:
    """A run of lots of one order that the venue, the backtest or both filled.

    ``gain`` is what the backtest made more than the venue with these lots, at the last mid and
    before fees, in quote units. ``why`` is empty for what is equal.
    """

    order: SessionOrder
    lots: int
    venue: Execution | None
    backtest: SimExecution | None
    cause: str
    gain: float
    why: str = ""

    @property
    def seen_ns(self) -> int:
        """When the bot knew of it, in the run if it was there."""
        fill = self.venue or self.backtest
        return fill.seen_ns if fill is not None else 0


@dataclass(frozen=True, slots=True)
class Account:
    """What one side's fills come to: lots and quote units at the last mid, before fees."""

    fills: int
    bought_lots: int
    sold_lots: int
    gain: float

    @property
    def position_lots(self) -> int:
        """What is held at the end, of these fills."""
        return self.bought_lots - self.sold_lots


@dataclass(slots=True)
class Comparison:
    """One instrument's fills, pair by pair in order of time."""

    instrument: Instrument
    orders: int
    venue: Account
    backtest: Account
    pairs: list[Pair] = field(default_factory=list)

    def count(self, cause: str) -> tuple[int, int, float]:
        """Pairs, lots and gain of one cause."""
        found = [pair for pair in self.pairs if pair.cause == cause]
        return len(found), sum(pair.lots for pair in found), sum(pair.gain for pair in found)

    @property
    def equal_share(self) -> float:
        """Lots filled alike (price and time) of all that either side filled; 1.0 without any."""
        total = sum(pair.lots for pair in self.pairs)
        return self.count(EQUAL)[1] / total if total else 1.0


def compare(grid: Instrument, orders: Sequence[SessionOrder], replayed: Mapping[int, SimOrder],
            market: SessionMarket, tolerance_ns: int = TOLERANCE_NS,
            partial: bool = True) -> Comparison:
    """Pair the fills of every order. ``replayed`` are SessionReplay's, by ClientId.

    ``partial`` says whether the replay's exchange fills orders in part.
    """
    legs = {order.client_id: legs_of(order, replayed.get(order.client_id, SimOrder()))
            for order in orders}
    wishes = [Wish(leg.from_ns, key, order.side, leg.ticks) for key, (order, leg) in enumerate(
        (order, leg) for order in orders for leg in legs[order.client_id])]
    sights = iter(sorted(market.sights(wishes).items()))
    seen = {client_id: [(leg, next(sights)[1]) for leg in found]
            for client_id, found in legs.items()}
    worth = Worth(grid, market.last_mid2)
    pairs = []
    for order in orders:
        sim = replayed.get(order.client_id, SimOrder())
        cases = _Case(order, sim, seen[order.client_id], market.tape, grid, partial)
        for lots, venue, backtest in split(order.executions, sim.executions):
            cause = cause_of(venue, backtest, tolerance_ns)
            gain = (worth.gain(order.side, backtest, lots) - worth.gain(order.side, venue, lots))
            pairs.append(Pair(order, lots, venue, backtest, cause, gain,
                              cases.why(cause, venue, backtest)))
    pairs.sort(key=lambda pair: pair.seen_ns)
    return Comparison(
        grid, len(orders), worth.account((one.side, one.executions) for one in orders),
        worth.account((one.side, replayed.get(one.client_id, SimOrder()).executions)
                      for one in orders), pairs)


class Leg(NamedTuple):
    """From when on an order stood at a price, by the exchange's clock in the backtest."""

    from_ns: int
    ticks: int


def legs_of(order: SessionOrder, sim: SimOrder) -> list[Leg]:
    """Where the order stood in the backtest, first to last; none if it never arrived.

    An amend is taken to travel as long as the order did.
    """
    if not sim.arrived_ns:
        return []
    travel_ns = sim.arrived_ns - order.sent_ns
    return [Leg(request.at_ns + travel_ns, request.ticks) for request in order.requests
            if request.ticks and (not sim.ended_ns or request.at_ns + travel_ns <= sim.ended_ns)]


def split(venue: Sequence[Execution], backtest: Sequence[SimExecution]
          ) -> Iterator[tuple[int, Execution | None, SimExecution | None]]:
    """Fills of one order laid beside each other lot by lot: (lots, the venue's, the backtest's)."""
    ours, theirs = list(backtest), list(venue)
    left_ours = left_theirs = 0
    at_ours = at_theirs = 0
    while at_ours < len(ours) or at_theirs < len(theirs):
        sim = ours[at_ours] if at_ours < len(ours) else None
        real = theirs[at_theirs] if at_theirs < len(theirs) else None
        left_ours = left_ours or (sim.lots if sim else 0)
        left_theirs = left_theirs or (real.lots if real else 0)
        lots = min(left for left, fill in ((left_ours, sim), (left_theirs, real)) if fill)
        yield lots, real, sim
        if sim:
            left_ours -= lots
            at_ours += left_ours == 0
        if real:
            left_theirs -= lots
            at_theirs += left_theirs == 0


def cause_of(venue: Execution | None, backtest: SimExecution | None, tolerance_ns: int) -> str:
    """Which of CAUSES a pair belongs to."""
    if backtest is None:
        return MISSED
    if venue is None:
        return EXTRA
    if venue.ticks != backtest.ticks:
        return PRICE
    return EQUAL if abs(venue.seen_ns - backtest.seen_ns) <= tolerance_ns else TIME


class AnyFill(Protocol):
    """What an account is made of."""

    @property
    def ticks(self) -> int: ...
    @property
    def lots(self) -> int: ...


class Worth:
    """Fills in quote units at the last mid, of which ``mid2`` is twice the ticks."""

    def __init__(self, grid: Instrument, mid2: int) -> None:
        self.grid = grid
        self.mid2 = mid2

    def gain(self, side: int, fill: AnyFill | None, lots: int) -> float:
        """What so many lots of a fill have made, before fees."""
        if fill is None:
            return 0.0
        return 0.5 * self.grid.worth(Side(side).sign * (self.mid2 - 2 * fill.ticks) * lots)

    def account(self, orders: Iterable[tuple[int, Sequence[AnyFill]]]) -> Account:
        """The sums of (side, fills) of each order."""
        fills, gain, lots = 0, 0.0, [0, 0]
        for side, executions in orders:
            for fill in executions:
                fills += 1
                lots[side] += fill.lots
                gain += self.gain(side, fill, fill.lots)
        return Account(fills, lots[Side.BUY], lots[Side.SELL], gain)


class _Case:
    """One order's evidence, and the sentences that it supports."""

    def __init__(self, order: SessionOrder, sim: SimOrder, seen: Sequence[tuple[Leg, Sight]],
                 tape: Tape, grid: Instrument, partial: bool) -> None:
        self.partial = partial
        self.order = order
        self.sim = sim
        self.seen = seen
        self.tape = tape
        self.grid = grid

    def why(self, cause: str, venue: Execution | None, backtest: SimExecution | None) -> str:
        """The sentence for a pair."""
        if cause == MISSED and venue is not None:
            return self.missed(venue)
        if cause == EXTRA and backtest is not None:
            return self.extra(backtest)
        if cause == EQUAL or venue is None or backtest is None:
            return ""
        return self.at_another(venue, backtest, cause)

    def at_another(self, venue: Execution, backtest: SimExecution, cause: str) -> str:
        """The same lots at another time or price."""
        apart_ns = backtest.seen_ns - venue.seen_ns
        when = (f"{abs(apart_ns) / 1e6:.1f} ms {'later' if apart_ns > 0 else 'earlier'} in the "
                "backtest")
        if cause == TIME:
            why = self.queue(backtest.exch_ns) if backtest.maker else self.touch()
            whole = not self.partial and len(self.order.executions) > 1
            return f"{when}: {why}{'; this model fills orders whole' if whole else ''}"
        better = (backtest.ticks < venue.ticks) == (self.order.side == Side.BUY)
        moved = ("; it was being moved" if len(self.order.requests) > 1 and backtest.maker else
                 f": {self.touch()}")
        return (f"{abs(backtest.ticks - venue.ticks)} ticks {'better' if better else 'worse'} in "
                f"the backtest, {when}{moved}")

    def missed(self, venue: Execution) -> str:
        """The venue filled it, the backtest did not."""
        sim = self.sim
        if not sim.arrived_ns:
            return ("its request was lost in the backtest" if sim.end == NOT_REACHED else
                    "the data end before its request arrives in the backtest")
        if sim.end == WOULD_TAKE:
            return f"post-only, and it would have traded: {self.touch()}"
        if self.order.tif in (Tif.IOC, Tif.FOK):
            return f"{self.touch()}; the recording may show what our own order left"
        if sim.end == "canceled" and sim.ended_ns < venue.seen_ns:
            return ("its cancel came first in the backtest, the venue filled it while the cancel "
                    f"was on its way; {self.queue(sim.ended_ns)}")
        return f"{self.queue(max(sim.ended_ns, venue.seen_ns))}: the queue model held it back"

    def extra(self, backtest: SimExecution) -> str:
        """The backtest filled it, the venue did not."""
        order = self.order
        if order.state == OrderState.REJECTED:
            return f"the venue refused the order, the backtest did not: {self.touch()}"
        if order.tif in (Tif.IOC, Tif.FOK) or not backtest.maker:
            return f"{self.touch()}; at the venue others took it first"
        late_ns = backtest.seen_ns - order.ended_ns
        if order.state in (OrderState.CANCELED, OrderState.EXPIRED) and late_ns > 0:
            return (f"the venue had cancelled it {late_ns / 1e6:.1f} ms before that fill was seen; "
                    f"{self.queue(backtest.exch_ns)}")
        return f"{self.queue(backtest.exch_ns)}: the queue model let it through too soon"

    def queue(self, until_ns: int) -> str:
        """What stood before a resting order where it was at that moment, and what came by."""
        legs = [pair for pair in self.seen if pair[0].from_ns <= until_ns] or self.seen[:1]
        if not legs:
            return "it never rested"
        leg, sight = legs[-1]
        here, beyond = self.tape.at_price(self.order.side, leg.ticks, leg.from_ns, until_ns)
        stood = (f"{self.size(sight.ahead)} stood at {self.grid.price_text(leg.ticks)} when it "
                 "came there")
        if not here and not beyond:
            return f"{stood}, and nothing traded there; only the book moved"
        return f"{stood}, {self.size(here)} traded there and {self.size(beyond)} beyond"

    def touch(self) -> str:
        """What a taker met."""
        if not self.seen:
            return "it never arrived"
        leg, sight = self.seen[0]
        best = sight.ask if self.order.side == Side.BUY else sight.bid
        if not best:
            return "the recorded book had no other side when it arrived"
        away = (best - leg.ticks) * Side(self.order.side).sign
        place = "at its limit" if away == 0 else \
            f"{abs(away)} ticks {'beyond' if away > 0 else 'inside'} its limit"
        return (f"when it arrived the other side's best was {self.grid.price_text(best)}, {place}, "
                f"with {self.size(sight.within)} within it")

    def size(self, lots: int) -> str:
        """A size for people."""
        return f"{self.grid.qty_text(lots)} {self.grid.base}"
