"""Writes the frames of Kraken's public stream as they come, and notes what is missing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from hftbot.backtest.capture_lines import reason
from hftbot.backtest.capture_rows import LOST, NOTE_KEY, UNREADABLE
from hftbot.backtest.dialect_kraken import DEPTHS, KrakenDialect
from hftbot.errors import ConfigError, StoreError
from hftbot.venue.kraken import codec

BEGUN, GAP, UNEQUAL = "begun", "gap", "unequal"
SENSELESS = (KeyError, TypeError, ValueError, IndexError, AttributeError)
_NOTED_TEXT = 200
_BENIGN = ("Already subscribed", "Subscription Not Found")


@dataclass(slots=True)
class Recorded:
    """What a recording holds so far. ``notes`` are the sentences told, newest last."""

    files: list[Path] = field(default_factory=list)
    frames: int = 0
    bytes: int = 0
    losses: int = 0
    gaps: int = 0
    unequal: int = 0
    checked: int = 0
    unreadable: int = 0
    notes: list[str] = field(default_factory=list)


class Recorder:
    """One connection's frames, in files that each stand alone.

    Lines are ``<receive ns> <frame>``; what the recorder has to say itself is a frame with the key
    ``hftbot``. Each book is followed: a checksum that differs asks for that book afresh. A file
    is finished after ``rotate_ns`` or ``rotate_bytes``: the next begins with what was told once
    (instruments, acknowledgements) and with fresh books. ``finished(path)`` hears of each whole
    file, ``say`` of each note. Raises ConfigError for a depth that Kraken does not offer.
    """

    def __init__(self, folder: Path, symbols: Sequence[str], depth: int, *, rotate_ns: int,
                 rotate_bytes: int, say: Callable[[str], None] = lambda text: None,
                 finished: Callable[[Path], object] = lambda path: None) -> None:
        if depth not in DEPTHS:
            raise ConfigError(f"a book has {', '.join(map(str, DEPTHS))} levels, not {depth}")
        self.folder = folder
        self.symbols = tuple(symbols)
        self.depth = depth
        self.recorded = Recorded()
        self._rotate_ns = rotate_ns
        self._rotate_bytes = rotate_bytes
        self._say = say
        self._finished = finished
        self._file: IO[bytes] | None = None
        self._file_ns = self._file_bytes = 0
        self._last_ns = 0
        self._once: dict[str, bytes] = {}
        self._books: dict[str, KrakenDialect] = {}
        self._outbox: list[bytes] = []

    def connected(self, now_ns: int) -> list[bytes]:
        """The connection is there: what to send on it. Raises StoreError."""
        self._books = {symbol: KrakenDialect(symbol, lambda rows: None) for symbol in self.symbols}
        if self._file is None:
            self._open(now_ns)
        return [codec.subscribe("instrument", snapshot=True), *self._books_again(undo=False),
                codec.subscribe("trade", self.symbols, snapshot=False)]

    def lost(self, why: str, now_ns: int) -> None:
        """The connection is gone: whatever is told meanwhile is missing."""
        self.recorded.losses += 1
        self._note(now_ns, LOST, f"the connection was lost: {why}")

    def on_frame(self, frame: bytes, recv_ns: int) -> list[bytes]:
        """Keep one frame; what has to be sent now. ``recv_ns`` is wall time.

        Raises StoreError, and ConfigError if the venue refuses a subscription.
        """
        recv_ns = self._last_ns = max(self._last_ns, recv_ns)
        if self._file is None or recv_ns - self._file_ns >= self._rotate_ns \
                or self._file_bytes >= self._rotate_bytes:
            self._rotate(recv_ns)
        try:
            message = json.loads(frame, parse_float=str)
            before = {symbol: (book.gaps, book.unequal, book.checked)
                      for symbol, book in self._books.items()}
            for book in self._books.values():
                book.take(message)
        except SENSELESS as error:
            self._unreadable(frame, reason(error), recv_ns)
        except RecursionError:
            self._unreadable(frame, "too deep", recv_ns)
        else:
            self._write(recv_ns, frame)
            self.recorded.frames += 1
            self._told_once(message, frame)
            for symbol, counts in before.items():
                self._follow(symbol, counts, recv_ns)
        taken, self._outbox = self._outbox, []
        return taken

    def flush(self) -> None:
        """Hand what was written to the operating system. Raises StoreError."""
        try:
            if self._file is not None:
                self._file.flush()
        except OSError as error:
            raise self._refused(error) from None

    def close(self) -> None:
        """Finish the file."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()
            self._finished(Path(file.name))

    def _follow(self, symbol: str, before: tuple[int, int, int], recv_ns: int) -> None:
        book = self._books[symbol]
        gaps, unequal, checked = before
        self.recorded.checked += book.checked - checked
        if book.gaps > gaps:
            self.recorded.gaps += 1
            self._note(recv_ns, GAP, f"{symbol}: trades are missing before this frame")
        if book.unequal > unequal:
            self.recorded.unequal += 1
            self._note(recv_ns, UNEQUAL, f"{symbol}: the checksum of the book differs; it is asked "
                                         "for afresh")
            # Nothing is compared until the new book is here.
            book.book.forget()
            self._outbox += self._books_again(symbols=[symbol])

    def _books_again(self, undo: bool = True, symbols: Sequence[str] = ()) -> list[bytes]:
        names = symbols or self.symbols
        first = [codec.subscribe("book", names, undo=True, depth=self.depth)] if undo else []
        return [*first, codec.subscribe("book", names, depth=self.depth, snapshot=True)]

    def _told_once(self, message: dict[str, Any], frame: bytes) -> None:
        """What a later file needs too and the venue tells only once."""
        if message.get("method") == "subscribe" and message.get("success") is False:
            told = str(message.get("error"))
            if not told.startswith(_BENIGN):
                raise ConfigError(f"SYMBOLS: the venue refuses {message.get('symbol', 'it')}: "
                                  f"{told[:_NOTED_TEXT]}")
        if message.get("channel") == "instrument" and message.get("type") == "snapshot":
            self._once["instrument"] = frame
        elif message.get("method") == "subscribe" and message.get("success") is True:
            result = message.get("result")
            if isinstance(result, dict) and result.get("channel") == "book":
                self._once[f"book {result.get('symbol')}"] = frame

    def _rotate(self, now_ns: int) -> None:
        again = self._file is not None
        self.close()
        self._open(now_ns)
        for frame in self._once.values():
            self._write(now_ns, frame)
        if again:
            self._outbox += self._books_again()

    def _open(self, now_ns: int) -> None:
        moment = datetime.fromtimestamp(now_ns / 1e9, UTC)
        number = len(self.recorded.files) + 1
        path = self.folder / f"kraken-{moment:%Y%m%dT%H%M%SZ}-{number:04d}.raw"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "xb")  # noqa: SIM115
        except OSError as error:
            raise StoreError(f"cannot record to {path}: {error.strerror or error}") from None
        self._file_ns, self._file_bytes = now_ns, 0
        self.recorded.files.append(path)
        self._write(now_ns, json.dumps({NOTE_KEY: BEGUN, "symbols": self.symbols,
                                        "depth": self.depth}).encode())

    def _write(self, now_ns: int, frame: bytes) -> None:
        assert self._file is not None
        line = b"%d %s\n" % (now_ns, frame.replace(b"\n", b" "))
        try:
            self._file.write(line)
        except OSError as error:
            raise self._refused(error) from None
        self._file_bytes += len(line)
        self.recorded.bytes += len(line)

    def _refused(self, error: OSError) -> StoreError:
        return StoreError(f"cannot record to {self.recorded.files[-1]}: {error.strerror or error}")

    def _unreadable(self, frame: bytes, why: str, now_ns: int) -> None:
        """A frame that no reader could take becomes a note; whatever it meant, it is missing."""
        self.recorded.unreadable += 1
        for book in self._books.values():
            book.book.forget()
        self._outbox += self._books_again()
        self._note(now_ns, UNREADABLE, f"a frame that makes no sense ({why}): "
                                       f"{frame[:_NOTED_TEXT].decode('utf-8', 'replace')}")

    def _note(self, now_ns: int, kind: str, text: str) -> None:
        if self._file is not None:
            self._write(max(now_ns, self._last_ns),
                        json.dumps({NOTE_KEY: kind, "text": text}).encode())
        self.recorded.notes.append(text)
        del self.recorded.notes[:-1_000]
        self._say(text)
