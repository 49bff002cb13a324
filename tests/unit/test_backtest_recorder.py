"""The recorder: files that stand alone, books that are compared, what is missing noted."""

from __future__ import annotations

import json
import zlib

import pytest

from hftbot.backtest.data import DEPTH, SNAPSHOT, TRADE, open_rows
from hftbot.backtest.recorder import Recorder
from hftbot.errors import ConfigError, StoreError

SECOND = 1_000_000_000
BEGIN_NS = 1_700_000_000 * SECOND
PAIRS = [{"symbol": symbol, "price_precision": 1, "qty_precision": 4, "price_increment": 0.1,
          "qty_increment": 0.0001} for symbol in ("BTC/USD", "ETH/USD")]
INSTRUMENTS = {"channel": "instrument", "type": "snapshot", "data": {"assets": [], "pairs": PAIRS}}


class Scene:
    """A recorder and the frames that a venue sends to it."""

    def __init__(self, folder, symbols=("BTC/USD",), **options):
        self.said, self.finished = [], []
        self.recorder = Recorder(folder, symbols, 10, **{
            "rotate_ns": 3_600 * SECOND, "rotate_bytes": 1 << 30, **options},
            say=self.said.append, finished=self.finished.append)
        self.books = {}
        self.at = 0
        self.sent = [json.loads(frame) for frame in self.recorder.connected(BEGIN_NS)]

    def tell(self, frame, at):
        """Give one frame; what it asks to be sent."""
        self.at = at
        content = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
        return [json.loads(each) for each in
                self.recorder.on_frame(content, BEGIN_NS + at * SECOND + 1_000)]

    def ack(self, at, symbol="BTC/USD"):
        return self.tell({"method": "subscribe", "success": True, "result": {
            "channel": "book", "symbol": symbol, "depth": 10, "snapshot": True}}, at)

    def book(self, kind, at, bids=(), asks=(), symbol="BTC/USD", wrong=0):
        """A frame of the book channel with its true checksum, plus ``wrong``."""
        sides = self.books.setdefault(symbol, ({}, {}))
        for side, levels in zip(sides, (bids, asks), strict=True):
            if kind == "snapshot":
                side.clear()
            side.update(levels)
        best = sorted(sides[1].items())[:10] + sorted(sides[0].items(), reverse=True)[:10]
        text = "".join(str(round(price * 10)) + str(round(size * 10_000)) for price, size in best)
        return self.tell({"channel": "book", "type": kind, "data": [
            {"symbol": symbol, "checksum": zlib.crc32(text.encode()) + wrong,
             "timestamp": self.stamp(at), **{name: [{"price": price, "qty": size}
                                                    for price, size in levels]
                                             for name, levels in (("bids", bids), ("asks", asks))}}
        ]}, at)

    def trade(self, at, number):
        return self.tell({"channel": "trade", "type": "update", "data": [
            {"symbol": "BTC/USD", "side": "buy", "price": 101.0, "qty": 1.0, "trade_id": number,
             "timestamp": self.stamp(at)}]}, at)

    @staticmethod
    def stamp(at):
        return f"2023-11-14T22:{13 + (20 + at) // 60:02d}:{(20 + at) % 60:02d}.000000Z"

    def begun(self):
        """The usual beginning."""
        self.tell(INSTRUMENTS, 0)
        self.ack(0)
        self.book("snapshot", 1, [(100.0, 1.0)], [(101.0, 2.0)])
        return self


def kinds(path, **options):
    """The rows that were recorded, without the two that clear."""
    return [int(ev) & 0xFF for ev in open_rows(path, **options).array["ev"]][2:]


def test_what_is_recorded_is_read_again(tmp_path):
    scene = Scene(tmp_path / "new" / "folder").begun()
    assert [(each["method"], each["params"]["channel"]) for each in scene.sent] == [
        ("subscribe", "instrument"), ("subscribe", "book"), ("subscribe", "trade")]
    assert scene.book("update", 2, [(99.0, 4.0)]) == []
    scene.trade(3, 7)
    scene.recorder.close()
    path, = scene.finished
    assert path.name == "kraken-20231114T221320Z-0001.raw"
    assert kinds(path) == [SNAPSHOT, SNAPSHOT, DEPTH, TRADE]
    assert open_rows(path).notes == ("2 books compared with what the venue told, all equal",)
    recorded = scene.recorder.recorded
    assert (recorded.frames, recorded.checked, recorded.unequal, recorded.gaps) == (5, 2, 0, 0)
    assert recorded.bytes == path.stat().st_size
    assert scene.said == []


def test_a_file_is_finished_in_time_and_the_next_stands_alone(tmp_path):
    scene = Scene(tmp_path, rotate_ns=10 * SECOND).begun()
    asked = scene.book("update", 11, [(99.0, 4.0)])
    assert [(each["method"], each["params"]["channel"]) for each in asked] == [
        ("unsubscribe", "book"), ("subscribe", "book")]
    scene.ack(12)
    scene.book("snapshot", 12, [(100.0, 1.0), (99.0, 4.0)], [(101.0, 2.0)])
    scene.trade(13, 7)
    scene.recorder.close()
    first, second = scene.finished
    assert kinds(first) == [SNAPSHOT, SNAPSHOT]
    assert kinds(second) == [SNAPSHOT] * 3 + [TRADE]
    assert f"{open_rows(second).tick_size}" == "0.1"
    assert kinds([first, second]) == [SNAPSHOT, SNAPSHOT, DEPTH, TRADE]


def test_a_file_is_finished_by_its_size(tmp_path):
    scene = Scene(tmp_path, rotate_bytes=1_000).begun()
    for at in range(2, 12):
        scene.book("update", at, [(99.0, float(at))])
    scene.recorder.close()
    assert len(scene.finished) > 2
    assert all(path.stat().st_size < 2_000 for path in scene.finished)


def test_a_checksum_that_differs_asks_for_that_book_afresh(tmp_path):
    scene = Scene(tmp_path, ("BTC/USD", "ETH/USD")).begun()
    scene.book("snapshot", 1, [(50.0, 1.0)], [(51.0, 2.0)], "ETH/USD")
    asked = scene.book("update", 2, [(99.0, 4.0)], wrong=1)
    assert [(each["method"], each["params"]["symbol"]) for each in asked] == [
        ("unsubscribe", ["BTC/USD"]), ("subscribe", ["BTC/USD"])]
    assert scene.book("update", 3, [(98.0, 4.0)], wrong=1) == []
    assert scene.book("snapshot", 4, [(100.0, 1.0)], [(101.0, 2.0)]) == []
    assert scene.book("update", 5, [(50.0, 3.0)], symbol="ETH/USD") == []
    scene.recorder.close()
    recorded = scene.recorder.recorded
    assert (recorded.unequal, recorded.checked) == (1, 5)
    assert "BTC/USD: the checksum of the book differs" in scene.said[0]
    found = open_rows(scene.finished[0], symbol="BTC/USD")
    assert "differ from what the venue told" in found.notes[0]
    assert kinds(scene.finished[0], symbol="ETH/USD") == [SNAPSHOT, SNAPSHOT, DEPTH]


def test_what_is_missing_is_noted_in_the_file(tmp_path):
    scene = Scene(tmp_path).begun()
    scene.trade(2, 7)
    scene.trade(3, 9)
    asked = scene.tell(b"\xff no JSON", 4)
    assert asked[-1]["method"] == "subscribe"
    scene.tell({"channel": "book", "type": "update", "data": [{"symbol": "BTC/USD"}]}, 5)
    scene.recorder.lost("it fell", BEGIN_NS + 6 * SECOND)
    assert len(scene.recorder.connected(BEGIN_NS + 7 * SECOND)) == 3
    scene.book("snapshot", 8, [(100.0, 1.5)], [(101.0, 2.0)])
    scene.recorder.close()
    recorded = scene.recorder.recorded
    assert (recorded.gaps, recorded.unreadable, recorded.losses) == (1, 2, 1)
    assert [note[:28] for note in scene.said] == [
        "BTC/USD: trades are missing ", "a frame that makes no sense ",
        "a frame that makes no sense ", "the connection was lost: it "]
    found = open_rows(scene.finished[0])
    assert "3 times the recorder lost the connection or could not read a frame" in found.notes[0]
    assert "1 gaps" in found.notes[1]
    assert kinds(scene.finished[0]) == [SNAPSHOT, SNAPSHOT, TRADE, TRADE, DEPTH]


def test_stamps_never_go_backwards(tmp_path):
    scene = Scene(tmp_path).begun()
    scene.trade(9, 7)
    scene.trade(3, 8)
    scene.recorder.close()
    stamps = [int(line.split()[0]) for line in scene.finished[0].read_bytes().splitlines()]
    assert stamps == sorted(stamps)


def test_what_cannot_be_recorded_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="10, 25, 100, 500, 1000 levels, not 7"):
        Recorder(tmp_path, ["BTC/USD"], 7, rotate_ns=1, rotate_bytes=1)
    scene = Scene(tmp_path)
    with pytest.raises(ConfigError, match="SYMBOLS: the venue refuses NONE/USD: Currency pair not"):
        scene.tell({"method": "subscribe", "success": False, "symbol": "NONE/USD",
                    "error": "Currency pair not supported NONE/USD"}, 1)
    scene.tell({"method": "subscribe", "success": False, "error": "Already subscribed"}, 1)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=r"cannot record to .*: Not a directory"):
        Scene(tmp_path / "file" / "folder")
