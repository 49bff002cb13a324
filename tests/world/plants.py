"""Defects that bots like this one have had, to be planted in a Ring and found by the laws.

Compiled rooms cannot be spoiled from here, so the defects are planted around them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hftbot.words import events as ev
from hftbot.words.order import OrderState
from hftbot.words.secret import Secret
from laws.watch import Broken
from world.ring import Ring
from world.trial import try_seed

SEEDS = range(1, 51)
SECONDS = 30.0


def no_dedupe(ring: Ring) -> None:
    ring.world.ledger.seen = lambda fill_id: False  # type: ignore[method-assign]


def new_id_on_retry(ring: Ring) -> None:
    engine, table = ring.world.engine, ring.world.table
    told = engine._handlers[ev.OrderDoubt]

    def doubt(event: ev.OrderDoubt) -> None:
        told(event)
        handle = table.find(event.client_id)
        if handle >= 0:
            engine.router.place(table.strategy(handle), 0, table.side(handle),
                                table.ticks(handle) - 1, table.lots(handle), 1, False,
                                engine.clock.now_us(), 0)
    engine._handlers[ev.OrderDoubt] = doubt


def no_reconcile(ring: Ring) -> None:
    reconciler = ring.session.reconciler

    def seen(orders: ev.OrdersSeen) -> None:
        reconciler.listed = True
    reconciler.on_orders = seen  # type: ignore[method-assign]
    ring.session._ask_about_doubt = lambda now_ns: None  # type: ignore[method-assign]


def spoiled_fill(ring: Ring, spoil: Callable[[ev.OrderFilled], ev.OrderFilled | None]) -> None:
    handlers = ring.world.engine._handlers
    told = handlers[ev.OrderFilled]

    def filled(event: ev.OrderFilled) -> None:
        spoiled = spoil(event)
        if spoiled is not None:
            told(spoiled)
    handlers[ev.OrderFilled] = filled


def sign_error_on_sell(ring: Ring) -> None:
    def spoil(event: ev.OrderFilled) -> ev.OrderFilled:
        return replace(event, side=0, client_id=0) if event.side == 1 else event
    spoiled_fill(ring, spoil)


def one_lot_less(ring: Ring) -> None:
    spoiled_fill(ring, lambda event: replace(event, lots=max(1, event.lots - 1)))


def every_seventh_fill_lost(ring: Ring) -> None:
    count = [0]

    def spoil(event: ev.OrderFilled) -> ev.OrderFilled | None:
        count[0] += 1
        return None if count[0] % 7 == 0 else event
    spoiled_fill(ring, spoil)


def limit_that_is_none(ring: Ring) -> None:
    guard = ring.world.guard
    refresh = guard.refresh_limits

    def refreshed(*what: Any) -> None:
        refresh(*what)
        for gate in guard.gates:
            gate.position_lots_max = gate.order_value_max = 1 << 60
    guard.refresh_limits = refreshed  # type: ignore[method-assign]
    ring.world.account.gross_e10_max = 1 << 60
    for _, desk in ring.world.engine.voices:
        def placed(instrument: int, side: int, ticks: int, lots: int, *rest: Any,
                   place: Any = desk._place) -> int:
            return int(place(instrument, side, ticks, lots if side else 20 * lots, *rest))
        desk._place = placed


def timeout_means_no(ring: Ring) -> None:
    engine, table = ring.world.engine, ring.world.table

    def doubt(event: ev.OrderDoubt) -> None:
        engine._done(ev.OrderDone(event.client_id, OrderState.CANCELED,
                                  table.filled_lots(table.find(event.client_id)), "timeout",
                                  event.ts_us))
    engine._handlers[ev.OrderDoubt] = doubt


def fill_without_a_record(ring: Ring) -> None:
    position = ring.world.ledger.positions[0]

    def spoil(event: ev.OrderFilled) -> ev.OrderFilled:
        position.apply(0, event.ticks, 1, 0)
        position.apply(1, event.ticks, 1, 1)
        return event
    spoiled_fill(ring, spoil)


def sent_before_the_journal(ring: Ring) -> None:
    router = ring.world.router
    attach = router.attach

    def attached(send: Callable[[Any], None]) -> None:
        def early(frame: Any) -> None:
            text = bytes(frame)
            # As if the name were chosen after the record was written.
            send(text.replace(b'"cl_ord_id":"h', b'"cl_ord_id":"h1', 1))
        attach(early)
    router.attach = attached  # type: ignore[method-assign]


def halt_that_is_forgotten(ring: Ring) -> None:
    world = ring.world

    def halt() -> None:
        world.guard.halt("planted")
        world.account.state = 0
        world.router.admit(True)
    ring.session._stop_if_halted = lambda: None  # type: ignore[method-assign]
    world.guard.raise_to = lambda *what: world.on_halt()  # type: ignore[method-assign]
    ring.venue.loop.call_later(12.0, halt)


def stale_book(ring: Ring) -> None:
    world = ring.world
    for gate in world.gates:
        gate.book_silence_ns_max = 1 << 60
    for strategy, desk in world.engine.voices:
        # It trades on its timer, whatever the book is.
        def timer(now_us: int, strategy: Any = strategy, desk: Any = desk) -> None:
            book = desk.book(0)
            if book.has_bid() and book.has_ask() and not desk.open_orders():
                desk.place(0, 0, book.best_bid() - 50, 10_000, 1)
        strategy.on_timer = timer  # type: ignore[method-assign]


def mode_ignored(ring: Ring) -> None:
    ring.world.guard.set_mode = lambda mode, private=False: None  # type: ignore[method-assign]


def secret_in_a_note(ring: Ring) -> None:
    world = ring.world
    set_token = world.set_token

    def told(token: Secret) -> None:
        set_token(token)
        world.notes.info(f"logged in with {token.reveal()}")
    world.set_token = told  # type: ignore[method-assign]


def frames_lost(ring: Ring) -> None:
    gateway, count = ring.world.gateway, [0]
    read = gateway.on_frame

    def on_frame(data: Any, recv_ns: int) -> list[Any]:
        count[0] += 1
        return [] if count[0] % 100 == 0 else read(data, recv_ns)
    gateway.on_frame = on_frame  # type: ignore[method-assign]


PLANTS: dict[str, tuple[Callable[[Ring], None], int]] = {
    "order sent before the journal": (sent_before_the_journal, 1),
    "no fill dedupe": (no_dedupe, 2),
    "one lot less": (one_lot_less, 2),
    "every seventh fill lost": (every_seventh_fill_lost, 3),
    "sign error on sell": (sign_error_on_sell, 3),
    "new id on retry": (new_id_on_retry, 4),
    "timeout means no": (timeout_means_no, 4),
    "limit that is none": (limit_that_is_none, 5),
    "stale book": (stale_book, 6),
    "halt that is forgotten": (halt_that_is_forgotten, 7),
    "every hundredth frame lost": (frames_lost, 8),
    "fill without a record": (fill_without_a_record, 9),
    "secret in a note": (secret_in_a_note, 10),
    "mode ignored": (mode_ignored, 11),
    "no reconcile": (no_reconcile, 12),
}
"""Name to the defect, and the law that it breaks."""


def caught(name: str) -> tuple[int, Broken] | None:
    """The first seed that finds it, and what it says."""
    plant, law = PLANTS[name]
    for seed in SEEDS:
        for broken in try_seed(seed, SECONDS, plant).broken:
            if broken.law == law:
                return seed, broken
    return None
