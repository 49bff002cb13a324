"""bot_hft.db: fills, orders and notes in SQLite, for people. The journal is the truth, not this.

Rows are handed over in about a microsecond and written by a thread in batches. If the thread
falls behind by ``CAPACITY`` rows, or the disk refuses, rows are dropped and counted.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hftbot.errors import StoreError
from hftbot.words import crash_points

CAPACITY = 65_536
BATCH = 512
CLOSE_S = 10.0

# ts and done_ts are wall-clock microseconds; size is in base units, price and fee in quote units.
# An order's ``reason`` is why it ended, ``intent`` why its strategy wanted it.
SCHEMA = """
CREATE TABLE IF NOT EXISTS fills (
    ts INTEGER NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, size REAL NOT NULL,
    price REAL NOT NULL, fee REAL NOT NULL, client_id TEXT NOT NULL, fill_id TEXT NOT NULL,
    order_id TEXT, venue TEXT, maker INTEGER, strategy TEXT, UNIQUE (fill_id, client_id));
CREATE INDEX IF NOT EXISTS fills_ts ON fills (ts);
CREATE TABLE IF NOT EXISTS orders (
    client_id TEXT PRIMARY KEY, ts INTEGER NOT NULL, done_ts INTEGER, symbol TEXT, side TEXT,
    size REAL, price REAL, tif TEXT, state TEXT, filled REAL, order_id TEXT, venue TEXT,
    strategy TEXT, reason TEXT, intent TEXT);
CREATE INDEX IF NOT EXISTS orders_ts ON orders (ts);
CREATE TABLE IF NOT EXISTS notes (ts INTEGER NOT NULL, level TEXT, kind TEXT, text TEXT);
CREATE INDEX IF NOT EXISTS notes_ts ON notes (ts);
"""
FILL_COLUMNS = ("ts", "symbol", "side", "size", "price", "fee", "client_id", "fill_id", "order_id",
                "venue", "maker", "strategy")
ORDER_COLUMNS = ("client_id", "ts", "done_ts", "symbol", "side", "size", "price", "tif", "state",
                 "filled", "order_id", "venue", "strategy", "reason", "intent")
NOTE_COLUMNS = ("ts", "level", "kind", "text")


def _widen(database: sqlite3.Connection) -> None:
    """A database of an earlier version lacks the youngest column."""
    known = {row[1] for row in database.execute("PRAGMA table_info(orders)")}
    for column in ORDER_COLUMNS:
        if column not in known:
            database.execute(f"ALTER TABLE orders ADD COLUMN {column} TEXT")


def _insert(verb: str, table: str, columns: tuple[str, ...]) -> str:
    places = ", ".join(f":{column}" for column in columns)
    return f"{verb} INTO {table} ({', '.join(columns)}) VALUES ({places})"


_KEPT = ", ".join(f"{column} = COALESCE(excluded.{column}, orders.{column})"
                  for column in ORDER_COLUMNS[2:])
_FILL, _ORDER, _NOTE = 0, 1, 2
_STATEMENTS = (
    (_insert("INSERT", "fills", FILL_COLUMNS) + " ON CONFLICT (fill_id, client_id) DO NOTHING",
     FILL_COLUMNS),
    (_insert("INSERT", "orders", ORDER_COLUMNS) + f" ON CONFLICT (client_id) DO UPDATE SET {_KEPT}",
     ORDER_COLUMNS),
    (_insert("INSERT", "notes", NOTE_COLUMNS), NOTE_COLUMNS),
)


class LedgerDb:
    """A words.ports.Store on SQLite (WAL). Its methods never block and never raise.

    Row keys are the column names; missing ones become NULL, and a later ``order`` row updates an
    earlier one of the same client_id. ``written``, ``dropped`` and ``last_error`` tell how it goes.
    Raises StoreError if the file cannot be opened or is no database.
    """

    def __init__(self, path: Path | str, capacity: int = CAPACITY) -> None:
        self.path = Path(path)
        self.written = 0
        self.dropped = 0
        self.last_error = ""
        self._capacity = capacity
        self._rows: deque[tuple[int, Mapping[str, Any]]] = deque()
        self._taken = 0
        self._wake = threading.Event()
        self._idle = threading.Condition()
        self._closing = False
        self._identity = (0, 0)
        self._database = self._open()
        self._thread = threading.Thread(target=self._write_all, name="ledger-db", daemon=True)
        self._thread.start()

    def _open(self) -> sqlite3.Connection:
        database = None
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            facts = os.fstat(handle)
            os.close(handle)
            database = sqlite3.connect(self.path, timeout=5.0, isolation_level=None,
                                       check_same_thread=False)
            database.execute("PRAGMA journal_mode=WAL").fetchall()  # PyPy keeps it open else
            database.execute("PRAGMA synchronous=NORMAL")
            database.executescript(SCHEMA)
            _widen(database)
            self._identity = facts.st_dev, facts.st_ino
            return database
        except OSError as reason:
            raise StoreError(f"cannot write {self.path}: {reason.strerror or reason}") from None
        except sqlite3.Error as reason:
            if database is not None:
                database.close()
            raise StoreError(f"cannot use {self.path}: {reason}; move it away to begin a new one"
                             ) from None

    # -- rows

    def fill(self, row: dict[str, Any]) -> None:
        """One execution of ours."""
        self._put(_FILL, row)

    def order(self, row: dict[str, Any]) -> None:
        """An order, or news of one."""
        self._put(_ORDER, row)

    def note(self, row: dict[str, Any]) -> None:
        """Anything worth remembering: ts, level, kind, text."""
        self._put(_NOTE, row)

    def _put(self, kind: int, row: Mapping[str, Any]) -> None:
        if self._closing or len(self._rows) >= self._capacity:
            self.dropped += 1
            return
        self._rows.append((kind, row))
        if not self._wake.is_set():
            self._wake.set()

    def statistics(self) -> dict[str, Any]:
        """Rows written, dropped and waiting, and the last error."""
        return {"written": self.written, "dropped": self.dropped, "waiting": len(self._rows),
                "last_error": self.last_error}

    def loss(self) -> str:
        """How many rows were dropped, why and what mends it; empty if none was."""
        if not self.dropped:
            return ""
        return (f"{self.path} lacks {self.dropped} rows ({self.last_error or 'too many waited'}); "
                "`hftbot journal rebuild` writes it anew from the journals")

    def flush(self, timeout_s: float = CLOSE_S) -> bool:
        """Wait until everything handed over so far is written or dropped; False if it takes long.

        For the end of a run and for tests, not for the trading loop.
        """
        self._wake.set()
        with self._idle:
            return self._idle.wait_for(lambda: not self._rows and not self._taken, timeout_s)

    def close(self) -> None:
        """Write what waits, then close the file. Calling it again does nothing."""
        if self._closing:
            return
        self._closing = True
        self._wake.set()
        self._thread.join(CLOSE_S)
        if not self._thread.is_alive():
            self._database.close()

    # -- the thread

    def _write_all(self) -> None:
        while not (self._closing and not self._rows):
            self._wake.wait()
            self._wake.clear()
            while self._rows:
                self._write_batch()
            with self._idle:
                self._idle.notify_all()
            if self._closing:
                self._wake.set()

    def _write_batch(self) -> None:
        self._taken = min(len(self._rows), BATCH)
        batch = [self._rows.popleft() for _ in range(self._taken)]
        try:
            self._find_file()
            self._database.execute("BEGIN")
            for kind, row in batch:
                self._write(kind, row)
                crash_points.pass_by("mid_sqlite_batch")
            self._database.execute("COMMIT")
        except Exception as reason:  # whatever it is, the projection goes on with the next batch
            self.last_error = f"{type(reason).__name__}: {reason}"
            self.dropped += len(batch)
            self._undo()
        else:
            self.written += len(batch)
        self._taken = 0

    def _find_file(self) -> None:
        """SQLite would go on writing into a file that was deleted; we begin a new one."""
        try:
            facts = os.stat(self.path)
            if (facts.st_dev, facts.st_ino) == self._identity:
                return
        except FileNotFoundError:
            # A folder that is gone is no place for a new one: opening says so.
            self._identity = (0, 0)
        # Closed first: it removes its log by name, and the new one has the same name.
        self._database.close()
        self._database = self._open()
        self.last_error = f"{self.path} was deleted or replaced: begun anew"

    def _write(self, kind: int, row: Mapping[str, Any]) -> None:
        """One row; one that does not fit its table is counted as dropped, and the rest goes on."""
        statement, columns = _STATEMENTS[kind]
        values = {column: row.get(column) for column in columns}
        if kind != _NOTE and isinstance(values["client_id"], int):
            values["client_id"] = str(values["client_id"])
        try:
            self._database.execute(statement, values)
        except (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError,
                OverflowError) as reason:
            self.last_error = f"{type(reason).__name__}: {reason}"
            self.dropped += 1
            self.written -= 1

    def _undo(self) -> None:
        try:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
        except sqlite3.Error as reason:
            self.last_error = str(reason)
