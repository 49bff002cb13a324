"""What a run records: frames as they came, and a note for each that nobody could read."""

from __future__ import annotations

import pathlib

import pytest

from fastcore.probe import clock
from hftbot.app.market_tape import NOTE_KEY, UNREADABLE, MarketTape
from hftbot.backtest import capture_rows, recorder
from hftbot.backtest.capture_lines import frames
from hftbot.errors import ConfigError


class Feed:
    """Counts what it could not read."""

    bad_frames = 0


class Told:
    """The Notes port, and what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, text: str) -> None:
        self.lines.append(text)

    warn = error = info


def test_frames_and_notes_are_lines_that_a_reader_takes(tmp_path: pathlib.Path) -> None:
    feed, notes, path = Feed(), Told(), tmp_path / "market.raw"
    tape = MarketTape(str(path), feed, notes, notes.info)
    before_ns = 1000 * clock.now_us()
    tape.take(memoryview(b'{"channel":"heartbeat"}'), clock.mono_ns())
    feed.bad_frames += 1
    tape.take(memoryview(b'{"channel":\n \xff'), clock.mono_ns())
    tape.take(memoryview(b'{"channel":"status"}'), clock.mono_ns())
    tape.close()
    found = list(frames(path))
    assert [frame for _, _, frame in found][::2] == [{"channel": "heartbeat"},
                                                    {"channel": "status"}]
    note = found[1][2]
    assert note[NOTE_KEY] == UNREADABLE
    assert note["text"].startswith('a frame that makes no sense: {"channel":')
    assert all(abs(at_ns - before_ns) < 10**9 for _, at_ns, _ in found)
    assert notes.lines == [f"Recorded   3 frames of the market in {path}"]
    assert (NOTE_KEY, UNREADABLE) == (capture_rows.NOTE_KEY, recorder.UNREADABLE)


def test_without_a_path_nothing_is_kept_and_a_folder_that_is_not_there_is_refused(
        tmp_path: pathlib.Path) -> None:
    notes = Told()
    tape = MarketTape(None, Feed(), notes, notes.info)
    tape.take(memoryview(b"{}"), 1)
    tape.close()
    assert notes.lines == []
    with pytest.raises(ConfigError, match="cannot be made: No such file"):
        MarketTape(str(tmp_path / "none" / "market.raw"), Feed(), notes, notes.info)
