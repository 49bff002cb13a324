"""The tables of the live view: their columns, and how a row becomes a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from hftbot.watch.figures import age, clock, grouped, micros, money

DIM, STRONG, GOOD, BAD, LOOK = "dim", "bold", "green", "red", "yellow"
ALARM, CAUTION = "bold white on red", "black on yellow"
ROW_MAX = 64


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table. ``show`` gives text and style of a row; numbers stand right."""

    title: str
    width: int
    show: Callable[[Any], tuple[str, str]]
    right: bool = True


def sign(amount: float) -> str:
    """Green for made, red for lost; what rounds to nothing has no colour."""
    if abs(amount) < 5e-5:
        return ""
    return GOOD if amount > 0 else BAD


def table(columns: Sequence[Column], rows: Sequence[Any], titles: bool = True) -> list[Text]:
    """One line of titles, if wanted, and one for each row; nothing is wider than its column."""
    lines = []
    if titles:
        head = " ".join(f"{c.title[:c.width]:{'>' if c.right else '<'}{c.width}}" for c in columns)
        lines.append(Text(f" {head}", DIM))
    for row in rows:
        line = Text(" ")
        for number, column in enumerate(columns):
            text, style = column.show(row)
            cell = Text(text[:ROW_MAX])
            cell.truncate(column.width, overflow="ellipsis")
            blank = " " * (column.width - cell.cell_len)
            line.append(" " if number else "")
            line.append(blank + cell.plain if column.right else cell.plain + blank, style)
        lines.append(line)
    return lines


def _plain(key: str, style: str = "") -> Callable[[Any], tuple[str, str]]:
    return lambda row: (grouped(str(row.get(key, "-") or "-")), style)


def _amount(key: str) -> Callable[[Any], tuple[str, str]]:
    def show(row: Any) -> tuple[str, str]:
        amount = float(row.get(key) or 0)
        return (money(amount), sign(amount)) if amount else ("-", DIM)
    return show


def _trust(row: Any) -> tuple[str, str]:
    trust = str(row.get("trust", ""))
    return ("ok", DIM) if trust == "TRUSTED" else (trust, ALARM)


def _spread(row: Any) -> tuple[str, str]:
    spread = row.get("spread_bps")
    return ("-" if spread is None else f"{float(spread):.2f}", "")


def _age(row: Any) -> tuple[str, str]:
    return age(row.get("age_us")), DIM


def _average(row: Any) -> tuple[str, str]:
    if not row.get("position"):
        return "-", DIM
    return grouped(f"{float(row.get('average') or 0):.{int(row.get('decimals', 2))}f}"), ""


def _position(row: Any) -> tuple[str, str]:
    held = str(row.get("position") or "")
    return (held if held.startswith("-") else f"+{held}", STRONG) if held else ("flat", DIM)


def _count(key: str) -> Callable[[Any], tuple[str, str]]:
    return lambda row: (f"{int(row.get(key) or 0):,}", "")


NARROW_MARKETS = (
    Column("market", 9, _plain("symbol", STRONG), right=False), Column("book", 7, _trust, False),
    Column("bid", 11, _plain("bid")), Column("ask", 11, _plain("ask")),
    Column("bps", 5, _spread), Column("position", 12, _position),
    Column("open P/L", 9, _amount("unrealised")), Column("age", 5, _age))
WIDE_MARKETS = (
    Column("market", 9, _plain("symbol", STRONG), right=False), Column("book", 7, _trust, False),
    Column("size", 10, _plain("bid_size", DIM)), Column("bid", 11, _plain("bid")),
    Column("ask", 11, _plain("ask")), Column("size", 10, _plain("ask_size", DIM)),
    Column("bps", 6, _spread), Column("age", 5, _age),
    Column("our bid", 11, _plain("quote_buy")), Column("our ask", 11, _plain("quote_sell")),
    Column("position", 12, _position), Column("average", 11, _average),
    Column("open P/L", 9, _amount("unrealised")), Column("realised", 9, _amount("realised")),
    Column("fills", 7, _count("fills")))


def _order_state(row: Any) -> tuple[str, str]:
    state = str(row.get("state", ""))
    return state, CAUTION if state == "DOUBT" else ""


ORDERS = (
    Column("side", 4, _plain("side"), right=False), Column("market", 9, _plain("symbol"), False),
    Column("size", 12, _plain("size")), Column("filled", 12, _plain("filled", DIM)),
    Column("price", 11, _plain("price")), Column("tif", 3, _plain("tif"), False),
    Column("state", 8, _order_state, right=False), Column("age", 5, _age))
FILLS = (
    Column("time", 15, lambda row: (clock(int(row.get("ts_us", 0))), DIM), right=False),
    Column("side", 4, _plain("side"), right=False), Column("market", 9, _plain("symbol"), False),
    Column("size", 12, _plain("size")), Column("price", 11, _plain("price")),
    Column("fee", 7, lambda row: (f"{float(row.get('fee') or 0):.4f}", DIM)),
    Column("", 5, lambda row: ("maker" if row.get("maker") else "taker", DIM), right=False),
    Column("µs", 6, lambda row: (micros(float(row.get("wait_us") or 0)), "")))
