"""The journal: what we did, on a preallocated mapping that outlives the process.

The file begins with MAGIC, the length and crc32 of the header, the header, and zeros up to a
multiple of 64. Then come records: length u32, crc32 u32, sequence u64, kind u32, length u32,
payload, zeros up to a multiple of 8; all little-endian. The crc covers everything behind itself.
The first length is written last, so that a record exists wholly or not at all; a length of 0 ends
the journal.
"""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython
import mmap
import os
import struct
import zlib
from collections.abc import Iterator

if cython.compiled:
    from cython.cimports.fastcore.money._record import (
        commit,
        crc_prepare,
        put_words,
        record_length,
        wipe,
        word_at,
    )
    crc_prepare()
else:
    HEAD_BYTES, ROW_BYTES = 24, 64

MAGIC = b"HFTBOTJ1"
FORMAT = MAGIC[7:].decode()
PAGE = 4096


class Journal:
    """Appends records to ``path`` (in /dev/shm or on disk), all of it mapped and touched ahead.

    A new file gets ``capacity_bytes`` and ``header``. An existing journal keeps its size and its
    header and is continued after its last whole record; what lies behind it is wiped, and kept in
    a file beside it (``.damaged``) if it was more than a torn write. Raises ValueError if the file
    is something else, OSError if it cannot be made, mapped or filled.
    """

    def __init__(self, path, capacity_bytes: int, header: bytes = b"") -> None:
        self.path = os.fspath(path)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            present = os.fstat(handle).st_size
            if present == 0:
                self.capacity = _prepare(handle, capacity_bytes, bytes(header))
            else:
                self.capacity = present
            self.mapping = mmap.mmap(handle, self.capacity)
        finally:
            os.close(handle)
        self.sequence = 0
        self.refused = 0
        try:
            self.header, self.start = _read_header(self.mapping, self.path)
        except ValueError:
            self.mapping.close()
            raise
        self.sequence, self.size = scan(self.mapping, self.start)
        self._keep_damaged()
        if cython.compiled:
            self.view = self.mapping
            self.memory = cython.address(self.view[0])
        self._wipe_rest()

    def append(self, kind: int, payload) -> int:
        """Append bytes of any buffer. Returns the record's sequence, or -1 if it does not fit.

        After ``close`` nothing fits.
        """
        payload = bytes(payload)
        length = HEAD_BYTES + len(payload)
        if self.capacity - self.size < length + 15:
            self.refused += 1
            return -1
        at = self.size
        self.mapping[at + HEAD_BYTES:at + length] = payload
        self.sequence += 1
        if cython.compiled:
            commit(self.memory + self.size, length, kind, self.sequence)
        else:
            _commit(self.mapping, at, length, kind, self.sequence)
        self.size += (length + 7) // 8 * 8
        return self.sequence

    def append_words(self, kind: int, w0: int, w1: int, w2: int, w3: int, w4: int, w5: int,
                     w6: int, w7: int) -> int:
        """Append a row of eight int64 words. Returns its sequence, or -1 if it does not fit."""
        if self.capacity - self.size < HEAD_BYTES + ROW_BYTES + 8:
            self.refused += 1
            return -1
        self.sequence += 1
        if cython.compiled:
            put_words(self.memory + self.size + HEAD_BYTES, w0, w1, w2, w3, w4, w5, w6, w7)
            commit(self.memory + self.size, HEAD_BYTES + ROW_BYTES, kind, self.sequence)
        else:
            struct.pack_into("<8q", self.mapping, self.size + HEAD_BYTES,
                             w0, w1, w2, w3, w4, w5, w6, w7)
            _commit(self.mapping, self.size, HEAD_BYTES + ROW_BYTES, kind, self.sequence)
        self.size += HEAD_BYTES + ROW_BYTES
        return self.sequence

    def rename(self, path) -> None:
        """Give the file another name in its folder; what is appended goes on. Raises OSError."""
        os.rename(self.path, path)
        self.path = os.fspath(path)

    def sync(self) -> None:
        """Bring everything appended so far to the disk; slow, for a thread or the end."""
        if self.mapping is not None:
            self.mapping.flush(0, self.size)

    def refuse(self) -> None:
        """Take no more appends, from any thread; what is there stays mapped and readable."""
        self.capacity = 0

    def close(self) -> None:
        """Sync and unmap. Appends are refused from here on; closing twice is fine."""
        if self.mapping is None:
            return
        self.sync()
        self.capacity = 0
        if cython.compiled:
            self.memory = cython.NULL
            self.view = None
        self.mapping.close()
        self.mapping = None

    def _keep_damaged(self):
        # A write that was cut off has no length yet. One with a length was damaged later, and
        # good records may follow it.
        if self.capacity - self.size < HEAD_BYTES:
            return
        if self.mapping[self.size:self.size + 4] != bytes(4):
            with open(self.path + ".damaged", "wb") as file:
                file.write(self.mapping[self.size:])

    def _wipe_rest(self):
        # Old bytes behind the end could look like records later; writing also touches each page.
        if cython.compiled:
            # In one go and without the GIL: a trading loop may be waiting for it.
            with cython.nogil:
                wipe(self.memory + self.size, self.capacity - self.size)
            return
        zeros = bytes(PAGE)
        at = self.size
        while at < self.capacity:
            end = min(at - at % PAGE + PAGE, self.capacity)
            self.mapping[at:end] = zeros[:end - at]
            at = end


class Rows:
    """Iterates over the whole records in the bytes of a journal: (sequence, kind, words).

    ``words`` are the eight words of a row, or the bytes of a payload of another size. It ends at
    the first record that is not whole. ``start`` is what ``parse_header`` said; ``step`` and
    ``words`` are the same by hand.
    """

    def __init__(self, content, start: int) -> None:
        self.content = content
        self.size = len(content)
        self.start = self.end = self.at = start
        self.sequence = 0
        self.length = 0
        if cython.compiled and self.size > 0:
            self.view = content
            self.memory = cython.address(self.view[0])

    def __iter__(self) -> "Rows":
        return self

    def __next__(self) -> tuple:
        if not self.step():
            raise StopIteration
        return self.words()

    def step(self) -> bool:
        """Go on to the next whole record; False if there is none."""
        if cython.compiled:
            length = record_length(self.memory, self.size, self.end, self.sequence + 1)
        else:
            length = _record_length(self.content, self.end, self.sequence + 1)
        if length == 0:
            return False
        self.at = self.end
        self.length = length
        self.sequence += 1
        self.end += (length + 7) // 8 * 8
        return True

    def words(self) -> tuple:
        """(sequence, kind, words) of the record that the last ``step`` came to."""
        if not self.length:
            raise ValueError("there is no record here")
        if not cython.compiled:
            kind, = struct.unpack_from("<I", self.content, self.at + 16)
            if self.length != HEAD_BYTES + ROW_BYTES:
                return self.sequence, kind, self.payload()
            return self.sequence, kind, struct.unpack_from("<8q", self.content,
                                                           self.at + HEAD_BYTES)
        kind = word_at(self.memory + self.at + 16) & 0xFFFFFFFF
        if self.length != HEAD_BYTES + ROW_BYTES:
            return self.sequence, kind, self.payload()
        at = self.at + HEAD_BYTES
        return (self.sequence, kind, (
            word_at(self.memory + at), word_at(self.memory + at + 8),
            word_at(self.memory + at + 16), word_at(self.memory + at + 24),
            word_at(self.memory + at + 32), word_at(self.memory + at + 40),
            word_at(self.memory + at + 48), word_at(self.memory + at + 56)))

    def payload(self) -> bytes:
        """The bytes of that record."""
        return bytes(self.content[self.at + HEAD_BYTES:self.at + self.length])

    def _rest(self):
        while self.step():
            continue


def scan(content, start: int) -> tuple[int, int]:
    """How many whole records the bytes of a journal hold, and the offset behind the last one."""
    rows = Rows(content, start)
    rows._rest()
    return rows.sequence, rows.end


def read_header(path) -> bytes:
    """The header that a journal was made with. Raises ValueError if it is no journal."""
    with open(path, "rb") as file:
        return _read_header(file.read(1 << 20), os.fspath(path))[0]


def read_records(path) -> Iterator[tuple[int, int, bytes]]:
    """(sequence, kind, payload) of each whole record, in order, up to the first bad one.

    Raises ValueError if the file is no journal.
    """
    with open(path, "rb") as file:
        content = file.read()
    for sequence, kind, payload, _end in parse_records(content, os.fspath(path)):
        yield sequence, kind, payload


def parse_header(content: bytes, name: str) -> tuple[bytes, int]:
    """The header in the bytes of a journal, and where its records begin.

    Raises ValueError, with ``name`` in it, if it is no journal.
    """
    return _read_header(content, name)


def parse_records(content: bytes, name: str) -> Iterator[tuple[int, int, bytes, int]]:
    """(sequence, kind, payload, end offset) of each whole record in the bytes of a journal.

    Raises ValueError, with ``name`` in it, if it is no journal.
    """
    yield from _walk(content, _read_header(content, name)[1])


def row_words(payload: bytes) -> tuple[int, ...]:
    """The eight words of a record written by ``append_words``."""
    return struct.unpack("<8q", payload)


def _prepare(handle, capacity, header):
    start = (16 + len(header) + 63) // 64 * 64
    if capacity < start + PAGE:
        raise ValueError(f"a journal needs at least {start + PAGE} bytes, not {capacity}")
    if hasattr(os, "posix_fallocate"):
        # Without real blocks behind it, a full disk would kill the process at the first touch.
        os.posix_fallocate(handle, 0, capacity)
    else:
        os.truncate(handle, capacity)
    os.pwrite(handle, MAGIC + struct.pack("<II", len(header), zlib.crc32(header)) + header, 0)
    return capacity


def _read_header(content, path):
    if len(content) < 64 or content[:7] != MAGIC[:7]:
        raise ValueError(f"{path} is not a journal")
    if content[:8] != MAGIC:
        found = bytes(content[7:8]).decode("ascii", "replace")
        raise ValueError(f"{path} is a journal of format {found!r}; this program reads format "
                         f"{FORMAT!r} only")
    length, crc = struct.unpack("<II", content[8:16])
    header = bytes(content[16:16 + length])
    if len(header) != length or zlib.crc32(header) != crc:
        raise ValueError(f"{path}: the journal's header is damaged")
    return header, (16 + length + 63) // 64 * 64


def _walk(content, start):
    rows = Rows(content, start)
    while rows.step():
        sequence, kind, _words = rows.words()
        yield sequence, kind, rows.payload(), rows.end


def _record_length(content, at, wanted):
    if at + HEAD_BYTES > len(content):
        return 0
    length, crc, sequence, _kind, again = struct.unpack_from("<IIQII", content, at)
    if length < HEAD_BYTES or length != again or length > len(content) - at or sequence != wanted:
        return 0
    return length if zlib.crc32(content[at + 8:at + length]) == crc else 0


def _commit(mapping, at, length, kind, sequence):
    struct.pack_into("<QII", mapping, at + 8, sequence, kind, length)
    struct.pack_into("<I", mapping, at + 4, zlib.crc32(mapping[at + 8:at + length]))
    struct.pack_into("<I", mapping, at, length)
