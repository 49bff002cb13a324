"""Reads journals, also while a bot writes them: the longer valid one of hot and disk counts."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fastcore.money.journal import Rows, parse_header, parse_records, scan
from hftbot.store.state_dir import RUN_MAX

PATTERN = "run-*.journal"
# Run, number of the file in that run, and the number of an earlier run that was called so.
_NAME = re.compile(r"run-(\d+)(?:-(\d+))?(?:\.(\d+))?\.journal")
_HEAD = struct.Struct("<IIQII")
_SEARCH_BYTES = 1 << 20
_HEADER_BYTES = 1 << 16
# A bot that appends while we read may leave a gap in what we saw; damage is there every time.
_LOOKS = 3


@dataclass(frozen=True, slots=True)
class JournalCopy:
    """One file of a journal, as it was read.

    ``size`` counts the bytes of the header and of all whole records, ``records`` those records.
    ``damage`` says what is wrong with it; ``remark`` what a crash may leave behind a valid end.
    """

    path: Path
    content: bytes
    header: bytes = b""
    size: int = 0
    records: int = 0
    damage: str = ""
    remark: str = ""

    @property
    def valid(self) -> bytes:
        """The header and the whole records."""
        return self.content[:self.size]

    def rows(self) -> Iterator[tuple[int, int, bytes]]:
        """(sequence, kind, payload) of each whole record."""
        if self.size:
            for sequence, kind, payload, _end in parse_records(self.content, str(self.path)):
                yield sequence, kind, payload

    def words(self) -> Iterator[tuple[int, int, tuple[int, ...] | bytes]]:
        """(sequence, kind, eight words) of each whole record; a payload of another size as bytes.

        Several times as fast as ``rows``.
        """
        if self.size:
            yield from Rows(self.content, parse_header(self.content, str(self.path))[1])


def read_copy(path: Path) -> JournalCopy:
    """Read one file. Raises OSError; what is wrong inside is in ``damage``."""
    return examine(path, path.read_bytes())


def examine(path: Path, content: bytes) -> JournalCopy:
    """The same for bytes that were read already; ``path`` is only named."""
    if not content.rstrip(b"\0"):
        return JournalCopy(path, content, remark="empty: its run ended before it began")
    try:
        header, start = parse_header(content, str(path))
    except ValueError as error:
        return JournalCopy(path, content, damage=_without_name(error, path))
    last, end = scan(content, start)
    damage, remark = _tail(content, end, last)
    return JournalCopy(path, content, header, end, last, damage, remark)


def _without_name(error: ValueError, path: Path) -> str:
    """What is wrong; whoever tells it names the file himself."""
    return str(error).removeprefix(f"{path}: ")


def header_words(header: bytes) -> dict[str, str]:
    """The pairs of words of a header: hftbot VERSION run N ... symbols A,B."""
    words = header.decode("utf-8", "replace").split()
    return dict(zip(words[::2], words[1::2], strict=False))


def headers(folder: Path) -> Iterator[tuple[Path, dict[str, str], str]]:
    """Each journal of a folder that is not empty, its header's words, and why it has none.

    Raises OSError.
    """
    for path in sorted(folder.glob(PATTERN)):
        with open(path, "rb") as file:
            begin = file.read(_HEADER_BYTES)
        if not begin.rstrip(b"\0"):
            continue
        try:
            yield path, header_words(parse_header(begin, str(path))[0]), ""
        except ValueError as error:
            yield path, {}, _without_name(error, path)


def names(*folders: Path | None) -> list[str]:
    """File names of all journals in these folders, in order of their runs and of their files."""
    return sorted({path.name for folder in folders if folder is not None
                   for path in folder.glob(PATTERN)}, key=place)


def file_name(run: int, number: int = 1, earlier: int = 0) -> str:
    """What the file of a run is called; ``earlier`` tells runs that had the same number apart."""
    part = f"-{number}" if number > 1 else ""
    return f"run-{run:05d}{part}{f'.{earlier}' if earlier else ''}.journal"


def run_files(found: Iterable[str], run: int) -> list[str]:
    """The files of the latest run of that number, first to last."""
    return [name for name in sorted(found, key=place)
            if (match := _NAME.fullmatch(name)) and int(match[1]) == run and match[3] is None]


def run_of(name: str) -> int:
    """The run whose file is called so; 0 if no file of ours is."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else 0


def newest_first(found: Iterable[str], run: int) -> list[str]:
    """The same names, the youngest first, seen from a run that begins: numbers come round."""
    def age(name: str) -> tuple[float, float, int]:
        match = _NAME.fullmatch(name)
        if match is None:
            return float("inf"), 0, 0
        earlier = int(match[3] or 0)
        rounds = 1 if earlier or int(match[1]) == run else 0
        return ((run - int(match[1])) % RUN_MAX + rounds * RUN_MAX, -earlier,
                -int(match[2] or 1))
    return sorted(found, key=age)


def account_of(content: bytes, name: str) -> str:
    """The account that a journal's header names, or nothing."""
    try:
        words = parse_header(content, name)[0].decode("utf-8", "replace").split()
    except ValueError:
        return ""
    return words[words.index("account") + 1] if "account" in words[:-1] else ""


def copy_number(found: Iterable[str], run: int) -> int:
    """A number under which no earlier run is kept that was called like this one."""
    matches = (_NAME.fullmatch(name) for name in found)
    return 1 + max((int(match[3] or 0) for match in matches if match and int(match[1]) == run),
                   default=0)


def place(name: str) -> tuple[float, float, int, str]:
    """Where a file stands among its like: by run, then by the number of its file."""
    match = _NAME.fullmatch(name)
    if match is None:
        return float("inf"), 0, 0, name
    return int(match[1]), float(match[3] or "inf"), int(match[2] or 1), name


def read_both(hot: Path | None, disk: Path) -> tuple[JournalCopy, str]:
    """The longer valid copy of one journal, and what is wrong with any of its copies.

    Raises OSError if there is neither.
    """
    for _ in range(_LOOKS):
        best, trouble = _read_both(hot, disk)
        if not trouble:
            break
    return best, trouble


def _read_both(hot: Path | None, disk: Path) -> tuple[JournalCopy, str]:
    # Hot first: a bot that ends brings the disk copy up to date before it removes the hot one.
    copies = []
    for path in (hot, disk):
        if path is not None and (path == disk or path.exists()):
            try:
                copies.append(read_copy(path))
            except FileNotFoundError:
                if path == disk and not copies:
                    raise
    copies.sort(key=lambda copy: copy.size)
    best = copies[-1]
    trouble = [f"{copy.path}: {copy.damage}" for copy in copies if copy.damage]
    if len(copies) == 2 and not best.content.startswith(copies[0].valid):
        trouble.append(f"{copies[0].path} and {best.path} are not of one run")
    return best, "; ".join(trouble)


def _tail(content: bytes, end: int, last: int) -> tuple[str, str]:
    """What lies behind the last whole record: (damage, remark)."""
    rest = content[end:end + _SEARCH_BYTES].rstrip(b"\0")
    if not rest:
        return "", ""
    if len(content) - end < _HEAD.size:
        return "", f"record {last + 1} was cut off"
    length, crc, sequence, _kind, again = _HEAD.unpack_from(content, end)
    where = f"record {last + 1} at byte {end}"
    if length == 0:
        return ((f"{where} is wiped, whole records follow" if _whole_record(content, end, rest)
                 else ""), f"record {last + 1} was not finished")
    if length == again and length > len(content) - end:
        return ((f"{where} has a wrong length, whole records follow"
                 if _whole_record(content, end, rest) else ""), f"record {last + 1} was cut off")
    if length != again or not _HEAD.size <= length <= len(content) - end:
        return f"{where} has a wrong length", ""
    if zlib.crc32(content[end + 8:end + length]) != crc:
        return f"{where} has a wrong crc", ""
    return f"{where} carries the sequence {sequence}", ""


def _whole_record(content: bytes, end: int, rest: bytes) -> bool:
    """True if a whole record begins somewhere behind ``end``."""
    for at in range(end + 8, end + len(rest) - _HEAD.size + 1, 8):
        length, crc, _sequence, _kind, again = _HEAD.unpack_from(content, at)
        if length == again and _HEAD.size <= length <= len(content) - at \
                and zlib.crc32(content[at + 8:at + length]) == crc:
            return True
    return False
