"""What a run prints: banner, progress lines, summary, and the JSON object. Pure functions.

Facts come in as dataclasses; text goes out. Money is floats here: these are figures for people.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from hftbot import __version__
from hftbot.config.fee_schedules import VOLUMES_USD, rates_e6
from hftbot.config.schema import Settings
from hftbot.watch.logs import stamp
from hftbot.watch.markouts import Markout

MODE_SIMULATED, MODE_REPLAY, MODE_DRY, MODE_LIVE = "sim", "replay", "live-dry", "live"
MODE_PAPER = "paper"
_BANNERS = {
    MODE_SIMULATED: "SIMULATED: no key, no network, no real money",
    MODE_REPLAY: "SIMULATED on recorded data: no key, no network, no real money",
    MODE_PAPER: "PAPER: a real market, our orders filled by a model, no real money",
    MODE_DRY: "LIVE MARKET, DRY RUN: orders are printed and journaled, none is sent",
    MODE_LIVE: "LIVE: REAL MONEY",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BannerFacts:
    """What the banner says beside the settings.

    ``mode`` one of the MODE_ words; ``market`` one line on where prices come from; ``urls`` the
    venue's addresses; ``latency`` one line on the latency model; ``journal`` where the hot journal
    lies; ``guardian`` what it does, or that there is none; ``core`` compiled or interpreted;
    ``fees`` the account's own and where they are from, ``base_fees`` what base fees would mean.
    """

    mode: str
    market: str
    latency: str
    state_dir: str
    origin: str = "defaults"
    urls: tuple[str, ...] = ()
    fees: str = ""
    base_fees: str = ""
    journal: str = ""
    guardian: str = ""
    core: str = "compiled"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PositionLine:
    """One open position. Size in base units, signed; prices and profit in quote units.

    ``mark_price`` is 0 and so is the profit if there is no price.
    """

    symbol: str
    size: float
    average_price: float
    mark_price: float
    unrealised_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counts and money of a run so far. Quote units; ``realised_usd`` is before fees."""

    mode: str
    venues: tuple[str, ...]
    duration_s: float
    orders_sent: int = 0
    fills: int = 0
    rejects: int = 0
    doubts: int = 0
    denied: Mapping[str, int] = field(default_factory=dict)
    positions: tuple[PositionLine, ...] = ()
    realised_usd: float = 0.0
    unrealised_usd: float = 0.0
    fees_usd: float = 0.0
    base_fees_usd: float = 0.0  # what the same fills would cost at the venue's base fees
    open_orders: int = 0
    halted: str = ""  # why the guard halted, if it did
    ended: str = ""  # why the run ended
    dry: int = 0  # requests that a dry run wrote down instead of sending them
    closed: tuple[str, ...] = ()  # what closing each position came to
    # By strategy name what its statistics() say; the summary leaves zeros and empty texts out.
    strategy: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def pnl_usd(self) -> float:
        """Realised plus unrealised at mid, minus fees."""
        return self.realised_usd + self.unrealised_usd - self.fees_usd

    @property
    def pnl_usd_at_base_fees(self) -> float:
        """The same trades' result, had they paid the venue's base fees."""
        return self.realised_usd + self.unrealised_usd - self.base_fees_usd

    @property
    def synthetic(self) -> bool:
        """True if no real money was involved."""
        return self.mode != MODE_LIVE


def pays_less(totals: Totals) -> bool:
    """True if base fees would have made another result of the same trades."""
    return bool(totals.fills) and (abs(totals.base_fees_usd - totals.fees_usd)
                                   > totals.base_fees_usd / 100)


def banner(settings: Settings, facts: BannerFacts) -> str:
    """The first thing a user sees: what is real here and what is not."""
    rows = [("market", facts.market), ("addresses", " ".join(facts.urls)),
            ("fees", "; ".join(filter(None, (_fees(settings, facts.mode), facts.fees)))),
            ("base fees", facts.base_fees), ("latency", facts.latency),
            ("strategy", f"{settings.strategy} on {', '.join(settings.symbols)}"),
            ("limits", _limits(settings)), ("at exit", _ending(settings)),
            ("settings", f"{facts.origin} ({settings.digest()})"),
            ("state", facts.state_dir), ("journal", facts.journal),
            ("guardian", facts.guardian), ("core", facts.core)]
    lines = [f"hftbot {__version__}  {_BANNERS[facts.mode]}"]
    lines += [f"  {name:<10} {text}" for name, text in rows if text]
    lines += [f"  {'note':<10} {note}" for note in facts.notes]
    kept = "kept" if settings.on_stop == "hold" else "closed"
    lines.append(f"Ctrl-C stops: no new orders, all orders cancelled, positions {kept}.")
    return "\n".join(lines)


def _ending(settings: Settings) -> str:
    """What becomes of positions."""
    words = {"hold": "positions are held", "flatten": "positions are closed by IOC in the collar"}
    return (f"stop: {words[settings.on_stop]} (ON_STOP={settings.on_stop}); halt: "
            f"{words[settings.on_halt]} (ON_HALT={settings.on_halt})")


def _fees(settings: Settings, mode: str) -> str:
    if mode in (MODE_DRY, MODE_LIVE):
        return "the account's own, as the venue reports them"
    if settings.fees == "free":
        return ("0: the embedded account trades free, as the strategy's premise is; a real base "
                "account pays (--fees kraken)")
    maker, taker = rates_e6(settings.fees, "BTC/USD")
    volume = VOLUMES_USD[settings.fees]
    tier = f"from {volume} USD in 30 days" if volume else "base tier"
    return (f"Kraken's public schedule, {tier}: {maker / 1e4:.2f} % maker, "
            f"{taker / 1e4:.2f} % taker")


def _limits(settings: Settings) -> str:
    return (f"order {settings.order_value_usd_max} USD, position {settings.position_usd_max} USD, "
            f"all {settings.gross_usd_max} USD, loss {settings.loss_usd_day_max} USD a day, "
            f"{settings.max_orders_per_min} messages a minute")


def progress_line(now_us: int, totals: Totals, tops: Sequence[tuple[str, str, str]] = (),
                  latency: Mapping[str, Mapping[str, float]] | None = None) -> str:
    """One line with a microsecond stamp. ``tops`` are (symbol, bid text, ask text)."""
    parts = [f"{stamp(now_us)}  {totals.duration_s:.1f} s"]
    parts += [f"{symbol} {bid}/{ask}" for symbol, bid, ask in tops]
    parts.append(f"orders {totals.orders_sent}, fills {totals.fills}")
    if totals.rejects or totals.doubts:
        parts.append(f"rejects {totals.rejects}, doubts {totals.doubts}")
    held = ", ".join(f"{_size(line.size)} {line.symbol.split('/')[0]}" for line in totals.positions)
    parts.append(f"position {held or 'flat'}")
    parts.append(f"pnl {_money(totals.pnl_usd)}{' synthetic' if totals.synthetic else ''}")
    row = (latency or {}).get("loop_iteration")
    if row and row.get("count"):
        parts.append(f"loop latency p50 {row['p50_us']:.1f}µs p99 {row['p99_us']:.1f}µs")
    return "  ".join(parts)


def summary(totals: Totals, markouts: Sequence[Markout] = (), files: Sequence[str] = ()) -> str:
    """The end of a run, for people."""
    title = {MODE_DRY: "SUMMARY (dry run: no order was sent)",
             MODE_LIVE: "SUMMARY"}.get(totals.mode, "SUMMARY (simulated)")
    ended = f": {totals.ended}" if totals.ended else ""
    lines = ["=" * 80, title, "=" * 80, f"Ran        {totals.duration_s:.1f} s{ended}"]
    if totals.halted:
        lines.append(f"HALTED     {totals.halted}")
    sent = (f"none sent, {totals.dry:,} requests written down (DRY)"
            if totals.mode == MODE_DRY else f"{totals.orders_sent:,} sent")
    lines.append(f"Orders     {sent}, {totals.fills:,} {_fills(totals.fills)}, "
                 f"{totals.rejects:,} rejected, {totals.doubts:,} in doubt, "
                 f"{totals.open_orders:,} open at exit")
    if totals.denied:
        denied = ", ".join(f"{name} {count:,}" for name, count in
                           sorted(totals.denied.items(), key=lambda item: -item[1]))
        lines.append(f"Denied     {denied} (by our own guard; never sent)")
    lines += [f"{'Closed' if not index else '':<10} {text}"
              for index, text in enumerate(totals.closed)]
    lines += _positions(totals)
    lines += _profit(totals, markouts)
    for name, counters in totals.strategy.items():
        lines += strategy_lines(name, counters)
    lines += [f"{'Files' if not index else '':<10} {file}" for index, file in enumerate(files)]
    lines.append("=" * 80)
    return "\n".join(lines)


def strategy_lines(name: str, counters: Mapping[str, Any]) -> list[str]:
    """What a strategy counted: one line of figures, one for each group of them, and its hints."""
    groups = {key: value for key, value in counters.items() if _is_group(value)}
    hints = counters.get("hints")
    hints = [str(hint) for hint in hints] if isinstance(hints, list) else []
    text = ", ".join(f"{key} {_plain(value)}" for key, value in counters.items()
                     if value and key not in groups and key != "hints")
    lines = [f"Strategy   {name}: {text or 'all figures are zero'}"]
    for key, rows in groups.items():
        lines += [f"           {key} {inner}: {_row(row)}" for inner, row in rows.items()
                  if any(row.values())]
    return [*lines, *(f"Hint       {hint}" for hint in hints)]


def _is_group(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(
        isinstance(row, Mapping) for row in value.values())


def _row(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {_plain(value)}" for key, value in row.items() if value)


def _fills(count: int) -> str:
    return "fill" if count == 1 else "fills"


def _positions(totals: Totals) -> list[str]:
    if not totals.positions:
        return ["Positions  flat"]
    lines = [f"{'Positions' if not index else '':<10} {_size(line.size)} {line.symbol} at "
             f"{line.average_price:,.8g}, now {_marked(line)}"
             for index, line in enumerate(totals.positions)]
    worth = sum(abs(line.size) * (line.mark_price or line.average_price)
                for line in totals.positions)
    return [*lines, f"           {worth:,.2f} USD held, and nothing protects it while no bot runs: "
            "no stop rests at the venue", "           the next `hftbot run` takes it over; "
            "`hftbot flatten` closes it"]


def _marked(line: PositionLine) -> str:
    if not line.mark_price:
        return "not known, the book is empty: counted at what it cost"
    return f"{line.mark_price:,.8g}: {_money(line.unrealised_usd)}"


def _profit(totals: Totals, markouts: Sequence[Markout]) -> list[str]:
    kind = ", synthetic: our own market made it, not a real one" if totals.synthetic else ""
    if totals.mode == MODE_DRY:
        kind = ": nothing was traded"
    if totals.mode in (MODE_REPLAY, MODE_PAPER):
        kind = ", synthetic: real prices, simulated fills"
    lines = [f"Profit     {_money(totals.pnl_usd)} USD net of fees{kind}",
             f"           realised {_money(totals.realised_usd)}, unrealised at mid "
             f"{_money(totals.unrealised_usd)}, fees {totals.fees_usd:.6f}"]
    # The venue rounds each fee: a difference of less than a hundredth is none.
    if pays_less(totals):
        lines.append(f"Base fees  {_money(totals.pnl_usd_at_base_fees)} USD net would be left of "
                     f"the same trades at the venue's base fees, {totals.base_fees_usd:.6f} in all")
    for row in markouts if totals.fills else ():
        if row.horizon_s == 0:
            when = "at the fill"
        else:
            when = f"{row.horizon_s:>3} s later"
        figures = (f"{row.bps_mean:+.3f} bps, {row.quote_mean:+.6f} USD a fill "
                   f"({row.count:,} {_fills(row.count)})" if row.count
                   else "no fill is that old")
        lines.append(f"Markout    {when:<11} {figures}")
    return lines


def run_json(totals: Totals, latency: Mapping[str, Mapping[str, float]],
             extra: Mapping[str, Any] | None = None) -> str:
    """The one JSON object of ``--json``, on one line. ``extra`` adds keys; it replaces none."""
    content: dict[str, Any] = {
        "mode": totals.mode, "venues": list(totals.venues), "duration_s": totals.duration_s,
        "orders_sent": totals.orders_sent, "fills": totals.fills,
        "rejects": totals.rejects, "doubts": totals.doubts,
        "positions": [asdict(line) for line in totals.positions],
        "pnl_usd": totals.pnl_usd, "fees_usd": totals.fees_usd,
        "open_orders_at_exit": totals.open_orders,
        "latency": {name: dict(row) for name, row in latency.items()}}
    return json.dumps(_finite({**(extra or {}), **content}), allow_nan=False)


def _finite(value: Any) -> Any:
    """JSON has no NaN: what is not a number becomes null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _money(amount: float) -> str:
    """Signed, with cents or, for small amounts, with as many digits as it needs to be seen."""
    return f"{amount:+,.2f}" if abs(amount) >= 100 else f"{amount:+.6f}"


def _size(size: float) -> str:
    """Signed, and however small it is without an exponent."""
    return f"{size:+.10f}".rstrip("0").rstrip(".")


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} {_plain(item)}" for key, item in value.items()) + "}"
    return f"{value:,.6g}" if isinstance(value, float) else str(value)
