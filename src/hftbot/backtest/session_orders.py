"""What a run asked of its venue and what it got, out of its journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from fastcore.lane import desk as rows
from hftbot.engine.recover import KIND_FILL_TEXT, fill_text_parse
from hftbot.errors import DataError
from hftbot.store.journal_reader import JournalCopy, header_words
from hftbot.words.instrument import Instrument
from hftbot.words.order import OPERATOR, OrderState, client_id_parts

ADD, AMEND, CANCEL = "add", "amend", "cancel"
_ENDS = {int(state): state for state in OrderState if state.done}


@dataclass(slots=True)
class Request:
    """One message about an order: when it left (wall ns), and what it asked for.

    ``lots`` are the whole order's, what was filled before included; 0 for a cancel. ``open_lots``
    are what was open then. ``answered_ns`` is when the answer was here, 0 if there was none.
    """

    at_ns: int
    what: str
    ticks: int = 0
    lots: int = 0
    open_lots: int = 0
    answered_ns: int = 0


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill: ``seen_ns`` is when the bot knew, wall clock; ``fee_e10`` in 1e-10 quote units."""

    ticks: int
    lots: int
    maker: bool
    fee_e10: int
    seen_ns: int


@dataclass(slots=True)
class SessionOrder:
    """One order of the run, ``ticks`` and ``lots`` as it was last amended.

    ``ended_ns`` is 0 if the journal does not tell.
    """

    client_id: int
    instrument: int
    side: int
    tif: int
    post_only: bool
    ticks: int
    lots: int
    sent_ns: int
    requests: list[Request] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
    ended_ns: int = 0
    state: OrderState = OrderState.SENT

    @property
    def filled_lots(self) -> int:
        """What of it traded."""
        return sum(execution.lots for execution in self.executions)


@dataclass(slots=True)
class SessionOrders:
    """All orders of one run, in the order in which they were sent.

    ``settings`` is the digest of what the run was told. ``others`` counts fills of orders that the
    run did not send itself. The instruments' grids are the venue's; their limits and fees are not
    in a journal.
    """

    run: int
    strategies: str
    account: str
    settings: str
    instruments: tuple[Instrument, ...]
    orders: list[SessionOrder] = field(default_factory=list)
    others: int = 0
    first_ns: int = 0
    last_ns: int = 0

    def of(self, instrument: int) -> list[SessionOrder]:
        """The orders of one instrument."""
        return [order for order in self.orders if order.instrument == instrument]


def session_orders(copies: Sequence[JournalCopy]) -> SessionOrders:
    """Read the journal files of one run, first to last. Raises DataError for what is no run's."""
    words = header_words(copies[0].header)
    try:
        found = SessionOrders(int(words["run"]), words.get("strategies", ""),
                              words.get("account", ""), words.get("settings", ""),
                              tuple(_grids(words)))
    except (KeyError, ValueError):
        raise DataError(f"{copies[0].path}: its header does not say which run on which grids it "
                        "is: it cannot be replayed") from None
    reader = _Reader(found)
    for copy in copies:
        reader.read(copy)
    return found


def _grids(words: dict[str, str]) -> Iterator[Instrument]:
    symbols = words["symbols"].split(",")
    for index, (symbol, text) in enumerate(zip(symbols, words["grids"].split(","), strict=True)):
        price_precision, qty_precision, tick_units, lot_units = map(int, text.split(":"))
        base, _, quote = symbol.partition("/")
        yield Instrument(index, "kraken", symbol, base, quote, price_precision, qty_precision,
                         tick_units, lot_units)


class _Reader:
    def __init__(self, found: SessionOrders) -> None:
        self.found = found
        self.orders: dict[int, SessionOrder] = {}
        self.makers: dict[int, bool] = {}
        self.waiting: dict[int, tuple[SessionOrder, int]] = {}

    def read(self, copy: JournalCopy) -> None:
        for _sequence, kind, words in copy.words():
            if isinstance(words, bytes):
                if kind == KIND_FILL_TEXT:
                    self.fill_text(words)
            elif words[0]:
                self.row(kind, words)
        self.found.orders = sorted(self.orders.values(), key=lambda order: order.sent_ns)

    def row(self, kind: int, words: tuple[int, ...]) -> None:
        if kind == rows.KIND_ORDER:
            self.order(words)
            return
        order = self.orders.get(words[0])
        at_ns = 1000 * words[6]
        if order is None:
            self.found.others += kind == rows.KIND_FILL
            return
        self.found.last_ns = max(self.found.last_ns, at_ns)
        if kind == rows.KIND_FILL:
            self.fill(order, words, at_ns)
        elif kind == rows.KIND_ACK:
            self.answered(order, ADD, at_ns)
        elif kind == rows.KIND_AMEND:
            order.requests.append(Request(at_ns, AMEND, words[2], words[3],
                                          words[3] - order.filled_lots))
        elif kind == rows.KIND_AMENDED:
            order.ticks, order.lots = words[2], words[3]
            self.answered(order, AMEND, at_ns)
        elif kind == rows.KIND_CANCEL:
            order.requests.append(Request(at_ns, CANCEL))
        elif kind == rows.KIND_DONE:
            order.state, order.ended_ns = _ENDS.get(words[2], OrderState.CANCELED), at_ns
            if order.state == OrderState.CANCELED:
                self.answered(order, CANCEL, at_ns)
        elif kind == rows.KIND_DISCARD:
            del self.orders[words[0]]

    @staticmethod
    def answered(order: SessionOrder, what: str, at_ns: int) -> None:
        """The oldest request of this kind that waits for its answer has it."""
        for request in order.requests:
            if request.what == what and not request.answered_ns:
                request.answered_ns = at_ns
                return

    def order(self, words: tuple[int, ...]) -> None:
        client_id, flags, ticks, lots, _created_us, now_us = words[:6]
        if client_id_parts(client_id).strategy == OPERATOR:
            return
        at_ns = 1000 * now_us
        self.found.first_ns = self.found.first_ns or at_ns
        self.found.last_ns = max(self.found.last_ns, at_ns)
        self.orders[client_id] = SessionOrder(
            client_id, flags & 0xFFFF, flags >> 16 & 1, flags >> 20 & 0xF, bool(flags >> 24 & 1),
            ticks, lots, at_ns, [Request(at_ns, ADD, ticks, lots, lots)])

    def fill(self, order: SessionOrder, words: tuple[int, ...], at_ns: int) -> None:
        ticks, lots, fee_e10, key = words[2:6]
        self.waiting[key] = (order, len(order.executions))
        order.executions.append(Execution(ticks, lots, self.makers.get(key, order.post_only),
                                          fee_e10, at_ns))
        if order.filled_lots >= order.lots:
            order.state, order.ended_ns = OrderState.FILLED, at_ns

    def fill_text(self, payload: bytes) -> None:
        """The venue's own word on who was the maker comes before the fill's row or after it."""
        key, maker, _fill_id = fill_text_parse(payload)
        self.makers[key] = maker
        if key in self.waiting:
            order, place = self.waiting.pop(key)
            told = order.executions[place]
            order.executions[place] = Execution(told.ticks, told.lots, maker, told.fee_e10,
                                                told.seen_ns)


def requests_in_order(orders: Iterable[SessionOrder]) -> list[tuple[Request, SessionOrder]]:
    """Every request of these orders as the venue's link carried them."""
    found = [(request, order) for order in orders for request in order.requests]
    return sorted(found, key=lambda pair: pair[0].at_ns)
