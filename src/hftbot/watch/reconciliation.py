"""How a run found its account: a block for people, and the same as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastcore.codec.text import client_id_text
from hftbot.engine.reconcile import OrderFate, PositionDiffered, Reconciliation
from hftbot.watch.logs import stamp
from hftbot.words.events import E10
from hftbot.words.instrument import Instrument
from hftbot.words.market import Side
from hftbot.words.order import OrderState

TITLE = "RECOVERY"
WIDTH = 10


def lines(report: Reconciliation, instruments: Sequence[Instrument],
          balances_e10: Mapping[str, int]) -> list[str]:
    """One line for the earlier run, each order, each position and the cash."""
    told = [_run(report), *report.lost]
    told += [fate_line(fate, instruments) for _, fate in sorted(report.fates.items())]
    if report.fills_found:
        told.append(f"{report.fills_found} fills of earlier orders were new to us: applied")
    for external in report.externals:
        grid = instruments[external.instrument]
        what = _what(external.side, external.lots, external.ticks, grid)
        told.append(f"{external.venue_id} {what}: not ours by name, left alone, "
                    + ("counts in our exposure" if external.counted else
                       "does NOT count in our exposure"))
    told += [_position(row, report, instruments) for row in report.positions]
    told += report.remarks
    quotes = sorted({grid.quote for grid in instruments} & set(balances_e10))
    told += [f"cash {balances_e10[quote] / E10:,.6f} {quote} at the venue" for quote in quotes]
    return [f"{TITLE if not index else '':<{WIDTH}} {line}" for index, line in enumerate(told)]


def fate_line(fate: OrderFate, instruments: Sequence[Instrument]) -> str:
    """What became of one order."""
    grid = instruments[fate.instrument]
    was = "not in our journal" if fate.was is None else fate.was.name
    state = "still open" if fate.state is None else fate.state.name
    how = fate.reason
    if fate.listed:
        how = "the venue had it working" + (
            ": cancelled" if fate.state == OrderState.CANCELED else "")
    found = grid.qty_text(fate.found_lots) if fate.found_lots else "none"
    return (f"{client_id_text(fate.client_id)} "
            f"{_what(fate.side, fate.lots, fate.ticks, grid)}: was {was}, is {state}"
            + (f" ({how})" if how else "") + f"; fills found: {found}")


def content(report: Reconciliation, instruments: Sequence[Instrument]) -> dict[str, Any]:
    """For --json."""
    def symbol(index: int) -> str:
        return instruments[index].symbol

    return {
        "run": report.run, "clean": report.clean, "records": report.records,
        "last_us": report.last_us, "lost": list(report.lost), "fills_found": report.fills_found,
        "remarks": list(report.remarks),
        "orders": [{
            "cl_ord_id": client_id_text(fate.client_id), "client_id": fate.client_id,
            "symbol": symbol(fate.instrument), "side": Side(fate.side).name, "ticks": fate.ticks,
            "lots": fate.lots, "was": None if fate.was is None else fate.was.name,
            "is": None if fate.state is None else fate.state.name, "listed": fate.listed,
            "filled_lots": fate.filled_lots, "found_lots": fate.found_lots,
            "reason": fate.reason} for _, fate in sorted(report.fates.items())],
        "external": [{
            "venue_id": row.venue_id, "symbol": symbol(row.instrument),
            "side": Side(row.side).name, "ticks": row.ticks, "lots": row.lots,
            "counted": row.counted} for row in report.externals],
        "positions": [{"symbol": symbol(index), "ours_lots": ours, "venue_lots": theirs}
                      for index, ours, theirs in report.positions],
        "differences": [{
            "symbol": symbol(row.instrument), "ours_lots": row.ours_lots,
            "venue_lots": row.venue_lots, "adopted": row.adopted, "ts_us": row.ts_us}
            for row in report.differences]}


def _run(report: Reconciliation) -> str:
    if not report.run:
        return "no journal of an earlier run on this account: the venue's word counts"
    how = "stopped cleanly" if report.clean else "ended without a clean stop"
    return (f"run {report.run} {how}, its last record is of {stamp(report.last_us)} UTC; "
            f"{report.records:,} records read, "
            f"{len(report.fates)} {'order was' if len(report.fates) == 1 else 'orders were'} open")


def _position(row: tuple[int, int, int], report: Reconciliation,
              instruments: Sequence[Instrument]) -> str:
    index, ours, theirs = row
    grid = instruments[index]
    if ours == theirs:
        return f"{grid.symbol}: we hold {grid.qty_text(ours)}, and so says the venue"
    taken = any(isinstance(event, PositionDiffered) and event.adopted
                and event.instrument == index for event in report.differences)
    return (f"{grid.symbol}: we knew of {grid.qty_text(ours)}, the venue holds "
            f"{grid.qty_text(theirs)}: " + ("its word counts" if taken else
                                            "no price to take it over at"))


def _what(side: int, lots: int, ticks: int, grid: Instrument) -> str:
    return f"{Side(side).name} {grid.qty_text(lots)} {grid.symbol} at {grid.price_text(ticks)}"
