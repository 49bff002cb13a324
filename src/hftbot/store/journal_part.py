"""One file of a journal: the mapping that is appended to, and its copy on disk."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from fastcore.money.journal import Journal
from hftbot.store import durable

# No reader looks for such a name: the file is no part of a journal before it stands alone.
UNNAMED = ".next"
_CHUNK_BYTES = 1 << 20


class Disk:
    """The calls that bring a copy to the disk; tests put faulty ones in their place."""

    def write_at(self, handle: int, chunk: bytes, at: int) -> int:
        """Write at an offset. Returns how many bytes; raises OSError."""
        return os.pwrite(handle, chunk, at)

    def sync(self, handle: int) -> None:
        """What was written is on the disk. Raises OSError."""
        os.fdatasync(handle)


class Part:
    """A mapping in shared memory at ``hot``, which ``copy`` brings to ``path``, or one at ``path``.

    Without ``named`` it stays out of sight until ``publish``. Raises OSError and ValueError, and
    leaves nothing behind then.
    """

    def __init__(self, path: Path, hot: Path | None, capacity_bytes: int, header: bytes,
                 disk: Disk, named: bool = True) -> None:
        self.path = path
        self.hot = hot
        self._disk = disk
        self._copied = 0
        self._in_place = named
        self._handles: list[int] = []
        mapped = hot or path
        self._mapped = mapped if named else unnamed(mapped)
        target = path if named else unnamed(path)
        try:
            self.journal = Journal(str(self._mapped), capacity_bytes, header)
            if hot is not None:
                self._handles.append(os.open(hot if named else self._mapped,
                                             os.O_RDONLY | os.O_CLOEXEC))
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
            self._handles.append(os.open(target, flags, 0o600))
            if named:
                durable.sync_folder(path.parent)
        except (OSError, ValueError):
            self._close()
            self._mapped.unlink(missing_ok=True)
            raise

    def copy(self) -> None:
        """Bring what has been appended so far to the disk. Raises OSError."""
        size = self.journal.size
        if size == self._copied:
            return
        if self.hot is not None:
            hot, disk = self._handles
            at = self._copied
            while at < size:
                chunk = os.pread(hot, min(_CHUNK_BYTES, size - at), at)
                if not chunk:
                    raise OSError(f"{self.hot} ends at byte {at}")
                at += self._disk.write_at(disk, chunk, at)
        self._disk.sync(self._handles[-1])
        self._copied = size
        if not self._in_place:
            # Only now: whoever finds this name on the disk finds all base rows behind it.
            os.replace(unnamed(self.path), self.path)
            durable.sync_folder(self.path.parent)
            self._in_place = True

    def publish(self) -> None:
        """Give the mapping its name: from here on it is the journal. Raises OSError."""
        if self.hot is None:
            # A power cut must not find the name without the rows.
            self.journal.sync()
        self.journal.rename(str(self.hot or self.path))
        if self.hot is None:
            durable.sync_folder(self.path.parent)
            self._in_place = True
        self._mapped = self.hot or self.path

    def finish(self, keep_hot: bool) -> None:
        """Nothing is appended any more: give back what was not needed, and the hot copy."""
        used = self.journal.size
        if self.hot is None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._handles[-1], used)
                os.fsync(self._handles[-1])
        self._close()
        if self.hot is not None and not keep_hot:
            with contextlib.suppress(OSError):
                self.hot.unlink()

    def drop(self) -> None:
        """It was prepared and is not needed."""
        self._close()
        for path in {self._mapped, unnamed(self.path)}:
            with contextlib.suppress(OSError):
                path.unlink()

    def _close(self) -> None:
        for handle in self._handles:
            os.close(handle)
        self._handles.clear()


def unnamed(path: Path) -> Path:
    """Where a file stays until it gets this name."""
    return path.with_name(path.name + UNNAMED)


def forget_unnamed(*folders: Path | None) -> None:
    """Remove what a killed run had prepared: nothing in it is true yet. Raises OSError."""
    for folder in folders:
        if folder is not None:
            for path in folder.glob("run-*.journal" + UNNAMED):
                path.unlink()
