"""Binance's depth messages in a row: from the snapshot on, by the exchange's U/u rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from hftbot.backtest.capture_lines import milliseconds_ns
from hftbot.backtest.event_file import CLEAR, DEPTH, SNAPSHOT, TRADE

EARLY_MAX = 20_000
_QUIET = frozenset({"result", "id", "error"})

Message = tuple[int, dict[str, Any]]


class Steps(Protocol):
    """What turns the text of a price or size into its number."""

    def steps(self, text: str) -> Any:
        """The number. Raises ValueError, TypeError."""


class Counts(Protocol):
    """Whose symbol is read, and what counts the oddities."""

    symbol: str
    gaps: int
    skipped: int


class DepthChain:
    """Reads one instrument's messages; ``push(exch_ns, rows)`` gets what each says.

    Rows are (exch_ns, kind, side, price, size). Depth before the snapshot is dropped or applied
    after it, older trades are dropped. ``gaps`` counts places where the chain is broken.
    """

    def __init__(self, counts: Counts, tick: Steps, lot: Steps,
                 push: Callable[[int, list[Any]], None]) -> None:
        self.counts = counts
        self.tick = tick
        self.lot = lot
        self.push = push
        self.seen_ns = 0
        self.depth_ns = 0
        self.update_id = -1
        self.joined = False
        self.early: list[Message] = []
        counts.gaps = counts.skipped = 0

    def take(self, message: dict[str, Any]) -> None:
        """One message. Raises KeyError, TypeError, ValueError, IndexError if it makes no sense."""
        if "lastUpdateId" in message:
            self.snapshot(message)
            return
        data = message.get("data")
        if data is None:
            self.counts.skipped += 1
            return
        kind = data.get("e")
        if kind not in ("depthUpdate", "trade") or data["s"] != self.counts.symbol:
            self.counts.skipped += 1
            return
        exch_ns = time_ns(data)
        self.seen_ns = max(self.seen_ns, exch_ns)
        if self.update_id < 0:
            self.early.append((exch_ns, data))
            del self.early[:-EARLY_MAX]
        elif kind == "trade":
            self.trade(exch_ns, data)
        else:
            self.depth(exch_ns, data)

    def trade(self, exch_ns: int, data: dict[str, Any]) -> None:
        ticks = self.tick.steps(data["p"])
        lots = self.lot.steps(data["q"])
        # m says that the buyer was the maker, so the taker sold.
        side = 1 if data["m"] is True else 0
        if ticks and lots:
            self.push(exch_ns, [(exch_ns, TRADE, side, ticks, lots)])

    def depth(self, exch_ns: int, data: dict[str, Any]) -> None:
        first_id, last_id = int(data["U"]), int(data["u"])
        chained = "pu" in data
        if last_id < self.update_id + (0 if chained and not self.joined else 1):
            return
        if self.joined:
            follows = (int(data["pu"]) == self.update_id if chained
                       else first_id == self.update_id + 1)
        else:
            follows = first_id <= self.update_id + (0 if chained else 1)
            self.joined = True
        if not follows:
            self.counts.gaps += 1
        self.update_id = last_id
        # Depth never overtakes depth, or an old size would stay in the book.
        self.depth_ns = exch_ns = max(self.depth_ns, exch_ns)
        self.push(exch_ns, [(exch_ns, DEPTH, side, self.tick.steps(price), self.lot.steps(size))
                            for side, price, size in levels_of(data, "b", "a")])

    def snapshot(self, message: dict[str, Any]) -> None:
        exch_ns = max(time_ns(message) if "T" in message or "E" in message else self.seen_ns,
                      self.depth_ns)
        self.depth_ns = exch_ns
        self.seen_ns = max(self.seen_ns, exch_ns)
        self.update_id = int(message["lastUpdateId"])
        self.joined = False
        rows: list[Any] = [(exch_ns, CLEAR, 0, 0, 0), (exch_ns, CLEAR, 1, 0, 0)]
        for side, price, size in levels_of(message, "bids", "asks"):
            rows.append((exch_ns, SNAPSHOT, side, self.tick.steps(price), self.lot.steps(size)))
        self.push(exch_ns, rows)
        waiting, self.early = self.early, []
        for early_ns, data in waiting:
            if data["e"] == "depthUpdate":
                self.depth(early_ns, data)
            elif early_ns > exch_ns:
                self.trade(early_ns, data)


def levels_of(data: dict[str, Any], bids: str, asks: str) -> Iterator[tuple[int, str, str]]:
    """(side, price, size) of each level. Raises KeyError, TypeError, IndexError."""
    for side, key in ((0, bids), (1, asks)):
        levels = data[key]
        if not isinstance(levels, list):
            raise TypeError(f"{key} is not a list of levels")
        for level in levels:
            price, size = level[0], level[1]
            if not isinstance(price, str) or not isinstance(size, str):
                raise TypeError(f"level {str(level)[:60]} is not a pair of decimal texts")
            yield side, price, size


def time_ns(data: dict[str, Any]) -> int:
    """Exchange time: T where the message has it (spot depth has only E), milliseconds."""
    stamp = data["T"] if "T" in data else data["E"]
    if type(stamp) is not int:
        raise ValueError(f"{str(stamp)[:40]!r} is not a time in milliseconds")
    return milliseconds_ns(stamp)


def is_message(message: object) -> bool:
    """True for a combined-stream message, a REST snapshot, or an answer to a subscription."""
    if not isinstance(message, dict):
        return False
    if "lastUpdateId" in message:
        return True
    if isinstance(message.get("data"), dict):
        return "stream" in message
    return bool(message) and _QUIET.issuperset(message)
