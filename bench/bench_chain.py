"""Frame bytes to order text through Lane and Desk, against the same logic on orjson."""

from __future__ import annotations

from pathlib import Path

import pytest

from core_chain import build_desk, build_lane
from fastcore.lane.lane import replay
from fastcore.probe.trackers import Trackers
from harness import Gate
from kraken_market import DEPTH, PRICE_PRECISION, QTY_PRECISION, SYMBOL, Market
from reference_chain import ReferenceDesk, ReferenceGate, ReferenceLane
from reference_chain import replay as reference_replay

FRAMES = 1024
CHUNK = 16  # frames a sample of the reference
# Ours takes more of them, so that its samples are not so short that what the machine does in
# between (an interrupt takes as long as sixteen frames) is all that their tail shows.
OURS = 64
LOTS = 1000
START_NS = 10**15


class Stream:
    """The same frames in chunks, again and again, and a clock that goes on."""

    def __init__(self, size: int = CHUNK) -> None:
        market = Market()
        self.size = size
        self.snapshot = market.snapshot()
        frames = market.updates(FRAMES)
        self.chunks = [frames[at:at + size] for at in range(0, FRAMES, size)]
        self.at = 0
        self.now_ns = START_NS

    def next(self) -> list[bytes]:
        """The next chunk; a millisecond passes with each frame."""
        chunk = self.chunks[self.at]
        self.at = (self.at + 1) % len(self.chunks)
        self.now_ns += self.size * 1_000_000
        return chunk


class Ours:
    """One lane, and a desk with a new journal for each block."""

    def __init__(self, folder: Path, checked: bool, trackers: Trackers | None = None,
                 size: int = OURS) -> None:
        self.stream, self.trackers = Stream(size), trackers
        self.journal = folder / "journal"
        self.lane = build_lane(checked, trackers)
        self.lane.on_frame(self.stream.snapshot, 0, START_NS)
        self.orders = self.good = self.asked = 0
        self.renew()

    def renew(self) -> None:
        """A new desk on a new journal: a journal is append-only and of fixed size."""
        self.desk = build_desk(self.lane, self.journal, self.trackers)

    def run(self) -> None:
        """One sample."""
        chunk = self.stream.next()
        orders, good = replay(self.lane, self.desk, chunk, 0, LOTS, 0, self.stream.now_ns)
        self.orders += orders
        self.good += good
        self.asked += len(chunk)


class Theirs:
    """The reference on a stream of its own."""

    def __init__(self, checked: bool) -> None:
        self.stream = Stream()
        self.lane = ReferenceLane(SYMBOL.decode(), PRICE_PRECISION, QTY_PRECISION, DEPTH, checked)
        self.lane.on_frame(self.stream.snapshot, START_NS)
        self.desk = ReferenceDesk(self.lane, ReferenceGate(), memoryview(bytearray(8 << 20)),
                                  "T" * 44)
        self.orders = self.good = self.asked = 0

    def run(self) -> None:
        """One sample."""
        chunk = self.stream.next()
        orders, good = reference_replay(self.lane, self.desk, chunk, 0, LOTS, self.stream.now_ns)
        self.orders += orders
        self.good += good
        self.asked += len(chunk)


@pytest.mark.parametrize(("checked", "bar"), [(False, 30), (True, 10)], ids=["plain", "crc"])
def test_chain(gate: Gate, tmp_path: Path, checked: bool, bar: float) -> None:
    """Every frame updates the book and makes an order that passes all rules, on both sides."""
    ours, theirs = Ours(tmp_path, checked), Theirs(checked)
    name = "with CRC" if checked else "without CRC"
    gate.compare(f"frame to order text {name}", ours=ours.run, theirs=theirs.run,
                 reference="orjson + zlib" if checked else "orjson", ops=OURS, theirs_ops=CHUNK,
                 at_least=bar, before=ours.renew)
    assert ours.orders == ours.good == ours.asked > 0
    assert theirs.orders == theirs.good == theirs.asked > 0


def test_same_orders(tmp_path: Path) -> None:
    """Both chains write the same bytes: the reference does what ours does."""
    ours, theirs = Ours(tmp_path, True, size=CHUNK), Theirs(True)
    for _ in range(FRAMES // CHUNK):
        ours.run()
        theirs.run()
        assert b'"order_qty":0.00001000,' in theirs.desk.frame
        assert fields(bytes(ours.desk.frame())) == fields(theirs.desk.frame)
    assert ours.orders == theirs.orders == FRAMES


def fields(frame: bytes) -> dict[str, object]:
    """The order as the venue would read it."""
    import orjson
    return orjson.loads(frame)


def test_chain_with_trackers(gate: Gate, tmp_path: Path) -> None:
    """The same with the six trackers running, as it is live."""
    trackers = Trackers()
    ours, theirs = Ours(tmp_path, True, trackers), Theirs(True)
    gate.compare("frame to order text with CRC, trackers on", ours=ours.run, theirs=theirs.run,
                 reference="orjson + zlib", ops=OURS, theirs_ops=CHUNK,
                 at_least=(10, None, None),
                 before=ours.renew)
    assert ours.orders == ours.asked
