"""Histograms as bytes and as log files, in HdrHistogram's own formats.

``encode`` and ``decode`` speak the V2 compressed encoding; ``LogWriter`` and ``LogReader`` the
interval log whose last field is that encoding in base 64. HdrHistogram's tools for Java, C and
Python read and write the same files.
"""

import base64
import binascii
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from typing import NamedTuple, TextIO

from fastcore.probe.histogram import Histogram
from fastcore.probe.trackers import Trackers

COUNTS_COOKIE = 0x1C849303
COMPRESSED_COOKIE = 0x1C849304
WORD_SIZE_BITS = 0xF0
COOKIE_WORD_SIZE = 0x10
HEADER = struct.Struct(">iiiiqqd")
ENVELOPE = struct.Struct(">ii")
COUNT_BYTES_MAX = 9
COUNT_MAX = (1 << 63) - 1
LOG_VERSION = "1.3"
LEGEND = ('"StartTimestamp","Interval_Length","Interval_Max",'
          '"Interval_Compressed_Histogram"')
YEAR_S = 365 * 24 * 3600.0

_NOTE = re.compile(r"#\[(StartTime|BaseTime): *([0-9.]+) ")
_INTERVAL = re.compile(r"(?:Tag=([^,]*),)?([0-9.]+),([0-9.]+),([0-9.]+),([A-Za-z0-9+/=]+)$")


# -- V2 encoding


def encode(histogram: Histogram) -> bytes:
    """V2 compressed encoding. What lies outside the range (``clamped``) is not part of it."""
    counts = _pack_counts(histogram)
    plain = HEADER.pack(COUNTS_COOKIE | COOKIE_WORD_SIZE, len(counts), 0,
                        histogram.significant_figures, histogram.lowest, histogram.highest,
                        1.0) + counts
    packed = zlib.compress(plain)
    return ENVELOPE.pack(COMPRESSED_COOKIE | COOKIE_WORD_SIZE, len(packed)) + packed


def decode(encoded: bytes) -> Histogram:
    """Histogram of a V2 compressed encoding; ``min`` and ``max`` are the ends of their buckets.

    Raises ValueError for anything else: a wrong cookie, a wrong length, damaged contents.
    """
    if len(encoded) < ENVELOPE.size:
        raise ValueError(f"histogram encoding of {len(encoded)} bytes is too short")
    cookie, length = ENVELOPE.unpack_from(encoded)
    if cookie & ~WORD_SIZE_BITS != COMPRESSED_COOKIE:
        raise ValueError(f"not a V2 compressed histogram: cookie {cookie & 0xFFFFFFFF:#x}")
    if length != len(encoded) - ENVELOPE.size:
        raise ValueError(f"histogram encoding says {length} bytes and has "
                         f"{len(encoded) - ENVELOPE.size}")
    inflater = zlib.decompressobj()
    try:
        header = inflater.decompress(encoded[ENVELOPE.size:], HEADER.size)
        histogram, size = _open_header(header)
        # A few bytes are asked for beyond the size, to see whether there are more.
        counts = inflater.decompress(inflater.unconsumed_tail, size + 8)
    except zlib.error as error:
        raise ValueError(f"histogram encoding is damaged: {error}") from None
    if len(counts) != size or not inflater.eof:
        raise ValueError(f"histogram encoding does not hold the {size} bytes of counts it names")
    _unpack_counts(counts, histogram)
    return histogram


def _open_header(header: bytes) -> tuple[Histogram, int]:
    if len(header) < HEADER.size:
        raise ValueError(f"histogram header of {len(header)} bytes is too short")
    cookie, size, offset, figures, lowest, highest, _ratio = HEADER.unpack(header)
    if cookie & ~WORD_SIZE_BITS != COUNTS_COOKIE:
        raise ValueError(f"not V2 histogram counts: cookie {cookie & 0xFFFFFFFF:#x}")
    if offset != 0:
        raise ValueError(f"histogram with normalizing index offset {offset} is not supported")
    histogram = Histogram(highest, figures, lowest)
    if not 0 <= size <= COUNT_BYTES_MAX * histogram.buckets:
        raise ValueError(f"histogram of {histogram.buckets} buckets cannot have {size} bytes "
                         "of counts")
    return histogram, size


def _pack_counts(histogram: Histogram) -> bytearray:
    """Counts up to the largest value: zig-zag LEB128, a run of zeros as its negative length."""
    out = bytearray()
    if histogram.count == 0:
        return out
    zeros = 0
    for index in range(histogram.index_of(histogram.max) + 1):
        count = histogram.count_at(index)
        if count == 0:
            zeros += 1
            continue
        if zeros:
            _pack_number(out, 2 * zeros - 1)
            zeros = 0
        _pack_number(out, 2 * count)
    return out


def _pack_number(out: bytearray, number: int) -> None:
    for _ in range(COUNT_BYTES_MAX - 1):
        if number < 0x80:
            out.append(number)
            return
        out.append(number & 0x7F | 0x80)
        number >>= 7
    # The ninth byte carries eight bits, so that 64 bits fit.
    out.append(number)


def _unpack_counts(encoded: bytes, histogram: Histogram) -> None:
    position = 0
    index = 0
    while position < len(encoded):
        number = 0
        for step in range(COUNT_BYTES_MAX):
            if position >= len(encoded):
                raise ValueError("histogram counts end in the middle of a number")
            byte = encoded[position]
            position += 1
            if step == COUNT_BYTES_MAX - 1:
                number |= byte << 7 * step
            else:
                number |= (byte & 0x7F) << 7 * step
                if byte < 0x80:
                    break
        if number & 1:
            index += (number + 1) >> 1
            continue
        if index >= histogram.buckets or histogram.count + (number >> 1) > COUNT_MAX:
            raise ValueError(f"histogram counts are impossible: {number >> 1} in bucket {index} "
                             f"of {histogram.buckets}")
        histogram.add_at(index, number >> 1)
        index += 1
    if index > histogram.buckets:
        raise ValueError(f"histogram counts name bucket {index} of {histogram.buckets}")


# -- interval log


class LogEntry(NamedTuple):
    """One interval of a log: what was recorded from ``start_us`` (wall clock) to ``end_us``."""

    tag: str
    start_us: int
    end_us: int
    histogram: Histogram


class LogWriter:
    """Writes an interval log to an open text file; times in the file count from ``start_us``.

    ``Interval_Max`` is in milliseconds, as HdrHistogram's tools expect of nanosecond values.
    """

    def __init__(self, stream: TextIO, start_us: int) -> None:
        self._stream = stream
        self._start_us = start_us
        start_s = f"{start_us / 1e6:.6f} (seconds since epoch)"
        date = datetime.fromtimestamp(start_us / 1e6, timezone.utc).isoformat(" ")
        self.comment(f"[Histogram log format version {LOG_VERSION}]")
        self.comment(f"[BaseTime: {start_s}]")
        self.comment(f"[StartTime: {start_s}, {date}]")
        stream.write(LEGEND + "\n")

    def comment(self, text: str) -> None:
        """Write a comment, one line or more."""
        for line in text.splitlines():
            self._stream.write(f"#{line}\n")

    def interval(self, histogram: Histogram, start_us: int, end_us: int, tag: str = "") -> None:
        """Write one interval. Raises ValueError for a tag with a comma or white space."""
        if "," in tag or tag != "".join(tag.split()):
            raise ValueError(f"a log tag has no comma and no white space: {tag!r}")
        name = f"Tag={tag}," if tag else ""
        text = base64.b64encode(encode(histogram)).decode("ascii")
        self._stream.write(f"{name}{(start_us - self._start_us) / 1e6:.6f},"
                           f"{(end_us - start_us) / 1e6:.6f},{histogram.max / 1e6:.6f},{text}\n")

    def trackers(self, trackers: Trackers, start_us: int, end_us: int) -> None:
        """Write one interval for each tracker that has samples; the tag is its name."""
        for name in trackers.names():
            histogram = trackers.get(name)
            if histogram.count:
                self.interval(histogram, start_us, end_us, name)


class LogReader:
    """Iterates over the intervals of a log, given as its lines (an open text file will do).

    Raises ValueError with the line number for a line that is none of a log's. A last line without
    a line end that cannot be read is what a killed writer leaves: it is skipped and sets ``torn``.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines
        self._start_s: float | None = None
        self._base_s: float | None = None
        self.torn = False

    def __iter__(self) -> Iterator[LogEntry]:
        lines = iter(self._lines)
        for number, line in enumerate(lines, 1):
            try:
                entry = self._read(line.rstrip("\r\n"))
            except ValueError as error:
                if not line.endswith("\n") and next(lines, None) is None:
                    self.torn = True
                    return
                raise ValueError(f"line {number}: {error}") from None
            if entry is not None:
                yield entry

    def totals(self) -> dict[str, Histogram]:
        """All intervals of each tag merged into one histogram."""
        totals: dict[str, Histogram] = {}
        for entry in self:
            if entry.tag in totals:
                totals[entry.tag].merge(entry.histogram)
            else:
                totals[entry.tag] = entry.histogram
        return totals

    def _read(self, line: str) -> LogEntry | None:
        if line.startswith("#"):
            note = _NOTE.match(line)
            if note and note[1] == "StartTime":
                self._start_s = float(note[2])
            elif note:
                self._base_s = float(note[2])
            return None
        if not line or line.startswith('"StartTimestamp"'):
            return None
        match = _INTERVAL.match(line)
        if match is None:
            raise ValueError("not an interval, a comment or a legend")
        tag, stamp, length, _most, text = match.groups()
        start_s = float(stamp) + self._base(float(stamp))
        try:
            histogram = decode(base64.b64decode(text, validate=True))
        except binascii.Error as error:
            raise ValueError(f"base 64: {error}") from None
        start_us = round(start_s * 1e6)
        return LogEntry(tag or "", start_us, start_us + round(float(length) * 1e6), histogram)

    def _base(self, stamp_s: float) -> float:
        """Without a base time, stamps a year before the start time are relative to it."""
        if self._base_s is None:
            start_s = self._start_s or 0.0
            self._base_s = start_s if stamp_s < start_s - YEAR_S else 0.0
        return self._base_s
