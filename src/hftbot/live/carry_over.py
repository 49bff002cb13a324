"""What a journal begins with when a run goes on in another file: everything that counts now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastcore.lane.desk import (
    KIND_ACK,
    KIND_ADOPT,
    KIND_AMEND,
    KIND_DONE,
    KIND_DOUBT,
    KIND_ORDER,
    KIND_POSITION,
    KIND_SEEN,
    KIND_STATE,
)
from hftbot.engine.recover import KEYS_MAX, LATE_US, STATE_FIRST, key_rows, state_hash
from hftbot.live.world import World
from hftbot.words.order import OrderState

Row = tuple[int, tuple[int, ...]]


def base_rows(world: World) -> list[Row]:
    """(kind, eight words) from which a replay has positions, orders, fills and day as they are.

    Between two events only: an order that is named and not yet journaled is not part of it.
    """
    now_us = world.clock.now_us()
    rows: list[Row] = [
        (KIND_POSITION, (0, position.instrument, position.lots, position.cost, position.realised,
                         position.fees_e10, now_us, since_us))
        for position, since_us in zip(world.ledger.positions, world.ledger.opened_us, strict=True)]
    table = world.engine.table
    # First what has ended: a fill of it may still come, and its moment must not be the last one.
    for handle, ended_us in world.engine.rows.ended():
        if now_us - ended_us <= LATE_US:
            rows += _ended(table.get(handle), ended_us)
    for handle in world.engine.rows.held_handles():
        rows += _open(table.get(handle), now_us)
    rows += [(KIND_SEEN, (0, 0, *keys, now_us, 0))
             for keys in key_rows(world.ledger.keys(KEYS_MAX))]
    day, profit_e10 = world.guard.day
    rows.append((KIND_STATE, (0, 0, state_hash(table, world.ledger.positions), day, profit_e10,
                              table.counter, now_us, STATE_FIRST)))
    return rows


def _flags(order: dict[str, Any]) -> int:
    return int(order["instrument"] + (order["side"] << 16) + (order["tif"] << 20)
               + (order["post_only"] << 24) + (order["strategy"] << 32))


def _ended(order: dict[str, Any], ended_us: int) -> Iterator[Row]:
    head = order["client_id"], _flags(order)
    yield KIND_ADOPT, (*head, order["ticks"], order["lots"], order["filled"], 0, ended_us,
                       order["created_us"])
    yield KIND_DONE, (*head, order["state"], order["filled"], 0, 0, ended_us, 0)


def _open(order: dict[str, Any], now_us: int) -> Iterator[Row]:
    """Rows that lead to this state; an order named but not sent is in no journal yet."""
    head, state, filled = (order["client_id"], _flags(order)), order["state"], order["filled"]
    if state == OrderState.NAMED:
        return
    if state == OrderState.SENT or (state == OrderState.DOUBT and not filled):
        # Whether a doubtful one ever arrived is not known: it counts as one that may not have.
        yield KIND_ORDER, (*head, order["ticks"], order["lots"], order["created_us"], now_us, 0, 0)
    else:
        yield KIND_ADOPT, (*head, order["ticks"], order["lots"], filled, 0, now_us,
                           order["created_us"])
        yield KIND_ACK, (*head, 0, 0, 0, 0, now_us, 0)
    if state == OrderState.DOUBT:
        yield KIND_DOUBT, (*head, 0, 0, 0, 0, now_us, 0)
    if order["wish_ticks"]:
        yield KIND_AMEND, (*head, order["wish_ticks"], order["wish_lots"], 0, 0, now_us, 0)
