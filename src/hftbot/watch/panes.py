"""The live view as lines of text, for any size of terminal. Pure: a content in, lines out.

Colour says something or is not there: green and red are money made and lost, yellow asks for a
look, white on red for a hand. Everything else is plain or dim.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Any

from rich.text import Text

from hftbot.watch import alarms
from hftbot.watch.figures import (
    age,
    bar,
    chart,
    clock,
    grouped,
    micros,
    money,
    span,
    sparkline,
)
from hftbot.watch.tables import (
    ALARM,
    BAD,
    CAUTION,
    DIM,
    FILLS,
    LOOK,
    NARROW_MARKETS,
    ORDERS,
    STRONG,
    WIDE_MARKETS,
    Column,
    sign,
    table,
)

Content = Mapping[str, Any]
Pane = list[Text]

WIDE = 120
GAP = 3
MODES = {"sim": "SIMULATED", "replay": "SIMULATED, recorded data",
         "paper": "PAPER: simulated fills", "live-dry": "LIVE, DRY RUN", "live": "LIVE: REAL MONEY"}


@dataclass(slots=True)
class Scene:
    """What one frame is drawn from.

    ``content``: the bot's last answer to ``view``. ``trouble``: why there is no newer one, empty
    if there is; ``silent_s`` since when. ``trace``: net profit over time, oldest first, and
    ``fills_a_minute``, which the view counts itself. ``utf``: the terminal can show more than
    ASCII; ``colour``: it can show colours. ``leaving``: what the key to leave does, in words.
    """

    content: Content
    trouble: str = ""
    silent_s: float = 0.0
    trace: Sequence[float] = ()
    fills_a_minute: float | None = None
    utf: bool = True
    colour: bool = True
    leaving: str = "q leaves"
    alarms: list[tuple[str, str]] = field(default_factory=list)


def frame(scene: Scene, columns: int, rows: int) -> Pane:
    """Exactly ``rows`` lines, none wider than ``columns``."""
    scene.alarms = alarms.found(scene.content, scene.trouble, scene.silent_s)
    lines = [_head(scene, columns), *_alarms(scene, columns, rows)]
    if columns >= WIDE:
        lines += _wide(scene, columns, rows - len(lines))
    else:
        lines += _narrow(scene, columns, rows - len(lines))
    lines = lines[:rows] + [Text()] * (rows - len(lines))
    lines = [_printable(line, scene.utf) for line in lines]
    for line in lines:
        line.truncate(columns)
    return lines


def _printable(line: Text, utf: bool) -> Text:
    """What a venue or a strategy said must not move the cursor; each character keeps its place."""
    plain = line.plain
    if not plain.isprintable():
        plain = "".join(letter if letter.isprintable() else "?" for letter in plain)
    if not utf:
        plain = plain.replace("µ", "u").replace("─", "-").replace("…", "~")
        plain = plain.encode("ascii", "replace").decode()
    if plain == line.plain:
        return line
    fresh = Text(plain, style=line.style)
    fresh.spans = line.spans
    return fresh


# --- the parts that are always there -------------------------------------------------------------


def _head(scene: Scene, columns: int) -> Text:
    """Which bot this is, what it does, and as of when."""
    content = scene.content
    mode = str(content.get("mode", ""))
    word, style = alarms.state_word(content, scene.trouble)
    line = Text()
    line.append(" hftbot ", STRONG)
    line.append(f" {MODES.get(mode, mode)} ", "bold reverse" if mode == "live" else "")
    line.append(" ")
    line.append(f" {word} ", _style(style) or STRONG)
    right = Text()
    if columns >= 100:
        right.append(f"{content.get('venue', '')}  run {content.get('run', '')}  "
                     f"pid {content.get('pid', '')}  {scene.leaving}   ", DIM)
    right.append(f"up {span(float(content.get('duration_s', 0)))}  ", DIM)
    right.append(f"{clock(int(content.get('now_us', 0)), 0)} UTC")
    return _ends(line, right, columns)


def _alarms(scene: Scene, columns: int, rows: int) -> Pane:
    """A bar across the whole width for each thing that needs a human; long ones take two lines."""
    room = max(1, rows // 6)
    lines: Pane = []
    for index, (kind, text) in enumerate(scene.alarms):
        left = len(scene.alarms) - index
        first, then = (" ", "   ") if scene.colour else ("!! ", "   ")
        parts = wrap(text, max(8, columns - 1), initial_indent=first, subsequent_indent=then)[:2]
        if len(lines) + len(parts) > room:
            parts = parts[:1]
        if len(lines) == room:
            # The last bar says that there is more; the worst ones come first.
            more = f" (and {left} more) "
            lines[-1].truncate(max(0, columns - len(more)))
            lines[-1].append(more)
            break
        for part in parts:
            line = Text(part)
            line.truncate(columns, overflow="ellipsis")
            line.pad_right(columns - line.cell_len)
            line.stylize(_style(kind) if scene.colour else "bold reverse")
            lines.append(line)
    for line in lines:
        if line.spans:
            line.stylize(line.spans[0].style)
    return lines


def _style(kind: str) -> str:
    return {"alarm": ALARM, "caution": CAUTION, "look": LOOK}.get(kind, "")


def _money(scene: Scene, columns: int) -> Pane:
    """Profit net of fees, what it is made of, and how far the day's loss limit is."""
    content = scene.content
    net = float(content.get("net_usd", 0))
    first = Text()
    first.append(" NET ", STRONG)
    first.append(f"{money(net)} USD", f"bold {sign(net)}".strip())
    if content.get("mode") != "live":
        first.append(" synthetic", DIM)
    for title, key in (("realised", "realised_usd"), ("open", "unrealised_usd")):
        amount = float(content.get(key, 0))
        first.append(f"  {title} ", DIM)
        first.append(money(amount), sign(amount))
    first.append("  fees ", DIM)
    first.append(f"{float(content.get('fees_usd', 0)):,.4f}")
    second = Text(" ")
    loss, most = float(content.get("loss_today_usd", 0)), float(content.get("loss_max_usd", 0))
    if most > 0:
        second.append("loss today ", DIM)
        second.append(f"{loss:,.2f} of {most:,.2f} ", _level(loss / most))
        second.append(bar(loss, most, 10, scene.utf), _level(loss / most) or DIM)
        second.append("  ")
    for asset, amount in list(content.get("balances", {}).items())[:1]:
        second.append("cash ", DIM)
        second.append(f"{float(amount):,.2f} {asset}  ")
    at_base = content.get("net_at_base_fees_usd")
    if at_base is not None:
        second.append("at base fees ", DIM)
        second.append(f"{money(float(at_base))}  ", sign(float(at_base)))
    room = columns - second.cell_len - 6
    if room >= 10:
        second.append("net ", DIM)
        second.append(sparkline(scene.trace, min(60, room), scene.utf), sign(net))
    return [first, second]


def _level(share: float) -> str:
    return BAD if share >= 0.9 else LOOK if share >= 0.7 else ""


def _counts(scene: Scene) -> Text:
    content = scene.content
    line = Text()
    counts = {key: int(content.get(key, 0)) for key in ("orders_sent", "fills", "rejects",
                                                        "doubts")}
    counts["denied"] = sum(content.get("denied", {}).values())
    for title, key, style in (("sent", "orders_sent", ""), ("fills", "fills", ""),
                              ("rejected", "rejects", LOOK), ("doubts", "doubts", LOOK),
                              ("denied", "denied", LOOK)):
        count = counts[key]
        line.append(f"{title} ", DIM)
        line.append(f"{count:,}", style if count else "")
        if key == "fills" and scene.fills_a_minute is not None:
            line.append(f" ({scene.fills_a_minute:.0f}/min)")
        line.append("  ")
    line.rstrip()
    return line


# --- tables --------------------------------------------------------------------------------------


def _title(name: str, width: int, note: Text | str = "") -> Text:
    line = Text()
    line.append(f" {name} ", STRONG)
    if note:
        line.append_text(Text(note, DIM) if isinstance(note, str) else note)
        line.append(" ")
    line.truncate(width)
    line.append("─" * max(0, width - line.cell_len), DIM)
    return line


def _markets(scene: Scene, width: int, height: int, wide: bool) -> Pane:
    markets = list(scene.content.get("markets", ()))
    # Held first, then as configured: what moves our money must not fall off the edge.
    markets.sort(key=lambda row: not row.get("position"))
    left = len(markets) - (height - 2)
    note = f"{left} more not shown" if left > 0 else ""
    feed = scene.content.get("feed_age_us")
    note = "  ".join(filter(None, (f"feed {age(feed)} old" if feed is not None else "no feed yet",
                                   note)))
    return [_title("MARKETS", width, note),
            *table(WIDE_MARKETS if wide else NARROW_MARKETS, markets[:max(0, height - 2)])]


def _orders(scene: Scene, width: int, height: int) -> Pane:
    orders = sorted(scene.content.get("orders", ()),
                    key=lambda row: (row.get("state") != "DOUBT", -int(row.get("age_us", 0))))
    count = int(scene.content.get("open_orders", 0))
    note = Text(f"{count} open  ")
    note.append_text(_counts(scene))
    shown = orders[:max(0, height - 1)]
    hidden = count - len(shown)
    if hidden > 0 and shown:
        note = Text(f"{count} open, {hidden} not shown  ", LOOK)
        note.append_text(_counts(scene))
    return [_title("ORDERS", width, note), *table(ORDERS, shown, titles=False)]


def _fills(scene: Scene, width: int, height: int) -> Pane:
    fills = list(reversed(scene.content.get("fills_last", ())))[:max(0, height - 1)]
    return [_title("FILLS", width, "the last ones" if fills else "none yet"),
            *table(FILLS, fills, titles=False)]


def _latency(scene: Scene, width: int, height: int) -> Pane:
    def figure(key: str) -> Callable[[Any], tuple[str, str]]:
        return lambda row: (micros(float(row[1][key])) if row[1].get("count") else "-",
                            "" if row[1].get("count") else DIM)

    columns = [Column("LATENCY µs", 17, lambda row: (str(row[0]).replace("_", " "), ""), False),
               *(Column(key, 6, figure(f"{key}_us")) for key in ("p50", "p95", "p99"))]
    if width >= 60:
        columns.append(Column("max", 7, figure("max_us")))
        columns.append(Column("count", 10, lambda row: (f"{int(row[1].get('count', 0)):,}", DIM)))
    stages = list(scene.content.get("latency", {}).items())[:max(0, height - 1)]
    lines = table(columns, stages)
    head = lines[0]
    head.stylize("not dim bold", 0, 11)
    head.append(" ")
    head.append("─" * max(0, width - head.cell_len), DIM)
    return lines


def _limits(scene: Scene, width: int, height: int) -> Pane:
    """One bar for each budget: used of most, and red when only cancels are left."""
    lines = [_title("LIMITS", width, "used of most")]
    for name, used, most, reserve in alarms.limit_rows(scene.content)[:max(0, height - 1)]:
        share = alarms.share_used(used, most, reserve)
        line = Text(f" {name[:11]:<11} ")
        line.append(f"{f'{used:,.0f}/{most:,.0f}':>9} ", _level(share))
        line.append(bar(used, most, max(3, width - line.cell_len), scene.utf),
                    _level(share) or DIM)
        lines.append(line)
    return lines


def _strategy(scene: Scene, width: int, height: int) -> Pane:
    """What each strategy says of itself and is not zero: numbers in two columns, then sentences."""
    lines: Pane = []
    for name, figures in scene.content.get("strategy", {}).items():
        lines.append(_title(str(name).replace("_", " ").upper(), width))
        shown = [(str(key).replace("_", " "), value) for key, value in figures.items() if value]
        numbers = [(key, _number(value)) for key, value in shown if isinstance(value, int | float)]
        lines += _pairs(numbers, width)
        for key, value in shown:
            if isinstance(value, Mapping):
                parts = list(value.items())
                deep = [(f"{key} {sub}", one) for sub, one in parts if isinstance(one, Mapping)]
                told = [(title, ", ".join(f"{str(word).replace('_', ' ')} {_number(one)}"
                                          for word, one in row.items() if one))
                        for title, row in deep or [(key, value)]]
                lines += [_sentence(title, text, width) for title, text in told if text]
            elif isinstance(value, list | tuple):
                lines += [_sentence(key, str(one), width) for one in value]
            elif isinstance(value, str):
                lines.append(_sentence(key, value, width))
    return lines[:max(0, height)]


def _pairs(numbers: Sequence[tuple[str, str]], width: int) -> Pane:
    half = (width - GAP) // 2
    lines = []
    for index in range(0, len(numbers), 2):
        line = Text()
        for key, text in numbers[index:index + 2]:
            line.append(f" {key[:half - 12]:<{half - 12}} ", DIM)
            line.append(f"{text:>10}" + " " * GAP)
        lines.append(line)
    return lines


def _sentence(title: str, text: str, width: int) -> Text:
    line = Text(" ")
    line.append(f"{title} ", DIM)
    line.append(text.strip().partition("\n")[0])
    line.truncate(width, overflow="ellipsis")
    return line


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.5g}" if abs(value) < 1e5 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _chart(scene: Scene, width: int, height: int) -> Pane:
    """Net profit since the view is up, if there is room for it to say something."""
    height = min(height - 2, 10)
    if height < 3 or len(scene.trace) < 10:
        return []
    low, high, now = min(scene.trace), max(scene.trace), scene.trace[-1]
    note = f"last {span(len(scene.trace))}, from {money(low)} to {money(high)}"
    lines = [Text(), _title("NET", width, note)]
    for drawn in chart(scene.trace, width - 2, height, scene.utf):
        line = Text(" ")
        line.append(drawn, sign(now))
        lines.append(line)
    return lines


def _happened(content: Content) -> list[tuple[int, str, str]]:
    """Events and fills, newest first."""
    rows = [(int(ts_us), str(kind), str(text)) for ts_us, kind, text in content.get("events", ())]
    rows += [(int(fill["ts_us"]), "fill",
              f"{fill['side']:<4} {fill['size']} {fill['symbol']} at {grouped(fill['price'])} "
              f"{'maker' if fill['maker'] else 'taker'} fee {fill['fee']:.4f} "
              f"{micros(fill['wait_us'])}µs")
             for fill in content.get("fills_last", ())]
    return sorted(rows, key=lambda row: -row[0])


def _events(scene: Scene, width: int, height: int) -> Pane:
    """What happened, newest first; the narrow view has no other place for fills."""
    wide = width >= WIDE
    digits = 6 if wide else 3
    lines = [_title("EVENTS", width, "newest first")]
    rows = scene.content.get("events", ()) if wide else _happened(scene.content)
    for ts_us, kind, text in list(rows)[:max(0, height - 1)]:
        line = Text(f" {clock(int(ts_us), digits)} ", DIM)
        first = str(text).strip().partition("\n")[0]
        line.append(first, {"error": BAD, "warn": LOOK}.get(str(kind), ""))
        line.truncate(width, overflow="ellipsis")
        lines.append(line)
    return lines


# --- putting it together -------------------------------------------------------------------------


def _narrow(scene: Scene, columns: int, rows: int) -> Pane:
    """One column; what does not fit is left out from the least important end."""
    lines = _money(scene, columns)
    markets = max(1, len(scene.content.get("markets", ())))
    orders = int(scene.content.get("open_orders", 0))
    if rows < 16:
        lines += _markets(scene, columns, min(2 + markets, max(3, rows - 6)), False)
        lines += _orders(scene, columns, 1 + min(orders, 2))
        return lines + _events(scene, columns, rows - len(lines))
    lines += _markets(scene, columns, 2 + min(markets, max(1, rows - 16)), False)
    room = max(1, rows - len(lines) - 7 - 4)
    lines += _orders(scene, columns, 1 + min(orders, room, 6))
    left, right = 40, columns - 40 - 1
    lines += _beside(_latency(scene, left, 7), _limits(scene, right, 7), left, 1)
    return lines + _events(scene, columns, rows - len(lines))


def _wide(scene: Scene, columns: int, rows: int) -> Pane:
    """Two columns between the markets and the events."""
    roomy = rows >= 36
    space = [Text()] if roomy else []
    lines = [*_money(scene, columns), *space]
    markets = max(1, len(scene.content.get("markets", ())))
    lines += _markets(scene, columns, 2 + min(markets, max(1, rows - 22)), True)
    lines += space
    events = max(4, min(1 + len(scene.content.get("events", ())), (rows - len(lines)) // 3))
    middle = rows - len(lines) - events - len(space)
    left, right = columns - 72, 72 - GAP
    orders = min(int(scene.content.get("open_orders", 0)), max(1, middle // 2))
    first = [*_orders(scene, left, 1 + orders), *space]
    first += _fills(scene, left, middle - len(first))
    latency = len(scene.content.get("latency", {})) + 1
    second = [*_latency(scene, right, min(latency, middle)), *space]
    second += [*_limits(scene, right, min(6, middle - len(second))), *space]
    second += _strategy(scene, right, middle - len(second))
    second += _chart(scene, right, middle - len(second))
    lines += _beside(first[:middle], second[:middle], left, GAP)
    lines += [Text()] * (rows - events - len(lines))
    return lines + _events(scene, columns, events)


def _beside(left: Pane, right: Pane, width: int, gap: int) -> Pane:
    lines = []
    for index in range(max(len(left), len(right))):
        line = left[index].copy() if index < len(left) else Text()
        line.truncate(width)
        line.append(" " * (width + gap - line.cell_len))
        if index < len(right):
            line.append_text(right[index])
        lines.append(line)
    return lines


def _ends(left: Text, right: Text, columns: int) -> Text:
    """One text at each end of a line; the left one gives way."""
    room = columns - right.cell_len
    if room < 20:
        left.truncate(columns)
        return left
    left.truncate(room)
    left.append(" " * (room - left.cell_len))
    left.append_text(right)
    return left
