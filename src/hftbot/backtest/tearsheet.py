"""One self-contained HTML page about a backtest: figures, plots, and what was assumed.

Nothing is loaded from anywhere and there is no script; the page follows the reader's light or dark
setting, and prints.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from hftbot import __version__
from hftbot.backtest import plots
from hftbot.backtest.plots import Bar, Curve
from hftbot.backtest.report import ADVICE, Account, Durations, Report
from hftbot.backtest.report_text import (
    IN_CORE,
    NOTHING,
    brier_text,
    chosen,
    cost_line,
    decimal,
    duration,
    figures,
    heading,
    in_order,
    money,
    share,
    spoken,
)
from hftbot.backtest.tearsheet_style import STYLE

FILLS_LISTED = 200
TILE_HORIZON_S = 5
YEAR_2001_NS = 978_307_200 * 1_000_000_000
_STYLES = ("calibrated", "optimistic", "pessimistic", "fourth", "fifth", "sixth")


def tearsheet(reports: Sequence[Report]) -> str:
    """The page, for one run or for several fill models of it.

    The plots that show a single run show the calibrated one, or the first if none is called so.
    """
    reports, main = in_order(reports), chosen(reports)
    styles = _styles(reports, main)
    body = [_top(main), _tiles(reports, main)]
    for number, account in enumerate(main.accounts):
        body.append(_money_part(reports, styles, main, account, number))
    body.append(_models(reports, styles, main))
    for index in range(len(main.assets)):
        body.append(_asset_part(main, index))
    body += [_fills_part(reports, styles, main), _assumed(reports), _run(main), _fill_list(main)]
    title = f"{main.strategy}: backtest"
    return ("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(title)}</title>\n<style>{STYLE}</style></head>\n"
            f"<body><main>\n{chr(10).join(part for part in body if part)}\n</main></body></html>\n")


def _styles(reports: Sequence[Report], main: Report) -> dict[str, str]:
    """A colour for each fill model: its own name's if it has one."""
    free = [style for style in _STYLES if style not in {report.name for report in reports}]
    styles = {}
    for report in sorted(reports, key=lambda report: report is not main):
        styles[report.name] = report.name if report.name in _STYLES[:3] else (
            free.pop(0) if free else _STYLES[-1])
    return styles


def _top(main: Report) -> str:
    banner = ["Simulated on recorded data. No real money."]
    if main.in_core:
        banner.append(f"Profit with {IN_CORE}: it cannot be had.")
    return (f"<header><h1>{escape(main.strategy)}</h1><p class=\"sub\">{escape(heading(main))}</p>"
            f"<p class=\"banner\">{escape(' '.join(banner))}</p></header>")


def _tiles(reports: Sequence[Report], main: Report) -> str:
    tiles = []
    for number, account in enumerate(main.accounts):
        risk = account.risk
        profits = [report.accounts[number].profit for report in reports
                   if number < len(report.accounts)]
        under = IN_CORE if main.in_core else "after fees"
        if len(profits) > 1:
            under += f"; {money(min(profits))} to {money(max(profits))} over the models"
        tiles += [
            (f"profit, {account.currency}", money(account.profit), under),
            (f"fees, {account.currency}", money(account.fees),
             "earned as rebates" if account.fees < 0 else "paid"),
            (f"turnover, {account.currency}", money(account.turnover),
             f"profit is {decimal(account.profit_bps, 2)} bps of it"),
            (f"drawdown, {account.currency}", money(risk.drawdown_max),
             f"{risk.under_water_s:,.0f} s under water"),
            ("Sharpe", decimal(risk.sharpe, 1),
             f"Sortino {decimal(risk.sortino, 1)}; t value {decimal(risk.t_value, 1)}"),
        ]
    orders = main.orders
    tiles += [("fills", f"{main.fills:,}", f"of {orders.sent:,} orders"),
              ("fill rate", share(orders.fill_rate) if orders.sent else NOTHING,
               f"{share(orders.lots_rate)} of lots" if orders.sent else "no order sent")]
    for account in main.accounts[:1]:
        row = next(row for row in account.markouts if row.horizon_s == TILE_HORIZON_S)
        tiles.append((f"markout {row.horizon_s} s, bps",
                      f"{row.bps_mean:+.3f}" if row.count else NOTHING,
                      f"± {row.bps_error:.3f}; below 0: picked off"))
    return '<section class="tiles">' + "".join(
        f'<div class="tile"><b>{escape(name)}</b><strong>{escape(value)}</strong>'
        f"<span>{escape(under)}</span></div>" for name, value, under in tiles) + "</section>"


def _figure(title: str, drawing: str, words: str = "",
            keys: Iterable[tuple[str, str]] = ()) -> str:
    legend = "".join(f'<span class="key {style}"><i></i>{escape(label)}</span>'
                     for style, label in keys)
    legend = f'<div class="keys">{legend}</div>' if legend else ""
    return (f"<figure><figcaption><h3>{escape(title)}</h3>{legend}</figcaption>{drawing}"
            + (f"<p>{escape(words)}</p>" if words else "") + "</figure>")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], style: str = "") -> str:
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = "".join("<tr><th>" + escape(row[0]) + "</th>" + _cells(row[1:], len(head) - 1)
                    + "</tr>" for row in rows)
    top = f"<thead><tr>{cells}</tr></thead>" if head else ""
    return (f'<div class="scroll"><table{f" class={style}" if style else ""}>{top}'
            f"<tbody>{lines}</tbody></table></div>")


def _cells(cells: Sequence[str], columns: int) -> str:
    """The cells of a row; a single one spans all columns."""
    if len(cells) == 1 and columns > 1:
        return f'<td colspan="{columns}">{escape(cells[0])}</td>'
    return "".join(f"<td>{escape(cell)}</td>" for cell in cells)


def _money_part(reports: Sequence[Report], styles: dict[str, str], main: Report,
                account: Account, number: int) -> str:
    """Equity of every fill model, then profit with and without fees and the drawdown."""
    currency = account.currency
    curves = [Curve(report.name, styles[report.name], report.accounts[number].equity)
              for report in sorted(reports, key=lambda report: report is main)
              if number < len(report.accounts)]
    without = Curve("before fees", "second", account.before_fees)
    after = Curve("after fees", styles[main.name], account.equity)
    under = Curve("drawdown", "loss", account.drawdown)
    drawn = [
        _figure(f"Equity, {currency}",
                plots.lines(curves, f"Equity in {currency}", zero=True),
                "Balance, position at mid and fees paid, since the begin.",
                [(styles[report.name], report.name) for report in reports]),
        _figure(f"With and without fees, {currency}",
                plots.lines([without, after], "Profit before and after fees", zero=True,
                            high=200.0),
                keys=[(after.style, after.label), (without.style, without.label)]),
        _figure(f"Drawdown, {currency}",
                plots.lines([under], "Drawdown", high=140.0, zero=True, filled=True),
                "Below the highest equity so far."),
    ]
    return f"<section><h2>Profit</h2>{''.join(drawn)}</section>"


def _models(reports: Sequence[Report], styles: dict[str, str], main: Report) -> str:
    columns = [dict(figures(report)) for report in reports]
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = [[name, *(column.get(name, NOTHING) for column in columns)] for name in names]
    head = ["", *(report.name for report in reports)]
    words = ("<p>Nobody outside the exchange knows our place in the queue, so the same strategy "
             "ran on the same data under each of these models. Read the profit as the range "
             "between them; more fills need not mean more of it.</p>") if len(reports) > 1 else ""
    title = "Fill models side by side" if len(reports) > 1 else "Figures"
    return f"<section><h2>{title}</h2>{words}{_table(head, rows, 'figures')}</section>"


def _asset_part(main: Report, index: int) -> str:
    asset = main.assets[index]
    shown = main.fills_shown[index]
    buys = [(at, price) for at, price, side in shown if side == 0]
    sells = [(at, price) for at, price, side in shown if side == 1]
    total = sum(account.fills for account in main.accounts)
    words = ("" if len(main.assets) > 1 or len(shown) == total
             else f"{len(shown):,} of {total:,} fills are drawn.")
    mid = Curve("mid", "mid", main.prices[index])
    held = Curve("position", "calibrated", main.positions[index], stepped=True)
    row = main.inventory[index]
    return (f"<section><h2>{escape(asset.symbol)}</h2>"
            + _figure(f"Price and fills, {asset.quote}",
                      plots.prices(mid, buys, sells, f"Price of {asset.symbol} and our fills"),
                      words, [("mid", "mid"), ("buy", "our buys"), ("sell", "our sells")])
            + _figure(f"Inventory, {asset.base}",
                      plots.lines([held], f"Position in {asset.base}", high=180.0, zero=True,
                                  filled=True),
                      f"At the end {money(row.end)}; most {money(row.long_max)} long, "
                      f"{money(-row.short_max)} short; {money(row.mean_absolute)} on average; "
                      f"something held {share(row.held_share)} of the time.")
            + "</section>")


def _fills_part(reports: Sequence[Report], styles: dict[str, str], main: Report) -> str:
    """Quality of the fills: markouts, queue wait, calibration, latency."""
    parts = [_markouts(reports, styles, number) for number in range(len(main.accounts))]
    waits = [Curve(report.name, styles[report.name], report.orders.queue_wait.cumulative)
             for report in reports]
    if any(curve.points for curve in waits):
        parts.append(_figure(
            "Queue wait of orders that filled", plots.cumulative(waits, "Queue wait"),
            "From the exchange's acceptance to the first execution as maker. Orders that waited "
            "in vain are not in it.", [(curve.style, curve.label) for curve in waits]))
    parts.append(_calibration(main))
    parts.append(f"<figure><figcaption><h3>What became of the orders</h3></figcaption>"
                 f"{_outcomes(main)}</figure>")
    return ("<section><h2>Fills and latency</h2>"
            f'<div class="pair">{"".join(parts)}</div>{_latency(main)}</section>')


def _markouts(reports: Sequence[Report], styles: dict[str, str], number: int) -> str:
    rows = [(report, report.accounts[number].markouts) for report in reports
            if number < len(report.accounts)]
    groups = [(f"{row.horizon_s} s", [
        Bar(markout[place].bps_mean, markout[place].bps_error, styles[report.name],
            f"{report.name}, {row.horizon_s} s: {markout[place].bps_mean:+.3f} bps ± "
            f"{markout[place].bps_error:.3f}, {markout[place].count:,} fills")
        for report, markout in rows]) for place, row in enumerate(rows[0][1])]
    return _figure(
        "Markout (adverse selection), bps of the fill price",
        plots.bars(groups, "Markout by horizon"),
        "How the mid moved for us after a fill; below zero we were picked off. The line is one "
        "standard error each way.", [(styles[report.name], report.name) for report, _ in rows])


def _calibration(main: Report) -> str:
    rows = [row for row in main.orders.calibration if row.count]
    if not rows:
        return ""
    most = max(row.count for row in rows)
    points = [(row.predicted / row.count, row.filled / row.count, row.count / most,
               f"predicted {row.predicted / row.count:.3f}, came {row.filled / row.count:.3f}, "
               f"{row.count:,} orders, {row.canceled:,} taken back") for row in rows]
    return _figure(
        "Fill probability: predicted and come", plots.square(points, "Calibration"),
        "Across: predicted when the order left, from the queue before it and the orders that had "
        "ended by then. Up: the share that filled whole; orders that we took back count as not "
        f"filled. {brier_text(main)}. Larger circles hold more orders.")


def _latency(main: Report) -> str:
    orders = main.orders
    rows: list[tuple[str, Durations]] = [
        ("market data to us", main.feed_latency), ("orders to the exchange", orders.entry),
        ("answers back", orders.response), ("round trip", orders.round_trip),
        ("queue wait", orders.queue_wait)]
    cells = [[name, f"{row.count:,}", *(duration(ns) if row.count else NOTHING for ns in (
        row.mean_ns, row.p50_ns, row.p90_ns, row.p99_ns, row.max_ns))] for name, row in rows]
    note = f"<p>{escape(IN_CORE)}</p>" if main.in_core else ""
    table = _table(["", "count", "mean", "p50", "p90", "p99", "max"], cells, "figures")
    return ("<figure class=below><figcaption><h3>Latency and waiting</h3></figcaption>"
            f"{table}{note}</figure>")


def _outcomes(main: Report) -> str:
    orders = main.orders
    rows = [[name, f"{count:,}", share(count / orders.sent) if orders.sent else NOTHING]
            for name, count in {**orders.outcomes, "open at the end": orders.open_at_end}.items()]
    return _table(["", "orders", "share"], rows, "figures")


def _assumed(reports: Sequence[Report]) -> str:
    names = list(dict.fromkeys(name for report in reports for name, _ in report.assumptions))
    rows = []
    for name in names:
        texts = ["; ".join(text for known, text in report.assumptions if known == name) or NOTHING
                 for report in reports]
        rows.append([name, *(texts if len(set(texts)) > 1 else texts[:1])])
    return ("<section><h2>What was assumed</h2>"
            + _table(["", *(report.name for report in reports)], rows, "words")
            + "<p>Our orders do not move the recorded market: they consume no quantity, and nobody "
            "reacts to them.</p></section>")


def _run(main: Report) -> str:
    rows = [["version", f"hftbot {__version__}"], ["span", _span(main)], ["ended", main.ended]]
    for asset in main.assets:
        rows.append([asset.symbol, f"{', '.join(asset.data) or 'data not named'}; "
                     f"{asset.rows:,} rows; tick {asset.tick_size:g}, lot {asset.lot_size:g}; "
                     f"{asset.contract} contract"])
    rows.append(["sampled every", f"{main.sample_s:g} s"])
    rows += [["cost", cost_line(main)]] if main.cpu_s else []
    rows += [[f"denied: {what}", f"{count:,}"] for what, count in sorted(main.denied.items())]
    rows += [[f"refused: {what}", f"{count:,}"] for what, count in sorted(main.refused.items())]
    rows += [["note", note] for note in main.notes]
    if main.low_fill_rate:
        rows.append(["fill rate below 80 %", ADVICE])
    settings = ("<details><summary>Settings of the strategy</summary>"
                + _table([], sorted(main.settings.items()), "words") + "</details>"
                if main.settings else "")
    told = spoken(main.figures)
    figures_told = ("<details open><summary>What the strategy says</summary>"
                    + _table([], told, "words") + "</details>" if told else "")
    return (f"<section><h2>The run</h2>{_table([], rows, 'words')}{figures_told}{settings}"
            "</section>")


def _span(main: Report) -> str:
    text = f"{main.span_s:,.3f} s"
    if main.begin_ns < YEAR_2001_NS:
        return text
    begin, end = (datetime.fromtimestamp(ns // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")
                  for ns in (main.begin_ns, main.end_ns))
    return f"{text}, {begin} to {end} UTC"


def _fill_list(main: Report) -> str:
    fills = main.fill_list
    if not fills:
        return ""
    rows = []
    for fill in fills[-FILLS_LISTED:]:
        asset = main.assets[fill.asset]
        rows.append([f"{(fill.exch_ns - main.begin_ns) / 1e9:,.6f}", asset.symbol,
                     "sell" if fill.side else "buy", f"{fill.ticks * asset.tick_size:.10g}",
                     f"{fill.lots * asset.lot_size:.10g}", "maker" if fill.maker else "taker",
                     money(fill.fee), f"{(fill.seen_ns - fill.exch_ns) / 1e6:.3f}",
                     str(fill.order_id)])
    head = ["second", "symbol", "side", "price", "size", "role", "fee", "seen after, ms", "order"]
    title = (f"The last {len(rows):,} of {len(fills):,} fills" if len(rows) < len(fills)
             else f"All {len(fills):,} fills" if len(fills) > 1 else "The only fill")
    return (f"<section><details><summary>{title}</summary>{_table(head, rows, 'figures')}"
            "</details></section>")
