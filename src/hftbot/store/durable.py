"""Files that a power cut leaves either as they were or as they should be."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def replace(path: Path, text: str, room: Path | None = None) -> None:
    """Write a file (0600) in one step; on disk before this returns. Raises OSError.

    ``room`` is a file of ``reserve``: on a full disk the text goes into it, and it becomes the
    file.
    """
    fresh = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    try:
        _write(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, text.encode())
    except OSError as reason:
        with contextlib.suppress(OSError):
            fresh.unlink()
        if room is None or reason.errno not in NO_ROOM or not _fits(room, text):
            raise
        _write(room, os.O_WRONLY, text.encode())
        fresh = room
    os.replace(fresh, path)
    sync_folder(path.parent)


def reserve(room: Path, size: int) -> None:
    """Keep blocks of the disk for a later ``replace``. Raises OSError."""
    if not _fits(room, " " * size):
        replace(room, "\n" * size)


def _fits(room: Path, text: str) -> bool:
    try:
        return room.lstat().st_size >= len(text.encode())
    except FileNotFoundError:
        return False


def _write(path: Path, flags: int, content: bytes) -> None:
    """The blocks that the file has already are written again, not given back first."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW, 0o600)
    try:
        while (written := os.write(descriptor, content)) < len(content):
            content = content[written:]
        os.ftruncate(descriptor, os.lseek(descriptor, 0, os.SEEK_CUR))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """The folder's names are on disk. Raises OSError."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_small(path: Path, size: int) -> bytes:
    """At most ``size`` bytes of a plain file; a link or a pipe is neither followed nor waited for.

    Raises OSError.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        return file.read(size) or b""
