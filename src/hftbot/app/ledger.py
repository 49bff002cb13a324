"""bot_hft.db out of the journals, should it be lost: the journal is the truth, not the database."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fastcore.lane.desk import KIND_FILL
from hftbot.engine.recover import (
    KIND_END_TEXT,
    KIND_FILL_TEXT,
    OrderEnd,
    Replay,
    ReplayedOrder,
    end_text_parse,
    fill_text_parse,
    row_records,
)
from hftbot.errors import StoreError
from hftbot.store.journal_reader import JournalCopy, header_words, names, read_both
from hftbot.store.ledger_db import CAPACITY, LedgerDb
from hftbot.store.state_dir import StateDir
from hftbot.words.instrument import Instrument
from hftbot.words.market import Side
from hftbot.words.order import OPERATOR, OPERATOR_NAME, OrderState, Tif, client_id_parts

VENUE = "kraken"
FLUSH_ROWS = CAPACITY // 2


def rebuild_missing(state: StateDir) -> list[str]:
    """Before a run: a database that is not there is written from the journals. Sentences."""
    if state.database.exists() or not names(state.journal, state.hot_journal(create=False)):
        return []
    fills, orders, remarks = rebuild(state)
    if not fills and not orders:
        return []
    return [f"{state.database} was missing: {orders} orders and {fills} fills written from the "
            "journals", *remarks]


def command(folder: Path, json_wanted: bool) -> int:
    """``hftbot journal rebuild``. Raises HftbotError."""
    with StateDir(folder) as state:
        fills, orders, remarks = rebuild(state)
        if json_wanted:
            print(json.dumps({"database": str(state.database), "fills": fills, "orders": orders,
                              "remarks": remarks}, indent=2))
        else:
            print(f"{state.database}: {orders} orders and {fills} fills from the journals")
            for remark in remarks:
                print(remark)
    return 0


def rebuild(state: StateDir) -> tuple[int, int, list[str]]:
    """Write the database anew from all journals; (fills, orders, remarks). Raises StoreError.

    Notes are not in the journals and are lost; so are the reasons of orders whose run was killed
    before it wrote them, or is older than the record that keeps them.
    """
    fresh = state.database.with_name(state.database.name + ".new")
    _remove(fresh)
    store = LedgerDb(fresh)
    fills = orders = 0
    remarks = []
    ends: dict[int, OrderEnd] = {}
    try:
        for copy in _journals(state):
            rows = _Rows(copy, ends)
            if not rows.known:
                remarks.append(f"{copy.path} does not say on what grid its prices are: left out")
                continue
            for row, is_fill in rows.all():
                (store.fill if is_fill else store.order)(row)
                fills += is_fill
                orders += not is_fill
                if (fills + orders) % FLUSH_ROWS == 0:
                    store.flush()
            ends = rows.ends
    finally:
        store.close()
    if store.dropped:
        raise StoreError(f"cannot rebuild {state.database}: {store.last_error}")
    try:
        _remove(state.database)
        os.replace(fresh, state.database)
    except OSError as error:
        raise StoreError(f"cannot replace {state.database}: {error.strerror or error}") from None
    return fills, orders, remarks


def _remove(path: Path) -> None:
    for name in (path.name, path.name + "-wal", path.name + "-shm"):
        path.with_name(name).unlink(missing_ok=True)


def _journals(state: StateDir) -> Iterator[JournalCopy]:
    """The longer valid copy of each run, in the order in which they began."""
    hot = state.hot_journal(create=False)
    found = []
    for name in names(state.journal, hot):
        copy, _trouble = read_both(hot / name if hot else None, state.journal / name)
        if copy.size:
            found.append((int(header_words(copy.header).get("started", "0")), name))
    for _started, name in sorted(found, key=lambda row: row[0]):
        yield read_both(hot / name if hot else None, state.journal / name)[0]


class _Rows:
    """The database rows of one journal. ``known``: its header says enough for prices.

    ``earlier`` are the ``ends`` of the file before: what ended there is told again at the head of
    this one, but not in words.
    """

    def __init__(self, copy: JournalCopy, earlier: Mapping[int, OrderEnd]) -> None:
        self._copy = copy
        self._earlier = earlier
        header = header_words(copy.header)
        symbols = header.get("symbols", "").split(",")
        self._strategies = dict(enumerate(header.get("strategies", "").split(","), 1))
        self._grids = [_grid(index, symbol, text) for index, (symbol, text) in enumerate(
            zip(symbols, header.get("grids", "").split(","), strict=False)) if text]
        self.known = len(self._grids) == len(symbols) > 0
        self._texts: dict[int, tuple[bool, str]] = {}
        self.ends: dict[int, OrderEnd] = {}
        self._over: list[dict[str, Any]] = []

    def all(self) -> Iterator[tuple[dict[str, Any], bool]]:
        """(row, whether it is a fill), in the order of the journal."""
        for _sequence, kind, payload in self._copy.rows():
            if kind == KIND_FILL_TEXT:
                key, maker, fill_id = fill_text_parse(payload)
                self._texts[key] = (maker, fill_id)
            elif kind == KIND_END_TEXT:
                end = end_text_parse(payload)
                self.ends[end.client_id] = end
        replay = Replay(len(self._grids))
        replay.on_over = lambda order, state: self._over.append(
            self._order(order, state, replay.last_us))
        for kind, words in row_records(self._copy.rows()):
            replay.feed(kind, words)
            if kind == KIND_FILL:
                yield self._fill(*words[:7]), True
            for row in self._over:
                yield row, False
            self._over.clear()

    def _fill(self, client_id: int, flags: int, ticks: int, lots: int, fee_e10: int, key: int,
              now_us: int) -> dict[str, Any]:
        grid = self._grids[flags & 0xFFFF]
        maker, fill_id = self._texts.get(key, (None, f"key-{key}"))
        return {"ts": now_us, "symbol": grid.symbol, "side": _side(flags >> 16 & 1),
                "size": grid.qty(lots), "price": grid.price(ticks), "fee": fee_e10 / 1e10,
                "client_id": str(client_id), "fill_id": fill_id, "venue": VENUE,
                "maker": None if maker is None else int(maker),
                "strategy": self._strategy(client_id)}

    def _order(self, order: ReplayedOrder, state: int, now_us: int) -> dict[str, Any]:
        grid = self._grids[order.instrument]
        end = self.ends.get(order.client_id) or self._earlier.get(order.client_id)
        return {"ts": order.created_us, "done_ts": end.ended_us if end else now_us,
                "reason": end.reason if end else None,
                "intent": end.intent or None if end else None, "client_id": str(order.client_id),
                "symbol": grid.symbol, "side": _side(order.side), "size": grid.qty(order.lots),
                "price": grid.price(order.ticks), "filled": grid.qty(order.filled),
                "tif": Tif(order.tif).name.lower(), "state": OrderState(state).name.lower(),
                "venue": VENUE, "strategy": self._strategy(order.client_id)}

    def _strategy(self, client_id: int) -> str:
        number = client_id_parts(client_id).strategy
        return OPERATOR_NAME if number == OPERATOR else self._strategies.get(number, "")


def _grid(index: int, symbol: str, text: str) -> Instrument:
    price_precision, qty_precision, tick_units, lot_units = map(int, text.split(":"))
    base, _, quote = symbol.partition("/")
    return Instrument(index, VENUE, symbol, base, quote, price_precision, qty_precision,
                      tick_units, lot_units)


def _side(side: int) -> str:
    return Side(side).name.lower()
