"""What a backtest takes for true, from the words of its flags: fees, queues, latencies."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fastcore.sim import latency as latencies
from fastcore.sim import model_codes as kinds
from fastcore.sim import queue as queues
from fastcore.sim.fees import FeeModel
from fastcore.sim.latency import OrderLatency
from hftbot.config import fee_schedules
from hftbot.config.schema import Settings
from hftbot.errors import ConfigError, DataError

BPS = 10_000.0
POWER = 3.0
POWERED = ("power-prob", "power-prob2", "power-prob3")
DEFAULT_QUEUE = "power-prob:3"
# Between these two lies what any guess about cancellations in front of us can be.
OPTIMISTIC_QUEUE, PESSIMISTIC_QUEUE = "power-prob3:0.25", "risk-averse"
LAID_ROWS_MAX = 1 << 20
UNITS_NS = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
_TIME = re.compile(r"(\d+(?:\.\d+)?)(ns|us|ms|s)?")
# Entry, response and jitter of one order in ns: assumptions for a host near the venue, to be
# replaced by a file of one's own orders. Kraken's are those of the embedded exchange.
VENUES_NS = {"binance": (5_000_000, 5_000_000, 1_000_000),
             "hyperliquid": (200_000_000, 200_000_000, 50_000_000),
             "polymarket": (50_000_000, 50_000_000, 10_000_000)}
UNKNOWN_VENUE_NS = (5_000_000, 5_000_000, 0)
FEES_FORM = ("free, kraken or a tier of it such as 250k; maker=-0.5,taker=7 in bps of the value; "
             "qty:maker=M,taker=T or flat:maker=M,taker=T in quote units; polymarket[:RATE]")
QUEUE_FORM = (", ".join(name + ("[:N]" if name in POWERED else "") for name in queues.NAMES))
LATENCY_FORM = ("venue, a venue's name (kraken, " + ", ".join(VENUES_NS) + "), ENTRY/RESPONSE or "
                "ENTRY/RESPONSE/JITTER such as 5ms/5ms, feed[:FACTOR], a file of latency rows, a "
                "state directory, or "
                + ", ".join(latencies.PRESETS) + " (inside one core, no network)")


@dataclass(frozen=True, slots=True)
class QueueChoice:
    """A queue model: its number, its power, and its words for people."""

    kind: int
    power: float
    text: str


@dataclass(frozen=True, slots=True)
class FeeChoice:
    """A fee model of one market, and its words for people."""

    model: FeeModel
    text: str

    @property
    def rates_e6(self) -> tuple[int, int]:
        """Maker and taker fee in millionths of the value; 0 where fees do not go by value."""
        if self.model.kind != kinds.PER_VALUE:
            return 0, 0
        return round(self.model.maker * 1e6), round(self.model.taker * 1e6)


@dataclass(frozen=True, slots=True)
class LatencyChoice:
    """An order latency: ``make`` gives a fresh one for each run and market."""

    make: Callable[[], OrderLatency]
    text: str
    in_core: bool = False
    seed: int | None = None


def fee_choice(text: str, symbol: str) -> FeeChoice:
    """The fee model that ``--fees`` names for one market. Raises ConfigError."""
    word, _, rest = text.strip().partition(":")
    try:
        if text.strip() in fee_schedules.NAMES:
            maker_e6, taker_e6 = fee_schedules.rates_e6(text.strip(), symbol)
            return FeeChoice(FeeModel(kinds.PER_VALUE, maker_e6 / 1e6, taker_e6 / 1e6),
                             f"{text.strip()}: maker {maker_e6 / 100:g} bps, "
                             f"taker {taker_e6 / 100:g} bps of the value")
        if word == "polymarket":
            model = FeeModel.polymarket(float(rest)) if rest else FeeModel.polymarket()
            return FeeChoice(model, f"Polymarket's curve at {model.taker:g} for takers")
        if word in ("qty", "flat"):
            maker, taker = _pair(rest)
            kind = kinds.PER_QUANTITY if word == "qty" else kinds.FLAT
            each = "unit" if word == "qty" else "trade"
            return FeeChoice(FeeModel(kind, maker, taker),
                             f"maker {maker:g}, taker {taker:g} for each {each}")
        maker, taker = _pair(text)
        return FeeChoice(FeeModel(kinds.PER_VALUE, maker / BPS, taker / BPS),
                         f"maker {maker:g} bps, taker {taker:g} bps of the value")
    except ValueError as error:
        raise ConfigError(f"--fees {text[:60]!r}: {error}; one of: {FEES_FORM}") from None


def _pair(text: str) -> tuple[float, float]:
    maker, comma, taker = text.replace(" ", "").partition(",")
    if not comma:
        raise ValueError("is no fee model")
    rates = float(maker.removeprefix("maker=")), float(taker.removeprefix("taker="))
    if not all(abs(rate) < 1e9 for rate in rates):
        raise ValueError("a fee must be a number")
    return rates


def queue_choice(text: str) -> QueueChoice:
    """The queue model that ``--queue`` names. Raises ConfigError."""
    name, colon, power_text = text.strip().partition(":")
    if name not in queues.NAMES:
        near = difflib.get_close_matches(name, queues.NAMES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"one of: {QUEUE_FORM}"
        raise ConfigError(f"--queue {text[:60]!r} is no queue model; {hint}")
    if not colon:
        power = POWER
    else:
        try:
            power = float(power_text)
        except ValueError:
            power = -1.0
        if name not in POWERED or not 0 < power <= 100:
            raise ConfigError(f"--queue {text[:60]!r}: a power is a number above 0, at most 100, "
                              f"of {', '.join(POWERED)}")
    shown = f"{name}, n = {power:g}" if name in POWERED else name
    return QueueChoice(queues.NAMES[name], power, shown)


def latency_choice(text: str, settings: Settings, venue: str, data: Any) -> LatencyChoice:
    """The order latency that ``--latency`` names. ``venue`` is where the data come from.

    ``data`` is EventRows: its feed, and when it was. Raises ConfigError, DataError.
    """
    word, _, rest = text.strip().partition(":")
    if word in latencies.PRESETS:
        return LatencyChoice(lambda: OrderLatency.preset(word, settings.seed),
                             f"{word} preset: in-core latency only, no network", True,
                             settings.seed)
    if word == "venue":
        found = _of_venue(venue, settings)
        if not venue:
            return replace(found, text=f"{found.text} (the data do not name their venue)")
        return found
    if word == "kraken" or word in VENUES_NS:
        return _of_venue(word, settings)
    if word == "feed":
        return _of_feed(text, rest, data)
    if _TIME.match(text) and not Path(text).exists():
        return _of_times(text, settings.seed)
    return _of_file(text, data)


def _of_venue(venue: str, settings: Settings) -> LatencyChoice:
    if venue == "kraken":
        entry_ns = (settings.sim_network_us + settings.sim_engine_us) * 1000
        response_ns = settings.sim_network_us * 1000
        jitter_ns = settings.sim_network_jitter_us * 1000
    else:
        entry_ns, response_ns, jitter_ns = VENUES_NS.get(venue, UNKNOWN_VENUE_NS)
    return _jittered(entry_ns, response_ns, jitter_ns, settings.seed, f"{venue}: " if venue else "")


def _jittered(entry_ns: int, response_ns: int, jitter_ns: int, seed: int,
              before: str = "") -> LatencyChoice:
    shown = f"{before}{_time_text(entry_ns)} there, {_time_text(response_ns)} back"
    try:
        if not jitter_ns:
            OrderLatency.constant(entry_ns, response_ns)
            return LatencyChoice(lambda: OrderLatency.constant(entry_ns, response_ns), shown)
        OrderLatency.jittered(entry_ns, response_ns, jitter_ns, seed=seed)
    except ValueError as error:
        raise ConfigError(f"--latency: {error}") from None
    return LatencyChoice(lambda: OrderLatency.jittered(entry_ns, response_ns, jitter_ns, seed=seed),
                         f"{shown}, each ±{_time_text(jitter_ns)}", False, seed)


def _of_times(text: str, seed: int) -> LatencyChoice:
    parts = text.strip().split("/")
    times = []
    for part in parts:
        found = _TIME.fullmatch(part.strip())
        if found is None or len(parts) > 3 or (found[2] is None and float(found[1]) > 0):
            raise ConfigError(f"--latency {text[:60]!r} is no latency: times need a unit (ns, us, "
                              f"ms, s); one of: {LATENCY_FORM}")
        times.append(round(float(found[1]) * UNITS_NS[found[2] or "ns"]))
    entry_ns, response_ns = times[0], times[1] if len(times) > 1 else times[0]
    return _jittered(entry_ns, response_ns, times[2] if len(times) > 2 else 0, seed)


def _of_feed(text: str, factor_text: str, data: Any) -> LatencyChoice:
    from hftbot.backtest.order_latency import from_feed
    try:
        factor = float(factor_text) if factor_text else 1.0
    except ValueError:
        factor = -1.0
    if not 0 < factor <= 1000:
        raise ConfigError(f"--latency {text[:60]!r}: the factor must be above 0, at most 1000")
    rows = from_feed(data.array, factor, factor)
    if not len(rows):
        raise DataError(f"{data.symbol}: no row has both an exchange and a receive stamp, so the "
                        "data tell no latency; give --latency ENTRY/RESPONSE")
    return _of_rows(rows, f"{factor:g} x the feed latency of the moment, each way "
                          f"({len(rows):,} points of the data)")


def _of_file(text: str, data: Any) -> LatencyChoice:
    path = Path(text).expanduser()
    if not path.exists():
        raise ConfigError(f"--latency {text[:60]!r} is no latency and no file; one of: "
                          f"{LATENCY_FORM}")
    from hftbot.backtest import order_latency
    rows = order_latency.from_state(path) if path.is_dir() else order_latency.read(path)
    shown = f"interpolated from the {len(rows):,} orders of {path.name}"
    if data is None or (rows["req_ts"][0] <= data.last_ns and rows["req_ts"][-1] >= data.first_ns):
        return _of_rows(rows, shown)
    return _of_rows(_laid_over(rows, data.first_ns, data.last_ns),
                    f"{shown}, made at another time and laid over the data from their beginning")


def _laid_over(rows: Any, first_ns: int, last_ns: int) -> Any:
    """Rows of another time, moved to ``first_ns`` and repeated to ``last_ns``, within reason."""
    import numpy as np
    length_ns = int(rows["resp_ts"].max() - rows["req_ts"][0]) + 1
    times = min((last_ns - first_ns) // length_ns + 1, max(1, LAID_ROWS_MAX // len(rows)))
    laid = np.tile(rows, times)
    moved_ns = np.repeat(np.arange(times) * length_ns, len(rows)) + first_ns - rows["req_ts"][0]
    for name in ("req_ts", "exch_ts", "resp_ts"):
        # An order that never arrived has no time there.
        laid[name] = np.where(laid[name] > 0, laid[name] + moved_ns, laid[name])
    return laid


def _of_rows(rows: Any, shown: str) -> LatencyChoice:
    columns = [rows[name].tolist() for name in ("req_ts", "exch_ts", "resp_ts")]
    try:
        OrderLatency.interpolated(*columns)
    except ValueError as error:
        raise DataError(f"--latency: {error}") from None
    return LatencyChoice(lambda: OrderLatency.interpolated(*columns), shown)


def _time_text(ns: int) -> str:
    for unit, size in (("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)):
        if ns >= size:
            return f"{ns / size:g} {'µs' if unit == 'us' else unit}"
    return f"{ns} ns"
