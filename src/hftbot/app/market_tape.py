"""``hftbot run --record FILE``: the market's frames of a run, kept for replay and parity."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastcore.probe import clock
from hftbot.errors import ConfigError
from hftbot.store.frame_tape import FrameTape
from hftbot.words.ports import Notes

# How a recording says something itself (hftbot.backtest.capture_rows reads it).
NOTE_KEY, UNREADABLE = "hftbot", "unreadable"
NOTED_BYTES = 120


class MarketTape:
    """Takes each frame and its monotonic receive stamp; without a path it keeps nothing.

    Frames come here after ``feed`` had them: one that it could not read is kept as a note, so that
    the recording can be read. Raises ConfigError if the file cannot be made.
    """

    def __init__(self, path: str | None, feed: Any, notes: Notes,
                 say: Callable[[str], None]) -> None:
        self._say = say
        self._feed = feed
        self._bad_frames = feed.bad_frames
        self._tape: FrameTape | None = None
        if path is not None:
            offset_ns = 1000 * clock.now_us() - clock.mono_ns()
            try:
                self._tape = FrameTape(Path(path), offset_ns, notes.error)
            except OSError as error:
                raise ConfigError(f"--record {path}: cannot be made: "
                                  f"{error.strerror or error}") from None

    def take(self, view: memoryview, recv_ns: int) -> None:
        """Keep one frame."""
        if self._tape is None:
            return
        if self._feed.bad_frames == self._bad_frames:
            self._tape.take(view, recv_ns)
            return
        self._bad_frames = self._feed.bad_frames
        text = bytes(view[:NOTED_BYTES]).decode("utf-8", "replace")
        note = {NOTE_KEY: UNREADABLE, "text": f"a frame that makes no sense: {text}"}
        self._tape.take(json.dumps(note).encode(), recv_ns)

    def close(self) -> None:
        """Write what is left, and say how much there is."""
        tape = self._tape
        if tape is not None:
            tape.close()
            self._say(tape.failed or f"Recorded   {tape.frames} frames of the market in "
                                     f"{tape.path}")
