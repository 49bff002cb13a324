"""A backtest's report as text and as one JSON object; several fill models stand side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hftbot.backtest.report import ADVICE, Account, Durations, Report, plain

IN_CORE = "in-core latency only, no network"
NOTHING = "-"
_ORDER = {"optimistic": 0, "calibrated": 1, "pessimistic": 2}
_SCALES = ((1, "ns"), (1_000, "us"), (1_000_000, "ms"), (1_000_000_000, "s"))


def money(amount: float, currency: str = "", digits: int = 6) -> str:
    """An amount with thousands marked, at most ``digits`` of them significant where they matter."""
    if not math.isfinite(amount):
        return NOTHING
    whole = len(str(int(abs(amount))))
    text = f"{amount:,.{min(max(digits - whole, 2), 8)}f}" if amount else "0"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{'0' if text == '-0' else text}{' ' + currency if currency else ''}"


def share(part: float) -> str:
    """A share as per cent."""
    return f"{part * 100:.1f} %" if math.isfinite(part) else NOTHING


def decimal(number: float, places: int = 2) -> str:
    """A number with thousands marked, or a dash if there is none."""
    return f"{number:,.{places}f}" if math.isfinite(number) else NOTHING


def duration(ns: float) -> str:
    """A duration in the unit that suits it."""
    size, unit = next(((size, unit) for size, unit in reversed(_SCALES) if abs(ns) >= size),
                      _SCALES[0])
    return f"{ns / size:.3g} {unit}" if ns < 1_000_000_000_000 else f"{ns / 1e9:,.0f} s"


def spread(row: Durations) -> str:
    """Median and 99th percentile of durations."""
    return f"{duration(row.p50_ns)} / {duration(row.p99_ns)}" if row.count else NOTHING


def figures(report: Report) -> list[tuple[str, str]]:
    """(name, text) rows that every fill model is compared by."""
    rows: list[tuple[str, str]] = []
    for account in report.accounts:
        several = f" ({account.currency})" if len(report.accounts) > 1 else ""
        rows += _account_figures(account, report.in_core, several)
    orders = report.orders
    rows += [
        ("fills", f"{report.fills:,}"),
        ("of them maker", share(orders.maker_fills / report.fills if report.fills else math.nan)),
        ("orders sent", f"{orders.sent:,}"),
        ("fill rate", share(orders.fill_rate if orders.sent else math.nan)),
        ("lots filled", share(orders.lots_rate if orders.sent else math.nan)),
        ("queue wait p50 / p99", spread(orders.queue_wait)),
        ("round trip p50 / p99", spread(orders.round_trip)),
        ("feed latency p50 / p99", spread(report.feed_latency)),
    ]
    for held in report.inventory:
        rows += [(f"{held.symbol} at the end", money(held.end)),
                 (f"{held.symbol} most long / short",
                  f"{money(held.long_max)} / {money(held.short_max)}"),
                 (f"{held.symbol} held, mean size", money(held.mean_absolute))]
    return rows


def _account_figures(account: Account, in_core: bool, of: str) -> list[tuple[str, str]]:
    risk, currency = account.risk, account.currency
    rows = [
        (f"profit, {currency}", money(account.profit) + (f" ({IN_CORE})" if in_core else "")),
        (f"before fees, {currency}", money(account.profit_before_fees)),
        (f"fees, {currency}", money(account.fees)),
        (f"turnover, {currency}", money(account.turnover)),
        (f"profit of turnover, bps{of}", decimal(account.profit_bps, 3)),
        (f"drawdown, {currency}", money(risk.drawdown_max)),
        (f"longest under water{of}", f"{risk.under_water_s:,.1f} s"),
        (f"Sharpe, {risk.step_s} s steps{of}", decimal(risk.sharpe)),
        (f"Sortino, {risk.step_s} s steps{of}", decimal(risk.sortino)),
        (f"t value of the profit{of}", decimal(risk.t_value)),
    ]
    rows += [(f"markout {row.horizon_s} s, bps{of}",
              f"{row.bps_mean:+.3f} ± {row.bps_error:.3f}" if row.count else NOTHING)
             for row in account.markouts]
    return rows


def spoken(told: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    """What a strategy says of itself as (name, text) rows; zeros and empty texts are left out."""
    rows: list[tuple[str, str]] = []
    for name, value in told.items():
        if isinstance(value, Mapping):
            rows += spoken(value, f"{before}{name} ")
        elif isinstance(value, list | tuple):
            rows += [(f"{before}{name}", str(item)) for item in value if item]
        elif isinstance(value, float):
            rows += [(f"{before}{name}", f"{value:.8g}")] if value else []
        elif value:
            rows.append((f"{before}{name}", str(value)))
    return rows


def heading(report: Report) -> str:
    """One line: what ran on what."""
    symbols = ", ".join(asset.symbol for asset in report.assets)
    return (f"{report.strategy} on {symbols}: {report.span_s:,.1f} s of data, "
            f"{report.rows:,} rows, {report.wakes:,} wake-ups")


def cost_line(report: Report) -> str:
    """What the run cost, or an empty text if nobody measured."""
    if not report.cpu_s:
        return ""
    return (f"{report.cpu_s:.2f} s of CPU, {report.wall_s:.2f} s, "
            f"{report.rows / report.cpu_s / 1e6:.1f} M rows a CPU second")


def report_text(reports: Sequence[Report]) -> str:
    """The summary of one run under each of its fill models, for a terminal."""
    reports, main = in_order(reports), chosen(reports)
    lines = ["BACKTEST  simulated on recorded data, no real money", heading(main)]
    lines += _data_lines(main)
    lines += ["", *compared(reports)]
    lines += ["", *_assumption_lines(reports)]
    if main.orders.calibration:
        lines += ["", *_calibration_lines(main)]
    for name, counts in (("denied by the guard", main.denied),
                         ("refused by the exchange", main.refused)):
        if counts:
            lines.append(f"{name}: " + ", ".join(f"{what} {number:,}"
                                                 for what, number in sorted(counts.items())))
    told = spoken(main.figures)
    if told:
        lines += ["", "what the strategy says", *(f"  {name}: {text}" for name, text in told), ""]
    lines += [f"note: {note}" for note in main.notes]
    if main.low_fill_rate:
        lines.append(f"fill rate below 80 %: {ADVICE}")
    lines += [line for line in (cost_line(main),) if line]
    return "\n".join(lines)


def in_order(reports: Sequence[Report]) -> list[Report]:
    """From the optimistic fill model to the pessimistic; others keep their place behind."""
    return sorted(reports, key=lambda report: _ORDER.get(report.name, len(_ORDER)))


def chosen(reports: Sequence[Report]) -> Report:
    """The report that is asked for: the calibrated one among three, else the first."""
    return next((report for report in reports if report.name == "calibrated"), reports[0])


def compared(reports: Sequence[Report]) -> list[str]:
    """A table, one column for each fill model."""
    columns = [figures(report) for report in reports]
    names = list(dict.fromkeys(name for column in columns for name, _ in column))
    cells = [["", *(report.name for report in reports)]]
    cells += [[name, *(dict(column).get(name, NOTHING) for column in columns)] for name in names]
    widths = [max(len(row[place]) for row in cells) for place in range(len(cells[0]))]
    return ["  ".join([row[0].ljust(widths[0]),
                       *(cell.rjust(width) for cell, width
                         in zip(row[1:], widths[1:], strict=True))]).rstrip() for row in cells]


def _data_lines(report: Report) -> list[str]:
    return [f"data: {', '.join(asset.data)} (tick {asset.tick_size:g}, lot {asset.lot_size:g})"
            for asset in report.assets if asset.data] + [f"ended: {report.ended}"]


def _assumption_lines(reports: Sequence[Report]) -> list[str]:
    """What all models assume, then what each one assumes differently."""
    shared = [row for row in reports[0].assumptions
              if all(row in report.assumptions for report in reports)]
    lines = ["what was assumed", *(f"  {name:<14} {text}" for name, text in shared)]
    for report in reports:
        own = [row for row in report.assumptions if row not in shared]
        lines += [f"  {report.name}:"] if own else []
        lines += [f"    {name:<14} {text}" for name, text in own]
    return lines


def brier_text(report: Report) -> str:
    """How good the predicted fill probabilities were, beside no prediction at all."""
    return (f"Brier score {report.orders.brier:.4f}; guessing the mean "
            f"every time has {report.orders.brier_of_mean:.4f}")


def _calibration_lines(report: Report) -> list[str]:
    """Predicted fill probability against what came."""
    lines = [f"fill probability, {report.name}: predicted at sending from earlier orders, and "
             f"what came ({brier_text(report)})",
             "  predicted      orders  filled  taken back"]
    lines += [f"  {row.predicted / row.count:>9.3f}  {row.count:>10,}  "
              f"{row.filled / row.count:>6.3f}  {row.canceled / row.count:>10.3f}"
              for row in report.orders.calibration if row.count]
    return lines


def report_json(reports: Sequence[Report], curves: bool = False) -> dict[str, Any]:
    """One JSON object: the chosen model's report, and all models' by name.

    Without ``curves`` the series that only plots need are left out. NaN becomes null.
    """
    models = {report.name: _object(report, curves) for report in in_order(reports)}
    return {"synthetic": True, "chosen": chosen(reports).name, "models": models}


def _object(report: Report, curves: bool) -> dict[str, Any]:
    whole: dict[str, Any] = plain(report)
    whole["fills"] = report.fills
    whole["assumptions"] = [{"name": name, "text": text} for name, text in report.assumptions]
    if report.in_core:
        whole["latency_note"] = IN_CORE
    if report.low_fill_rate:
        whole["advice"] = ADVICE
    if not curves:
        for name in ("prices", "positions", "fills_shown", "fill_list"):
            del whole[name]
        for account in whole["accounts"]:
            for name in ("equity", "before_fees", "drawdown"):
                del account[name]
        for name in ("queue_wait", "entry", "response", "round_trip"):
            del whole["orders"][name]["cumulative"]
        del whole["feed_latency"]["cumulative"]
    return whole
