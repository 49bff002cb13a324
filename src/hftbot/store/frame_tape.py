"""Market frames as they came from the wire, kept in a file: ``<receive ns> <frame>`` a line."""

from __future__ import annotations

from collections.abc import Callable
from io import FileIO
from pathlib import Path

WAITING_BYTES_MAX = 1 << 16
WAITING_NS_MAX = 1_000_000_000
_NEWLINES = bytes.maketrans(b"\r\n", b"  ")


class FrameTape:
    """Writes frames to a new file; ``open_rows`` of hftbot.backtest.data reads it.

    Receive stamps are wall-clock nanoseconds: the wire's monotonic ones plus ``offset_ns``. Only
    whole lines are written, at the latest a second after their frame came (if another comes), so
    that a killed run leaves a file that can be read. A disk that refuses ends the tape, not the
    run: ``failed`` says why, and ``complain`` is told once.

    Raises FileExistsError if the file is there, OSError if it cannot be made.
    """

    def __init__(self, path: Path, offset_ns: int, complain: Callable[[str], None]) -> None:
        self.path = path
        self.frames = 0
        self.failed = ""
        self._offset_ns = offset_ns
        self._complain = complain
        self._waiting: list[bytes] = []
        self._waiting_bytes = self._written_ns = 0
        self._file: FileIO | None = FileIO(str(path), "x")

    def take(self, view: memoryview | bytes, recv_ns: int) -> None:
        """Keep one frame."""
        if self._file is None:
            return
        frame = bytes(view)
        if b"\n" in frame or b"\r" in frame:
            frame = frame.translate(_NEWLINES)
        self._waiting.append(b"%d %b\n" % (recv_ns + self._offset_ns, frame))
        self._waiting_bytes += len(frame)
        self.frames += 1
        if self._waiting_bytes > WAITING_BYTES_MAX \
                or recv_ns - self._written_ns > WAITING_NS_MAX:
            self._written_ns = recv_ns
            self._write()

    def close(self) -> None:
        """Write what is left."""
        self._write()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self) -> None:
        content = b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        if self._file is None or not content:
            return
        try:
            written = self._file.write(content)
        except OSError as error:
            self._fail(error.strerror or str(error))
            return
        if written != len(content):
            self._fail("the disk took only a part; the last line is cut")

    def _fail(self, why: str) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None
        self.failed = f"{self.path}: recording ends: {why}"
        self._complain(self.failed)
