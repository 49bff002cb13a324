"""``hftbot parity``: a recorded run beside the backtest of its orders, fill by fill."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from fastcore.sim import model_codes as kinds
from fastcore.sim.fees import FeeModel
from fastcore.sim.latency import OrderLatency
from fastcore.sim.replay import Replay
from hftbot.app import backtest_models as models
from hftbot.app import journal
from hftbot.app.backtest_run import EXCHANGES
from hftbot.app.parity_again import WITHIN_E6, WITHIN_NS, Again, decide_again
from hftbot.app.strategies import build_strategy
from hftbot.app.strategy_file import BUILT_IN
from hftbot.backtest import parity
from hftbot.backtest.data import open_rows
from hftbot.backtest.parity import Account, Comparison, Pair, compare
from hftbot.backtest.session_market import SessionMarket
from hftbot.backtest.session_orders import SessionOrder, SessionOrders, session_orders
from hftbot.backtest.session_replay import SessionReplay, latency_rows, traces_of
from hftbot.config.schema import Settings
from hftbot.errors import ConfigError, DataError
from hftbot.words.instrument import Instrument

if TYPE_CHECKING:
    from hftbot.backtest.event_rows import EventRows

Times = tuple[list[int], list[int], list[int]]
SHOWN = 40


def command(options: argparse.Namespace, state: Path) -> int:
    """All that follows the flags. Raises HftbotError for what the user can mend."""
    queue = models.queue_choice(options.queue)
    if options.strategy and not options.again:
        raise ConfigError("--strategy belongs to --again: the run's own orders need no strategy")
    if options.fills not in EXCHANGES:
        raise ConfigError(f"--exchange {options.fills[:40]!r}: must be partial or no-partial")
    session = session_orders(journal.copies(state, options.run))
    if not session.orders:
        raise DataError(f"{state}: run {session.run} sent no order: there is nothing to compare")
    grid = _instrument(session, options.symbol)
    files = [part for part in options.market.split(",") if part]
    rows = open_rows(files, symbol=grid.symbol, tick_size=Decimal(grid.price_text(1)),
                     lot_size=Decimal(grid.qty_text(1)))
    orders = session.of(grid.index)
    _same_time(rows, orders, options.market)
    market = SessionMarket(rows.array, grid.tick_size, grid.lot_size)
    arrivals = market.arrivals(traces_of(orders))
    times = latency_rows(orders, arrivals, market.travel_ns)

    def latency() -> OrderLatency:
        return _latency_of(times, market.travel_ns)

    made = _replay(rows, grid, latency(), queue, options.fills)
    found = compare(grid, orders, SessionReplay(*made).run(orders), market,
                    int(options.tolerance * 1e6), options.fills == "partial")
    facts = {**_facts(session, rows, orders, queue, options), **_latencies(times, len(arrivals))}
    again = None
    if options.again:
        settings, remark = _settings(options, session)
        facts["notes"] += remark
        again = decide_again(settings, orders, rows, grid, latency, queue, options.fills,
                             market.last_mid2)
    if options.json:
        print(json.dumps({**as_json(found, facts), "again": again and _again_json(again)},
                         indent=2))
    else:
        print(text(found, facts, again, SHOWN if not options.all else len(found.pairs)))
    return 0


def _settings(options: argparse.Namespace, session: SessionOrders) -> tuple[Settings, list[str]]:
    """What the strategy is told when it decides again, and a remark if the run was told else."""
    from hftbot.app.cli import load_settings
    if options.strategy is None and session.strategies in BUILT_IN:
        options.strategy = session.strategies
    settings = load_settings(options).settings
    name = "_".join(build_strategy(settings).name.split())
    if name != session.strategies:
        raise ConfigError(f"--again: the run traded with {session.strategies}, these settings "
                          f"with {name}: give the run's own flags, --strategy among them")
    if settings.digest() == session.settings:
        return settings, []
    return settings, ["these settings are not the run's: with --again, give the same --profile, "
                      "--config and --set as the run had"]


def _latency_of(times: Times, travel_ns: int) -> OrderLatency:
    """The latency that the run's own requests had, or the market data's without any."""
    if times[0]:
        return OrderLatency.interpolated(*times)
    return OrderLatency.constant(max(0, travel_ns), max(0, travel_ns))


def _replay(rows: EventRows, grid: Instrument, latency: OrderLatency, queue: models.QueueChoice,
            fills: str) -> tuple[Replay, int]:
    """A replay of the recorded market, and the market's number in it."""
    replay = Replay()
    asset = replay.add(rows.buffer, grid.tick_size, grid.lot_size, latency,
                       FeeModel(kinds.PER_VALUE, 0.0, 0.0), queue=queue.kind, power=queue.power,
                       exchange=EXCHANGES[fills])
    return replay, asset


def _instrument(session: SessionOrders, symbol: str | None) -> Instrument:
    traded = sorted({order.instrument for order in session.orders})
    if symbol is None and len(traded) == 1:
        return session.instruments[traded[0]]
    names = {session.instruments[index].symbol: index for index in traded}
    if symbol is None:
        raise ConfigError(f"the run traded {', '.join(names)}: choose one with --symbol")
    if symbol.upper() not in names:
        raise ConfigError(f"--symbol {symbol[:40]}: the run traded {', '.join(names)}")
    return session.instruments[names[symbol.upper()]]


def _same_time(rows: EventRows, orders: Sequence[SessionOrder], name: str) -> None:
    """Refuse a recording of another time."""
    inside = sum(rows.first_ns <= order.sent_ns <= rows.last_ns for order in orders)
    if not inside:
        raise DataError(f"{name}: holds {_stamp(rows.first_ns)} to {_stamp(rows.last_ns)}, and the "
                        f"run's orders are of {_stamp(orders[0].sent_ns)} to "
                        f"{_stamp(orders[-1].sent_ns)}: give the recording that was made with "
                        "`hftbot run --record FILE`, or another --run")


def _facts(session: SessionOrders, rows: EventRows, orders: Sequence[SessionOrder],
           queue: models.QueueChoice, options: argparse.Namespace) -> dict[str, Any]:
    notes = list(rows.notes)
    outside = sum(not rows.first_ns <= order.sent_ns <= rows.last_ns for order in orders)
    if outside:
        notes.append(f"{outside} of {len(orders)} orders left outside the recorded time")
    if session.others:
        notes.append(f"{session.others} fills of orders that this run did not send are left out")
    return {"run": session.run, "strategies": session.strategies, "account": session.account,
            "market": str(options.market), "rows": rows.rows, "from": _stamp(rows.first_ns),
            "seconds": round((rows.last_ns - rows.first_ns) / 1e9, 3), "queue": queue.text,
            "exchange": options.fills, "tolerance_ms": options.tolerance, "notes": notes}


def _latencies(times: Times, traced: int) -> dict[str, Any]:
    """How long requests took: how many were answered, of how many the book shows the arrival."""
    sent, reached, answered = times
    entry_ns = [there - left for left, there in zip(sent, reached, strict=True)]
    back_ns = [back - there for there, back in zip(reached, answered, strict=True)]
    return {"requests_answered": len(sent), "requests_traced": traced,
            "entry_us": round(median(entry_ns) / 1e3, 1) if sent else None,
            "response_us": round(median(back_ns) / 1e3, 1) if sent else None}


def as_json(found: Comparison, facts: dict[str, Any]) -> dict[str, Any]:
    """The whole comparison as plain values; money in quote units, times in ns."""
    sides = {name: {**asdict(one), "position_lots": one.position_lots}
             for name, one in (("venue", found.venue), ("backtest", found.backtest))}
    causes = {}
    for cause in parity.CAUSES:
        count, lots, gain = found.count(cause)
        causes[cause] = {"pairs": count, "lots": lots, "gain": gain}
    return {**facts, "symbol": found.instrument.symbol, "orders": found.orders, **sides,
            "equal_share": found.equal_share, "causes": causes,
            "pairs": [_pair_json(pair) for pair in found.pairs]}


def _pair_json(pair: Pair) -> dict[str, Any]:
    told: dict[str, Any] = {"client_id": pair.order.client_id,
                            "side": "sell" if pair.order.side else "buy", "lots": pair.lots,
                            "cause": pair.cause, "gain": pair.gain, "why": pair.why}
    for name, fill in (("venue", pair.venue), ("backtest", pair.backtest)):
        told[name] = None if fill is None else {"ticks": fill.ticks, "maker": fill.maker,
                                                "seen_ns": fill.seen_ns}
    return told


def text(found: Comparison, facts: dict[str, Any], again: Again | None, shown: int) -> str:
    """The comparison for people: what was assumed, the sums, the causes, and each difference."""
    grid = found.instrument
    lines = [f"parity of run {facts['run']} ({facts['strategies']}) on {grid.symbol}, "
             f"{facts['from']}, {facts['seconds']:g} s, {facts['rows']} rows of {facts['market']}",
             f"backtest of the same {found.orders} orders at the same moments: queue "
             f"{facts['queue']}, fills {facts['exchange']}, {_latency(facts)}"]
    lines += [f"note: {note}" for note in facts["notes"]]
    accounts = [found.venue, found.backtest] + ([again.account] if again else [])
    lines += ["", *_sums(accounts, grid), "",
              f"{100 * found.equal_share:.1f} % of the lots were filled alike "
              f"(price equal, within {facts['tolerance_ms']:g} ms)"]
    for cause in parity.CAUSES:
        count, lots, gain = found.count(cause)
        lines.append(f"{cause:<8}{count:>6} fills {grid.qty_text(lots):>16} {grid.base} "
                     f"{gain:>+14.6f} {grid.quote}  {parity.MEANING[cause]}")
    if again:
        lines += ["", *_again_lines(again, found, grid)]
    different = [pair for pair in found.pairs if pair.cause != parity.EQUAL]
    lines += [""] * bool(different) + [_line(pair, grid) for pair in different[:shown]]
    if len(different) > shown:
        lines.append(f"{len(different) - shown} more differences: --all shows them")
    return "\n".join(lines)


def _sums(accounts: Sequence[Account], grid: Instrument) -> Iterator[str]:
    """What each side's fills come to, in columns."""
    heads = ("venue", "backtest", "decided anew")
    yield f"{'':<24}" + "".join(f"{head:>16}" for head in heads[:len(accounts)])
    for name, values in (
            ("fills", [str(one.fills) for one in accounts]),
            ("bought", [grid.qty_text(one.bought_lots) for one in accounts]),
            ("sold", [grid.qty_text(one.sold_lots) for one in accounts]),
            ("held of these", [grid.qty_text(one.position_lots) for one in accounts]),
            (f"{grid.quote} at the last mid", [f"{one.gain:+.6f}" for one in accounts])):
        yield f"{name:<24}" + "".join(f"{value:>16}" for value in values)


def _again_lines(again: Again, found: Comparison, grid: Instrument) -> Iterator[str]:
    agreed = again.agreement
    yield (f"decided anew: {again.orders} orders where the run sent {found.orders}; "
           f"{agreed.shared} of them on the same side within {WITHIN_NS / 1e6:g} ms and "
           f"{WITHIN_E6 / 100:g} bps ({again.assumed})")
    for who, decision in (("the run", agreed.first_here), ("the backtest", agreed.first_there)):
        if decision is not None:
            yield (f"first of {who} alone: {_stamp(decision.at_ns)[11:-1]} "
                   f"{'SELL' if decision.side else 'BUY'} {grid.qty_text(decision.lots)} at "
                   f"{grid.price_text(decision.ticks)}")


def _again_json(again: Again) -> dict[str, Any]:
    agreed = again.agreement
    return {**asdict(again.account), "position_lots": again.account.position_lots,
            "orders": again.orders, "fees": again.fees, "ended": again.ended,
            "exchange": again.assumed, "shared_decisions": agreed.shared,
            "first_of_run": agreed.first_here and agreed.first_here._asdict(),
            "first_of_backtest": agreed.first_there and agreed.first_there._asdict()}


def _latency(facts: dict[str, Any]) -> str:
    if not facts["requests_answered"]:
        return "order latency as the market data's, no request was answered"
    return (f"order latency of its {facts['requests_answered']} answered requests (median "
            f"{facts['entry_us'] / 1e3:.2f} ms there, {facts['response_us'] / 1e3:.2f} ms back; "
            f"the recorded book shows when {facts['requests_traced']} of them arrived)")


def _line(pair: Pair, grid: Instrument) -> str:
    prices = [f"{name} {grid.price_text(fill.ticks)}" for name, fill in
              (("venue", pair.venue), ("backtest", pair.backtest)) if fill is not None]
    return (f"{_stamp(pair.seen_ns)[11:-1]}  {pair.cause:<7}"
            f"{'SELL' if pair.order.side else 'BUY':<5}{grid.qty_text(pair.lots)} "
            f"{', '.join(prices)} ({pair.gain:+.6f} {grid.quote}): {pair.why}")


def _stamp(moment_ns: int) -> str:
    return datetime.fromtimestamp(moment_ns // 1000 / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
