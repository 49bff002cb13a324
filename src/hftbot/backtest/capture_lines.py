"""Lines of a raw capture: ``<receive ns> <frame>``, gzip or plain, as they came from the wire."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from typing import IO, Any

from hftbot.backtest.event_file import refuse
from hftbot.errors import DataError

LINE_BYTES_MAX = 16 << 20
NS_MAX = 1 << 62
_GZIP = b"\x1f\x8b"


class CutLine(DataError):
    """The last line of a capture is not whole, as a recorder leaves it that was killed."""


def lines(path: Path) -> Iterator[bytes]:
    """The lines of a file. Raises DataError, naming the line, where it cannot be read on."""
    line_number = 0
    try:
        with open(path, "rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            file: IO[bytes] | gzip.GzipFile = gzip.GzipFile(fileobj=raw) if packed else raw
            while line := file.readline(LINE_BYTES_MAX + 1):
                line_number += 1
                if len(line) > LINE_BYTES_MAX:
                    raise refuse(path, f"line {line_number}", f"is longer than {LINE_BYTES_MAX} "
                                                              "bytes")
                yield line
    except EOFError as error:
        raise refuse(path, f"after line {line_number}", "the gzip stream is cut off") from error
    except (OSError, zlib.error) as error:
        raise refuse(path, f"after line {line_number}", f"cannot be read: {error}") from error


def frames(path: Path, unwanted: bytes | None = None) -> Iterator[tuple[int, int, Any]]:
    """(line number, receive ns, parsed frame) of each line; numbers with a point stay texts.

    Lines that hold ``unwanted`` near their beginning are left out unread.
    """
    decode = json.JSONDecoder(parse_float=str).decode
    for line_number, line in enumerate(lines(path), 1):
        if unwanted is not None and unwanted in line[:96]:
            continue
        stamp, _, text = line.partition(b" ")
        if not stamp.isdigit() or not text:
            if not line.strip():
                continue
            raise refuse(path, f"line {line_number}", "does not begin with a receive time in "
                         f"nanoseconds and a space: {line[:40]!r}"
                         + (" (no array, Parquet or Tardis CSV either: unknown format)"
                            if line_number == 1 else ""))
        try:
            yield line_number, int(stamp[:20]), decode(text.decode())
        except (ValueError, RecursionError) as error:
            if not line.endswith(b"\n"):
                raise CutLine(f"{path}: line {line_number}: bad JSON: its end is missing, the file "
                              "is cut off") from error
            raise refuse(path, f"line {line_number}", f"bad JSON: {reason(error)}") from error


def reason(error: Exception) -> str:
    """What was wrong with a message, in words."""
    if isinstance(error, KeyError):
        return f"the key {error} is missing"
    return str(error) or type(error).__name__


class Numbers:
    """Texts of prices or sizes to floats; stands where a Grid gives whole steps."""

    def __init__(self, what: str) -> None:
        self.what = what

    def steps(self, text: object) -> float:
        """The number. Raises ValueError if it is negative or none, TypeError for other things."""
        if not isinstance(text, str | int) or isinstance(text, bool):
            raise TypeError(f"{self.what} {str(text)[:40]!r} is not a number")
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not (isfinite(number) and number >= 0):
            raise ValueError(f"{self.what} {str(text)[:40]!r} is not a number >= 0")
        return number


def milliseconds_ns(stamp: object) -> int:
    """A stamp in milliseconds, number or text of digits, as nanoseconds. Raises ValueError."""
    if isinstance(stamp, str) and stamp.isascii() and stamp.isdigit():
        stamp = int(stamp[:20])
    if type(stamp) is not int or not 0 < stamp * 1_000_000 < NS_MAX:
        raise ValueError(f"{str(stamp)[:40]!r} is not a time in milliseconds")
    return stamp * 1_000_000
