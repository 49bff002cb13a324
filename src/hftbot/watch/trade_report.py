"""What the fills of a state directory say: win rate, profit by symbol and hour, exits, hints."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from hftbot.watch.figures import age, grouped, money
from hftbot.watch.logs import stamp
from hftbot.watch.round_trips import Matcher, RoundTrip, TradedFill

HOUR_US, MINUTE_US, DAY_US = 3_600_000_000, 60_000_000, 86_400_000_000
WIDTH = 80
ROWS_SHOWN = 24
# Below this many trips a part of the whole says nothing about the next ones.
FEW = 10
ENOUGH = 30
EXIT = "exit "
UNKNOWN, OTHER = "unknown", "other"


def figures(fills: Sequence[TradedFill], orders: Mapping[str, Any],
            last_account: int = 0) -> dict[str, Any]:
    """All figures of a report; ``orders`` as ``order_figures`` gives them. Fills oldest first.

    What the accounts before ``last_account`` held was put away with them.
    """
    matcher = Matcher()
    matcher.feed(fills)
    matcher.begin(last_account)
    trips = matcher.trips
    told: dict[str, Any] = {
        "fills": _fill_figures(fills), "orders": dict(orders), "trips": _trip_figures(trips),
        "velocity": _velocity(fills, trips),
        "by_strategy": _grouped(trips, lambda trip: trip.strategy or UNKNOWN),
        "by_symbol": _grouped(trips, lambda trip: trip.symbol),
        "by_hour": _grouped(trips, lambda trip: f"{trip.exit_us // HOUR_US % 24:02d}"),
        "by_day": _grouped(trips, lambda trip: stamp(trip.exit_us)[:10]),
        "by_exit": _grouped(trips, exit_reason),
        "open": [asdict(rest) for rest in matcher.rest()],
        "sold_unbought": dict(matcher.strange)}
    told["hints"] = hints(told)
    return told


def exit_reason(trip: RoundTrip) -> str:
    """Why the strategy left, in its own words up to the first figure, so that equals meet.

    It is lost with a database rebuilt from journals.
    """
    words = itertools.takewhile(lambda word: not any(map(str.isdecimal, word)),
                                trip.intent.removeprefix(EXIT).split())
    return " ".join(words) or (trip.intent and OTHER) or UNKNOWN


def order_figures(rows: Iterable[tuple[str, str, str, int]]) -> dict[str, Any]:
    """Of (state, tif, reason of the end, microseconds from intent to end) of each order."""
    states: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    waits: list[int] = []
    taking = taking_filled = 0
    for state, tif, reason, wait_us in rows:
        states[state] += 1
        if state == "rejected":
            refusals[reason or "no reason given"] += 1
        if tif in ("ioc", "fok"):
            taking += 1
            taking_filled += state == "filled"
            if state != "rejected":
                waits.append(wait_us)
    waits.sort()
    return {"count": sum(states.values()), "states": dict(states),
            "refusals": dict(refusals.most_common(5)), "taking": taking,
            "taking_filled": taking_filled,
            "execution_us": {f"p{share}": _quantile(waits, share) for share in (50, 95, 99)}
            if waits else {}}


def _fill_figures(fills: Sequence[TradedFill]) -> dict[str, Any]:
    known = [fill for fill in fills if fill.maker is not None]
    return {"count": len(fills), "buys": sum(fill.buy for fill in fills),
            "maker": sum(bool(fill.maker) for fill in known), "maker_known": len(known),
            "traded": sum(fill.size * fill.price for fill in fills),
            "fees": sum(fill.fee for fill in fills),
            "first_us": fills[0].ts_us if fills else None,
            "last_us": fills[-1].ts_us if fills else None}


def _trip_figures(trips: Sequence[RoundTrip]) -> dict[str, Any]:
    nets = [trip.net for trip in trips]
    won = [net for net in nets if net > 0]
    lost = [net for net in nets if net < 0]
    held = sorted(trip.held_us for trip in trips)
    low, high = wilson(len(won), len(trips))
    return {"count": len(trips), "won": len(won), "lost": len(lost),
            "even": len(trips) - len(won) - len(lost),
            "win_rate": _share(len(won), len(trips)), "win_rate_low": low, "win_rate_high": high,
            "gross": sum(trip.gross for trip in trips), "fees": sum(trip.fees for trip in trips),
            "net": sum(nets), "net_mean": _share(sum(nets), len(nets)),
            "best": max(nets, default=None), "worst": min(nets, default=None),
            "won_mean": _share(sum(won), len(won)), "lost_mean": _share(sum(lost), len(lost)),
            "profit_factor": _share(sum(won), -sum(lost)) if lost else None,
            "traded": sum(trip.cost for trip in trips),
            "held_us": {f"p{share}": _quantile(held, share) for share in (50, 95, 100)}
            if held else {}}


def _velocity(fills: Sequence[TradedFill], trips: Sequence[RoundTrip]) -> dict[str, Any]:
    """How fast it trades: over the time from the first fill to the last one, and at its fastest."""
    if not fills:
        return {"trips_an_hour": None, "hours": 0.0, "fills_in_busiest_minute": 0,
                "trips_on_busiest_day": 0}
    hours = max((fills[-1].ts_us - fills[0].ts_us) / HOUR_US, 1 / 60)
    return {"trips_an_hour": len(trips) / hours, "hours": hours,
            "fills_in_busiest_minute": max(Counter(
                fill.ts_us // MINUTE_US for fill in fills).values()),
            "trips_on_busiest_day": max(Counter(
                trip.exit_us // DAY_US for trip in trips).values(), default=0)}


def _grouped(trips: Iterable[RoundTrip],
             name: Callable[[RoundTrip], str]) -> dict[str, dict[str, Any]]:
    groups: dict[str, list[RoundTrip]] = {}
    for trip in trips:
        groups.setdefault(name(trip), []).append(trip)
    return {key: _trip_figures(groups[key]) for key in sorted(groups)}


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _quantile(ordered: Sequence[int], share: int) -> int:
    """The smallest value that ``share`` percent do not exceed."""
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)]


def wilson(won: int, count: int) -> tuple[float | None, float | None]:
    """Where the true win rate lies with 95 % confidence, if trips are independent."""
    if not count:
        return None, None
    z = 1.959964
    rate = won / count
    middle = rate + z * z / (2 * count)
    reach = z * math.sqrt(rate * (1 - rate) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


# --- hints ---------------------------------------------------------------------------------------


def hints(told: Mapping[str, Any]) -> list[str]:
    """What to look at first, each with the figures that it rests on."""
    trips, orders = told["trips"], told["orders"]
    found = []
    if trips["count"] < ENOUGH:
        found.append(f"only {trips['count']} round trips: too few to tell skill from luck"
                     + (f" (win rate {_percent(trips['win_rate_low'])} to "
                        f"{_percent(trips['win_rate_high'])})" if trips["count"] else ""))
    found += _money_hints(trips)
    found += _part_hints(told)
    if orders.get("taking", 0) >= FEW:
        missed = 1 - orders["taking_filled"] / orders["taking"]
        if missed > 0.3:
            found.append(f"{missed:.0%} of {orders['taking']} orders that take did not fill "
                         "completely: the price moves first; a wider limit or a smaller size")
    rejected = orders.get("states", {}).get("rejected", 0)
    if rejected > 0.05 * max(1, orders.get("count", 0)):
        reason = next(iter(orders["refusals"]), "no reason given")
        found.append(f"the venue refused {rejected} of {orders['count']} orders, most often: "
                     f"{reason}")
    return found


def _money_hints(trips: Mapping[str, Any]) -> list[str]:
    found = []
    if trips["gross"] > 0 and trips["fees"] > 0.5 * trips["gross"]:
        found.append(f"fees take {trips['fees'] / trips['gross']:.0%} of the gross profit: rest "
                     "instead of taking, or ask for a larger target")
    if trips["won"] and trips["lost"]:
        needed = -trips["lost_mean"] / (trips["won_mean"] - trips["lost_mean"])
        if trips["win_rate"] < needed:
            found.append(f"a mean win of {money(trips['won_mean'])} against a mean loss of "
                         f"{money(trips['lost_mean'])} needs {needed:.0%} wins, there are "
                         f"{trips['win_rate']:.0%}: let profits run further or cut losses sooner")
    return found


def _part_hints(told: Mapping[str, Any]) -> list[str]:
    """Symbols, hours and exit reasons that cost money; none while all trips are too few."""
    found: list[str] = []
    trips = told["trips"]["count"]
    if trips < ENOUGH:
        return found
    for symbol, row in told["by_symbol"].items():
        if row["count"] >= FEW and row["net"] < 0:
            found.append(f"{symbol} lost {-row['net']:,.4f} in {row['count']} trips: leave it out, "
                         "or ask for a stronger signal")
    hours = [hour for hour, row in told["by_hour"].items()
             if row["count"] >= FEW and row["net"] < 0]
    if hours and len(hours) < len(told["by_hour"]):
        found.append(f"the hours {', '.join(hours)} (UTC) lose: do not enter then")
    for reason, row in told["by_exit"].items():
        if reason != UNKNOWN and row["count"] > trips / 2 and row["net"] < 0:
            found.append(f"{row['count']} of {trips} exits are {_words(reason)} and cost "
                         f"{-row['net']:,.4f}: the entries are wrong or too early")
    return found


def _words(text: str) -> str:
    return text.replace("_", " ")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


# --- text ----------------------------------------------------------------------------------------


def text(told: Mapping[str, Any]) -> str:
    """The report for people. ``told``: the figures, and ``state``, ``runs``, ``remarks``."""
    fills, trips, orders = told["fills"], told["trips"], told["orders"]
    lines = ["=" * WIDTH, f"REPORT  {told['state']}" + (
        "  (simulated)" if told.get("synthetic") else ""), "=" * WIDTH]
    if fills["count"]:
        lines.append(_line("Time", f"{stamp(fills['first_us'])[:19]} to "
                                   f"{stamp(fills['last_us'])[:19]} UTC"))
    lines += [_line("Runs", run) for run in told.get("runs", ())]
    states = ", ".join(f"{count:,} {state}" for state, count in
                       sorted(orders["states"].items(), key=lambda row: -row[1]))
    lines.append(_line("Orders", f"{orders['count']:,}" + (f": {states}" if states else "")))
    if orders["execution_us"]:
        waits = ", ".join(f"{name} {age(wait)}" for name, wait in orders["execution_us"].items())
        lines.append(_line("", f"of {orders['taking']:,} that take {orders['taking_filled']:,} "
                               f"filled; intent to end {waits}"))
    lines.append(_line("Fills", f"{fills['count']:,}, {fills['buys']:,} of them buys, "
                                f"{fills['maker']:,} as maker; {fills['traded']:,.2f} traded, "
                                f"fees {fills['fees']:,.4f}"))
    lines += _trip_lines(told)
    for rest in told["open"]:
        price = grouped(f"{rest['average_price']:.8g}")
        lines.append(_line("Left open", f"{rest['size']:+.10g} {rest['symbol']} at {price} "
                                        f"({rest['strategy'] or UNKNOWN})"))
    if trips["count"]:
        for title, key in (("symbol", "by_symbol"), ("hour UTC", "by_hour"), ("day", "by_day"),
                           ("exit reason", "by_exit"), ("strategy", "by_strategy")):
            if key not in ("by_day", "by_strategy") or len(told[key]) > 1:
                lines += ["", *_part(title, told[key])]
    for title, rows in (("Hints", told["hints"]), ("Remarks", told.get("remarks", ()))):
        if rows:
            lines += ["", title]
            lines += [line for row in rows for line in _wrapped(row)]
    lines.append("=" * WIDTH)
    return "\n".join(lines)


def _line(title: str, content: str) -> str:
    return f"{title:<12} {content}"


def _trip_lines(told: Mapping[str, Any]) -> list[str]:
    trips, velocity = told["trips"], told["velocity"]
    if not trips["count"]:
        return [_line("Round trips", "none yet")]
    kind = "; synthetic" if told.get("synthetic") else ""
    lines = [_line("Round trips", f"{trips['count']:,}: {trips['won']:,} won, {trips['lost']:,} "
                                  f"lost, {trips['even']:,} even; win rate "
                                  f"{_percent(trips['win_rate'])} (95 %: "
                                  f"{_percent(trips['win_rate_low'])} to "
                                  f"{_percent(trips['win_rate_high'])})"),
             _line("Profit", f"{money(trips['net'])} net of fees = {money(trips['gross'])} gross "
                             f"- {trips['fees']:,.4f} fees{kind}"),
             _line("", f"a trip: mean {money(trips['net_mean'])}, best {money(trips['best'])}, "
                       f"worst {money(trips['worst'])}" + (
                           f", profit factor {trips['profit_factor']:.2f}"
                           if trips["profit_factor"] is not None else ""))]
    held = trips["held_us"]
    lines.append(_line("Held", f"p50 {age(held['p50'])}, p95 {age(held['p95'])}, longest "
                               f"{age(held['p100'])}"))
    lines.append(_line("Velocity", f"{velocity['trips_an_hour']:,.1f} round trips an hour over "
                                   f"{age(velocity['hours'] * HOUR_US)}; at most "
                                   f"{velocity['trips_on_busiest_day']:,} a day and "
                                   f"{velocity['fills_in_busiest_minute']:,} fills a minute"))
    return lines


def _part(title: str, rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = [f"{'By ' + title:<22}{'trips':>7}{'win':>8}{'net':>13}{'a trip':>11}{'fees':>10}"
             f"{'held p50':>9}"]
    chosen = list(rows.items())
    if len(chosen) > ROWS_SHOWN:
        chosen = sorted(chosen, key=lambda row: -abs(row[1]["net"]))[:ROWS_SHOWN]
    for name, row in chosen:
        lines.append(f"{_words(name)[:21]:<22}{row['count']:>7,}{_percent(row['win_rate']):>8}"
                     f"{money(row['net']):>13}{money(row['net_mean']):>11}{row['fees']:>10,.4f}"
                     f"{age(row['held_us']['p50']):>9}")
    if len(rows) > len(chosen):
        lines.append(f"({len(rows) - len(chosen)} more, with less effect)")
    return lines


def _wrapped(sentence: str) -> list[str]:
    return textwrap.wrap(sentence, WIDTH - 2, initial_indent="* ", subsequent_indent="  ")
