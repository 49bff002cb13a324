"""Kraken's frames from Python: a book message in with its checksum, order requests out.

The reference for the book is what a careful Python programmer writes with orjson and zlib (the
lane of bench/reference_chain.py); J is json.loads of one fixed frame in the same block.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import orjson
import pytest

from core_chain import TOKEN, build_lane
from fastcore.codec.text import KrakenOrderText
from fastcore.lane.lane import EVENT_BOOK, Lane
from harness import Gate, Side, side_j
from kraken_market import (
    DEPTH,
    LOT_UNITS,
    PRICE_PRECISION,
    QTY_PRECISION,
    SYMBOL,
    TICK_UNITS,
    Market,
)
from reference_chain import ReferenceLane

FRAMES = 1024
CHUNK = 16  # frames a sample
ORDERS = 15
DEADLINE_US = 1_767_225_600_123_000
FIRST_ID = (1 << 48) + (7 << 32) + 1


class OneLevel(Market):
    """A market of which every message tells one renewed level; its list may be repeated."""

    def updates(self, count: int) -> list[bytes]:
        """That many updates; each level's last one brings back what the snapshot said."""
        before = [dict(side) for side in self.sides]
        frames = []
        for _ in range(count - 2 * DEPTH):
            side = self.rng.randrange(2)
            frames.append(self._renewed(side, self.rng.choice(self.ranked(side)), self.size()))
        return frames + [self._renewed(side, ticks, before[side][ticks])
                         for side in (0, 1) for ticks in before[side]]

    def _renewed(self, side: int, ticks: int, lots: int) -> bytes:
        self.sides[side][ticks] = lots
        return self.frame("update", [(side, ticks, lots)])


def turns(frames: list[bytes], take: Callable[[bytes, int], object]) -> Side:
    """A side that takes the next chunk of frames, one call each, again and again."""
    chunks = [frames[at:at + CHUNK] for at in range(0, len(frames), CHUNK)]
    state = [0, 10**15]

    def run() -> None:
        chunk = chunks[state[0]]
        state[0] = (state[0] + 1) % len(chunks)
        now_ns = state[1] = state[1] + CHUNK * 1_000_000
        for frame in chunk:
            take(frame, now_ns)
    return run


def turns_of_lane(frames: list[bytes], lane: Lane) -> Side:
    """The same for our lane, which takes the padding too."""
    chunks = [frames[at:at + CHUNK] for at in range(0, len(frames), CHUNK)]
    state = [0, 10**15]

    def run() -> None:
        chunk = chunks[state[0]]
        state[0] = (state[0] + 1) % len(chunks)
        now_ns = state[1] = state[1] + CHUNK * 1_000_000
        take = lane.on_frame
        for frame in chunk:
            take(frame, 0, now_ns)
    return run


def lanes() -> tuple[list[bytes], Lane, ReferenceLane]:
    """The same market to both sides: frames, our lane, the reference."""
    market = OneLevel()
    snapshot, frames = market.snapshot(), market.updates(FRAMES)
    ours = build_lane(checked=True)
    theirs = ReferenceLane(SYMBOL.decode(), PRICE_PRECISION, QTY_PRECISION, DEPTH, checked=True)
    assert ours.on_frame(snapshot, 0, 1) & EVENT_BOOK
    assert theirs.on_frame(snapshot, 1)
    return frames, ours, theirs


def test_book_message(gate: Gate) -> None:
    """Every message has one level: decoded, applied, its checksum verified, the top told."""
    frames, ours, theirs = lanes()
    gate.compare("1-level message to book with CRC, from Python",
                 ours=turns_of_lane(frames, ours), theirs=turns(frames, theirs.on_frame),
                 reference="orjson + zlib", ops=CHUNK, at_least=4)
    assert ours.resyncs == ours.ignored == theirs.mismatches == 0


def test_each_message_has_one_level_and_a_right_checksum() -> None:
    """What the bench counts is what happens, on both sides and in a second round too."""
    frames, ours, theirs = lanes()
    for frame in frames + frames:
        row = orjson.loads(frame)["data"][0]
        assert len(row["bids"]) + len(row["asks"]) == 1
        assert ours.on_frame(frame, 0, 1) & EVENT_BOOK
        assert theirs.on_frame(frame, 1)
    assert ours.book.levels(1, DEPTH) == [(ticks, theirs.book.asks[ticks])
                                          for ticks in theirs.book.asks_sorted]


def orders(count: int) -> list[tuple[int, int, int, int, bool, int]]:
    """Side, ticks, lots, time in force, post-only, ClientId; different each time."""
    rng = random.Random(count)
    return [(rng.randrange(2), rng.randrange(100_000, 2_000_000), rng.randrange(1, 10**9),
             0, True, FIRST_ID + number) for number in range(count)]


def writer() -> KrakenOrderText:
    """The writer of one pair, with a token of real length."""
    text = KrakenOrderText(SYMBOL, PRICE_PRECISION, QTY_PRECISION, TICK_UNITS, LOT_UNITS)
    text.set_token(TOKEN)
    return text


def single(text: KrakenOrderText) -> Side:
    """A side that writes one order after another."""
    rows = [(*order, DEADLINE_US, order[5]) for order in orders(CHUNK)]

    def run() -> None:
        add_order = text.add_order
        for row in rows:
            add_order(*row)
    return run


def batch(text: KrakenOrderText) -> Side:
    """A side that writes one batch of fifteen."""
    rows = orders(ORDERS)

    def run() -> None:
        add = text.batch_add
        text.batch_open()
        for row in rows:
            add(*row)
        text.batch_close(DEADLINE_US, 7)
    return run


def test_order_frame(gate: Gate) -> None:
    """One order from Python: at most 0.4 J at the median and the 95th percentile."""
    text = writer()
    gate.in_units("order frame formatted, single", ours=single(text), unit=side_j, ops=CHUNK,
                  reference="J = json.loads of 176 bytes", at_most=(0.4, 0.4, None))
    params = json.loads(bytes(text.frame()))["params"]
    assert params["cl_ord_id"]
    assert params["deadline"] == "2026-01-01T00:00:00.123Z"


def test_batch_frame(gate: Gate) -> None:
    """Fifteen orders from Python, seventeen calls: at most 2.2 J at the median."""
    text = writer()
    gate.in_units("order frame formatted, batch of 15", ours=batch(text), unit=side_j,
                  reference="J = json.loads of 176 bytes", at_most=(2.2, 2.2, None))
    assert len(json.loads(bytes(text.frame()))["params"]["orders"]) == ORDERS


@pytest.mark.parametrize("rows", [orders(ORDERS)])
def test_a_batch_is_what_singles_are(rows: list[tuple[int, int, int, int, bool, int]]) -> None:
    """Each row of the batch holds the fields of the single order."""
    text = writer()
    text.batch_open()
    for row in rows:
        assert text.batch_add(*row) > 0
    assert text.batch_close(0, 7) > 0
    told = json.loads(bytes(text.frame()))["params"]["orders"]
    for row, seen in zip(rows, told, strict=True):
        assert text.add_order(*row, 0, 1) > 0
        alone = json.loads(bytes(text.frame()))["params"]
        assert seen == {key: alone[key] for key in alone if key not in ("symbol", "token")}
