"""hftbacktest's own files: .npy is mapped, .npz is unpacked; both are written too."""

from __future__ import annotations

import os
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from hftbot.backtest.event_file import refuse
from hftbot.backtest.event_rows import CHUNK_ROWS, EVENT, ROW_BYTES, Rows, RowStore, bytes_of

KEY = "data"
ZIP_MAGIC = b"PK\x03\x04"
NUMPY_MAGIC = b"\x93NUMPY"
_UNREADABLE = (ValueError, OSError, EOFError, KeyError, MemoryError, OverflowError, SyntaxError,
               RuntimeError, NotImplementedError, tokenize.TokenError, zipfile.BadZipFile,
               zlib.error)


def read(path: Path) -> Rows:
    """The rows of a file. Raises DataError naming the file and the row."""
    try:
        with open(path, "rb") as file:
            packed = file.read(len(ZIP_MAGIC)) == ZIP_MAGIC
        return _unpacked(path) if packed else _mapped(path)
    except _UNREADABLE as error:
        raise refuse(path, "", f"cannot be read as a NumPy file: {_reason(error)}") from error


def _mapped(path: Path) -> Rows:
    with open(path, "rb") as file:
        count = _header(path, file)
        begin = file.tell()
        there = (os.fstat(file.fileno()).st_size - begin) // ROW_BYTES
        if there < count:
            raise refuse(path, f"row {there}", f"the file is cut off: its header tells of {count} "
                                               f"rows and {there} are there")
        if not count:
            raise refuse(path, "", "it holds no rows")
        return np.asarray(np.memmap(file, EVENT, mode="r", offset=begin, shape=(count,)))


def _unpacked(path: Path) -> Rows:
    store = RowStore()
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        if KEY not in names:
            raise refuse(path, "", f"no array named {KEY!r} in it (its arrays: "
                                   f"{', '.join(names[:8]) or 'none'})")
        with archive.open(KEY + ".npy") as file:
            count = _header(path, file)
            try:
                while store.rows < count:
                    wanted = min(CHUNK_ROWS, count - store.rows) * ROW_BYTES
                    block = file.read(wanted)
                    if len(block) < wanted:
                        raise EOFError("its end is missing")
                    store.add(np.frombuffer(block, EVENT))
            except (EOFError, zlib.error, zipfile.BadZipFile) as error:
                raise refuse(path, f"row {store.rows}", f"the array is cut off or damaged from "
                             f"there on ({_reason(error)}); its header tells of {count} rows"
                             ) from error
    if not count:
        raise refuse(path, "", "it holds no rows")
    return store.finished()


def _header(path: Path, file: IO[bytes]) -> int:
    """How many rows follow. Raises DataError if they are no events."""
    version = np.lib.format.read_magic(file)
    reader = (np.lib.format.read_array_header_1_0 if version == (1, 0)
              else np.lib.format.read_array_header_2_0)
    shape, _, dtype = reader(file)
    names = dtype.names or ()
    if dtype != EVENT or len(shape) != 1:
        wanted = EVENT.names or ()
        missing = [name for name in wanted if name not in names]
        wrong = [f"{name} is {dtype[name]} and should be {EVENT[name]}" for name in wanted
                 if name in names and dtype[name] != EVENT[name]]
        why = f"it lacks {', '.join(missing)}" if missing else "; ".join(wrong) or (
            f"shape {shape}, {dtype.itemsize} bytes a row and not {ROW_BYTES}")
        raise refuse(path, "", f"not an array of event rows as hftbacktest's event_dtype: {why} "
                               f"(fields {', '.join(names) or 'none'})")
    return int(shape[0])


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def write(path: Path, rows: Rows) -> None:
    """Write rows as .npy, or compressed if the name ends with .npz. Raises OSError."""
    if path.suffix == ".npz":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive, \
                archive.open(KEY + ".npy", "w", force_zip64=True) as member:
            _write(member, rows)
    else:
        with open(path, "wb") as file:
            _write(file, rows)


def _write(file: Any, rows: Rows) -> None:
    np.lib.format.write_array_header_1_0(file, {
        "descr": np.lib.format.dtype_to_descr(EVENT), "fortran_order": False,
        "shape": (len(rows),)})
    for start in range(0, len(rows), CHUNK_ROWS):
        file.write(bytes_of(rows[start:start + CHUNK_ROWS]))
