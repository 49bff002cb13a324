"""``hftbot report``: what a state directory's database and journals say of its trading."""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from fastcore.lane.desk import KIND_FILL, KIND_STATE
from hftbot.config.fee_schedules import rates_e6
from hftbot.engine.ledger import fill_key
from hftbot.engine.recover import KIND_FILL_TEXT, STATE_CLEAN
from hftbot.errors import HftbotError, StoreError
from hftbot.store.journal_reader import JournalCopy, header_words, names, read_both, run_of
from hftbot.store.state_dir import hot_folder
from hftbot.watch import status, trade_report
from hftbot.watch.base_fees import BaseFees
from hftbot.watch.logs import stamp
from hftbot.watch.report import MODE_LIVE
from hftbot.watch.round_trips import TradedFill
from hftbot.words.order import client_id_parts

DATABASE = "bot_hft.db"
SPOT = ("kraken",)
KEY_WORD, MARK_WORD = 5, 7
FILLS = """
SELECT fills.ts, fills.symbol, fills.side, fills.size, fills.price, fills.fee, fills.client_id,
       fills.fill_id, fills.venue, fills.maker, fills.strategy, {intent}
FROM fills LEFT JOIN orders ON orders.client_id = fills.client_id ORDER BY fills.ts, fills.rowid
"""
ORDERS = "SELECT state, tif, reason, done_ts - ts FROM orders"


def command(folder: Path, json_wanted: bool) -> int:
    """Print the report. Also while a bot runs. Raises HftbotError or StoreError."""
    runs = _Runs(folder)
    told = figures(folder, runs)
    if json_wanted:
        print(json.dumps(told, indent=2))
    else:
        print(trade_report.text({**told, "runs": runs.lines()}))
    return 0


def figures(folder: Path, runs: _Runs) -> dict[str, Any]:
    """All figures of a state directory, as JSON takes them."""
    archived = _archived(folder)
    fills, keys, orders = _read(folder / DATABASE, runs.found, archived)
    told = {"state": str(folder), "synthetic": runs.synthetic, "runs": runs.rows,
            **trade_report.figures(fills, trade_report.order_figures(orders), len(archived))}
    base = BaseFees(lambda symbol: rates_e6("kraken", symbol))
    for fill in fills:
        if fill.spot:
            base.add_fill(fill.symbol, fill.size * fill.price, bool(fill.maker))
    told["base_fees"] = base.fees_usd
    told["remarks"] = [
        *_base_fee_remark(told),
        *(f"{size:.10g} {symbol} were sold that no fill here bought: adopted, or bought before "
          "this database began; they make no round trip"
          for symbol, size in told["sold_unbought"].items()), *runs.remarks(keys)]
    return told


def _base_fee_remark(told: dict[str, Any]) -> list[str]:
    """A profit that others would not have had is no plan: said where it differs by a hundredth."""
    paid, base = told["fills"]["fees"], told["base_fees"]
    if abs(base - paid) <= base / 100:
        return []
    said = f"fees were {paid:,.4f}; at Kraken's base fees the same fills cost {base:,.4f}"
    if told["trips"]["count"]:
        net = told["trips"]["gross"] - base
        said += f", which leaves {net:+,.4f} of the gross profit of all round trips"
    return [said]


def _archived(folder: Path) -> list[int]:
    """The last run of each account that was archived, in their order."""
    return sorted(max(runs) for one in folder.glob("archive/*/journal")
                  if (runs := [run_of(name) for name in names(one)]))


def _read(path: Path, journals: bool, archived: Sequence[int]
          ) -> tuple[list[TradedFill], set[int], list[tuple[str, str, str, int]]]:
    """(fills oldest first, their journal keys, orders) of the database."""
    if not path.exists():
        remedy = ("write it from the journals with `hftbot journal rebuild`" if journals else
                  "start a bot with `hftbot run`, or name its directory with --state")
        raise HftbotError(f"nothing to report: {path} is missing ({remedy})")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True,
                                     timeout=5.0)) as database:
            known = {row[1] for row in database.execute("PRAGMA table_info(orders)")}
            intent = "orders.intent" if "intent" in known else "NULL"
            rows = database.execute(FILLS.format(intent=intent)).fetchall()
            orders = [(str(state or "unknown"), str(tif or ""), str(reason or ""), int(wait or 0))
                      for state, tif, reason, wait in database.execute(ORDERS)]
            return ([_fill(row, archived) for row in rows],
                    {fill_key(str(row[7])) for row in rows}, orders)
    except (sqlite3.Error, TypeError, ValueError) as error:
        raise StoreError(f"cannot read {path}: {error}; `hftbot journal rebuild` writes a new one "
                         "from the journals") from None


def _fill(row: tuple[Any, ...], archived: Sequence[int]) -> TradedFill:
    ts_us, symbol, side, size, price, fee, order, _, venue, maker, strategy, intent = row
    run = client_id_parts(int(order)).run if str(order).isdecimal() else 0
    return TradedFill(int(ts_us), str(strategy or ""), str(symbol), side == "buy", float(size),
                      float(price), float(fee), str(order), str(intent or ""),
                      None if maker is None else bool(maker), venue in SPOT,
                      bisect_left(archived, run))


class _Runs:
    """What the journals say: which runs there were, how they ended, which fills they applied."""

    def __init__(self, folder: Path) -> None:
        self.rows: list[dict[str, Any]] = []
        self._keys: dict[int, int] = {}
        self._accounts: set[str] = set()
        self._damage: list[str] = []
        try:
            self._alive = status.is_alive(status.read(folder / status.STATUS_FILE))
        except HftbotError:
            self._alive = False
        try:
            for name, copy, trouble in _journals(folder):
                self._add(name, copy)
                if trouble:
                    self._damage.append(trouble)
        except OSError as error:
            raise StoreError(f"cannot read the journal of {folder}: "
                             f"{error.strerror or error}") from None

    @property
    def found(self) -> bool:
        """True if there is any journal."""
        return bool(self.rows)

    @property
    def synthetic(self) -> bool:
        """True if the journals name accounts and none of them is real."""
        return bool(self._accounts) and not any(
            account.partition(":")[0] == MODE_LIVE for account in self._accounts)

    def _add(self, name: str, copy: JournalCopy) -> None:
        words = header_words(copy.header)
        run, fills, clean = run_of(name), 0, False
        for _sequence, kind, row in copy.words():
            if isinstance(row, bytes) or kind == KIND_FILL_TEXT:
                continue
            if kind == KIND_FILL:
                fills += 1
                self._keys[row[KEY_WORD]] = run
            elif kind == KIND_STATE:
                clean = row[MARK_WORD] == STATE_CLEAN
        if words:
            self._accounts.add(words.get("account", "unknown"))
        self.rows.append({"run": run, "journal": name, "started_us": int(words.get("started", 0)),
                          "strategies": words.get("strategies", ""), "fills": fills,
                          "clean": clean})

    def lines(self) -> list[str]:
        """The runs in a few lines of text."""
        if not self.rows:
            return ["no journal is left; the database alone speaks"]
        last = self.rows[-1]
        ended = ("runs now" if self._alive else "ended cleanly" if last["clean"] else
                 "did not end cleanly")
        return [f"{len({row['run'] for row in self.rows})} in the journals; run {last['run']} "
                f"began {stamp(last['started_us'])[:19]} UTC and {ended}"]

    def remarks(self, known: set[int]) -> list[str]:
        """Where journals and database disagree, and what may mislead."""
        missing = sorted({run for key, run in self._keys.items() if key not in known})
        found = list(self._damage)
        if missing:
            count = sum(key not in known for key in self._keys)
            found.append(f"{count} fills of the runs {', '.join(map(str, missing))} are in the "
                         "journals and not in the database: figures are incomplete until `hftbot "
                         "journal rebuild`")
        if len(self._accounts) > 1:
            found.append("several accounts traded here, and their fills are counted together: "
                         + ", ".join(sorted(self._accounts)))
        return found


def _journals(folder: Path) -> Iterator[tuple[str, JournalCopy, str]]:
    """Each journal in the order in which it began: name, the longer valid copy, its damage."""
    hot = hot_folder(folder)
    for name in names(folder / "journal", hot):
        yield name, *read_both(hot / name if hot else None, folder / "journal" / name)
