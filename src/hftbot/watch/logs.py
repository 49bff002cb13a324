"""The log file: microsecond stamps, text or JSON lines, secrets taken out, never in the way.

A line is handed to a thread by the caller and written there. If the thread falls behind by
``QUEUE_MAX`` lines, further ones are dropped and counted, and the log says so.
"""

from __future__ import annotations

import contextlib
import json
import logging
import logging.handlers
import os
import queue
from collections.abc import Iterable
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, cast

from hftbot.errors import StoreError
from hftbot.watch.redaction import Redactor
from hftbot.words.secret import Secret

LOG_FILE = "bot_hft.log"
QUEUE_MAX = 10_000
FILE_BYTES_MAX = 64 << 20
FILES_KEPT = 3
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING,
          "error": logging.ERROR}
_LEVEL_NAMES = {logging.WARNING: "WARN", logging.CRITICAL: "ERROR"}
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(9), *range(11, 32), 127)}


def stamp(ts_us: int) -> str:
    """Wall-clock microseconds as ``2026-11-20 12:00:00.123456`` (UTC)."""
    seconds, micros = divmod(ts_us, 1_000_000)
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{micros:06d}"
    except (ValueError, OverflowError, OSError):
        return f"{ts_us} us"


class Logs:
    """The open log. ``info``, ``warn`` and ``error`` make it a words.ports.Notes.

    ``redactor`` learns secrets that become known later; ``dropped`` counts lines lost to a full
    queue; ``close`` writes what is queued and detaches from the logging module.
    """

    def __init__(self, logger: logging.Logger, redactor: Redactor, entrance: _Entrance,
                 listener: logging.handlers.QueueListener, file: logging.Handler) -> None:
        self.redactor = redactor
        self._logger = logger
        self._entrance = entrance
        self._listener = listener
        self._file = file

    @property
    def dropped(self) -> int:
        """Lines lost because the queue was full."""
        return self._entrance.dropped

    def info(self, text: str) -> None:
        self._logger.info("%s", text)

    def warn(self, text: str) -> None:
        self._logger.warning("%s", text)

    def error(self, text: str) -> None:
        self._logger.error("%s", text)

    def close(self) -> None:
        """Write what is queued, then stop. Calling it again does nothing."""
        if self._entrance.closed:
            return
        if self._entrance.dropped:
            self._logger.warning("log overflow: %d lines were dropped", self._entrance.dropped)
        self._entrance.closed = True
        logging.getLogger().removeHandler(self._entrance)
        self._listener.stop()
        # A full disk takes the last lines, not the exit code of the run.
        with contextlib.suppress(OSError):
            self._file.close()


def setup(path: Path | str, level: str = "info", json_lines: bool = False,
          secrets: Iterable[Secret] = (), name: str = "hftbot") -> Logs:
    """Open the log at path and send every logger of the process there.

    ``level`` (debug, info, warn, error) is for ours; others' loggers are kept from WARN on.
    Raises StoreError if the file cannot be written.
    """
    redactor = Redactor(secrets)
    try:
        file = _LogFile(path)
    except OSError as reason:
        raise StoreError(f"cannot write the log {path}: {reason.strerror or reason}") from None
    file.setFormatter(_JsonLines(redactor) if json_lines else _TextLines(redactor))
    lines: queue.Queue[Any] = queue.Queue(QUEUE_MAX)
    entrance = _Entrance(lines)
    listener = logging.handlers.QueueListener(lines, file)
    root = logging.getLogger()
    root.addHandler(entrance)
    logger = logging.getLogger(name)
    logger.setLevel(LEVELS[level])
    listener.start()
    return Logs(logger, redactor, entrance, listener, file)


class _Entrance(logging.handlers.QueueHandler):
    """Where callers leave their lines; never waits."""

    def __init__(self, lines: queue.Queue[Any]) -> None:
        super().__init__(lines)
        self.dropped = 0
        self.closed = False

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Fix the text now, because arguments may change; the layout is the writer's work."""
        record.message = record.getMessage()
        record.args = None
        if record.exc_info:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1


class _LogFile(logging.handlers.RotatingFileHandler):
    """The file, readable by its owner only, rotated at FILE_BYTES_MAX."""

    def __init__(self, path: Path | str) -> None:
        super().__init__(path, maxBytes=FILE_BYTES_MAX, backupCount=FILES_KEPT, encoding="utf-8",
                         errors="backslashreplace")

    def _open(self) -> TextIOWrapper[Any]:
        # A pipe that nobody reads is refused instead of waited for.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK
        handle = os.open(self.baseFilename, flags, 0o600)
        os.set_blocking(handle, True)
        stream = os.fdopen(handle, "a", encoding=self.encoding, errors=self.errors)
        return cast("TextIOWrapper[Any]", stream)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """A full disk must not print tracebacks over the screen; the line is lost."""
        record.exc_info = None


class _TextLines(logging.Formatter):
    """``stamp LEVEL text``; the lines of a longer text are indented, so none can be forged."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        text = record.message if not record.exc_text else f"{record.message}\n{record.exc_text}"
        text = self._redactor(text).translate(_CONTROLS).replace("\n", "\n    ")
        level = _LEVEL_NAMES.get(record.levelno, record.levelname)
        return f"{stamp(_created_us(record))} {level} {text}"


class _JsonLines(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        ts_us = _created_us(record)
        line: dict[str, Any] = {
            "ts_us": ts_us, "time": stamp(ts_us), "logger": record.name,
            "level": _LEVEL_NAMES.get(record.levelno, record.levelname),
            "message": self._redactor(record.message)}
        if record.exc_text:
            line["traceback"] = self._redactor(record.exc_text)
        return json.dumps(line, ensure_ascii=False)


def _created_us(record: logging.LogRecord) -> int:
    return round(record.created * 1_000_000)
