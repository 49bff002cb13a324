"""Market frames as they came from the wire, kept in a file: ``<receive ns> <frame>`` a line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

BUFFER_BYTES = 1 << 18
_NEWLINES = bytes.maketrans(b"\r\n", b"  ")


class FrameTape:
    """Writes frames to a new file; ``open_rows`` of hftbot.backtest.data reads it.

    Receive stamps are wall-clock nanoseconds: the wire's monotonic ones plus ``offset_ns``. The
    file gets what the buffer holds when it is full and at ``close``. A disk that refuses ends the
    tape, not the run: ``failed`` says why, and ``complain`` is told once.

    Raises FileExistsError if the file is there, OSError if it cannot be made.
    """

    def __init__(self, path: Path, offset_ns: int, complain: Callable[[str], None]) -> None:
        self.path = path
        self.frames = 0
        self.failed = ""
        self._offset_ns = offset_ns
        self._complain = complain
        self._file: BinaryIO | None = path.open("xb", buffering=BUFFER_BYTES)

    def take(self, view: memoryview | bytes, recv_ns: int) -> None:
        """Keep one frame."""
        file = self._file
        if file is None:
            return
        frame = bytes(view)
        if b"\n" in frame or b"\r" in frame:
            frame = frame.translate(_NEWLINES)
        try:
            file.write(b"%d %b\n" % (recv_ns + self._offset_ns, frame))
            self.frames += 1
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        """Write what is left."""
        file, self._file = self._file, None
        if file is None:
            return
        try:
            file.close()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self._file = None
        self.failed = f"{self.path}: recording ends: {error.strerror or error}"
        self._complain(self.failed)
