"""``hftbot run --record FILE``: the market's frames of a run, kept for replay and parity."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fastcore.probe import clock
from hftbot.errors import ConfigError
from hftbot.store.frame_tape import FrameTape
from hftbot.words.ports import Notes


class Recording:
    """Takes each frame and its monotonic receive stamp; without a path it keeps nothing.

    Raises ConfigError if the file cannot be made.
    """

    def __init__(self, path: str | None, notes: Notes, say: Callable[[str], None]) -> None:
        self._say = say
        self._tape: FrameTape | None = None
        if path is not None:
            offset_ns = 1000 * clock.now_us() - clock.mono_ns()
            try:
                self._tape = FrameTape(Path(path), offset_ns, notes.error)
            except OSError as error:
                raise ConfigError(f"--record {path[:80]}: cannot be made: "
                                  f"{error.strerror or error}") from None

    def take(self, view: memoryview, recv_ns: int) -> None:
        """Keep one frame."""
        if self._tape is not None:
            self._tape.take(view, recv_ns)

    def close(self) -> None:
        """Write what is left, and say how much there is."""
        tape = self._tape
        if tape is not None:
            tape.close()
            self._say(tape.failed or f"Recorded   {tape.frames} frames of the market in "
                                     f"{tape.path}")
