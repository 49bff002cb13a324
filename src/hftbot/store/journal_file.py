"""The journal's two copies: a hot mapping in shared memory, and the disk that follows it."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

from fastcore.money.journal import Journal
from hftbot.errors import StoreError
from hftbot.store.journal_reader import names, read_copy
from hftbot.store.state_dir import SHARED_MEMORY, StateDir

COPY_INTERVAL_S = 0.05
_CHUNK_BYTES = 1 << 20


class JournalFile:
    """The journal of one run, and a thread that brings it to the disk every 50 ms.

    ``journal`` is what the hot path appends to. A copy that fails is final: ``failed`` says why,
    the journal refuses all appends, who watches is told, and the hot copy stays for the next run.
    What earlier runs left in shared memory is recovered first. ``notes`` are sentences for
    people. Raises StoreError.
    """

    def __init__(self, state: StateDir, run: int, capacity_bytes: int, header: bytes,
                 shared_memory: Path = SHARED_MEMORY) -> None:
        self.path = state.journal / f"run-{run:05d}.journal"
        self.hot: Path | None = None
        self.failed = ""
        self.notes: list[str] = []
        self._on_failed: Callable[[str], None] = lambda reason: None
        self._copied = 0
        self._closed = False
        self._handles: list[int] = []
        self._lock = threading.Lock()
        self._wake = threading.Event()
        try:
            state.journal.mkdir(mode=0o700, exist_ok=True)
            folder = state.hot_journal(shared_memory)
            if folder is not None:
                self.notes += recover_all(folder, state.journal)
            self._keep_earlier()
            self.journal = self._open(folder, capacity_bytes, header)
        except (OSError, ValueError) as error:
            raise StoreError(f"cannot make the journal {self.path}: {error}") from None
        self.sync()
        if self.failed:
            self._release()
            raise StoreError(f"cannot make the journal {self.path}: {self.failed}")
        self._thread = threading.Thread(target=self._follow, name="journal", daemon=True)
        self._thread.start()

    def _keep_earlier(self) -> None:
        """Run numbers come round again; an earlier journal of this number is never continued."""
        if self.path.exists():
            aside = free_name(self.path)
            self.path.rename(aside)
            self.notes.append(f"an earlier journal of this run number is now {aside}")

    def _open(self, folder: Path | None, capacity_bytes: int, header: bytes) -> Journal:
        reason = "no shared memory"
        if folder is not None:
            hot = folder / self.path.name
            try:
                journal = Journal(str(hot), capacity_bytes, header)
                self.hot = hot
                self._handles.append(os.open(hot, os.O_RDONLY | os.O_CLOEXEC))
            except OSError as error:
                reason = error.strerror or str(error)
                hot.unlink(missing_ok=True)
                self.hot = None
        if self.hot is None:
            self.notes.append(f"the journal is mapped on disk ({reason}): its appends take longer "
                              "at the 99th percentile")
            journal = Journal(str(self.path), capacity_bytes, header)
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
        self._handles.append(os.open(self.path, flags, 0o600))
        _sync_folder(self.path.parent)
        return journal

    @property
    def places(self) -> str:
        """Where the copies are, for people."""
        if self.hot is None:
            return f"{self.path} (mapped)"
        return f"{self.hot}, copied to {self.path}"

    def watch(self, on_failed: Callable[[str], None]) -> None:
        """Call ``on_failed`` with the reason, in the copying thread, when a copy fails."""
        self._on_failed = on_failed
        if self.failed:
            on_failed(self.failed)

    def sync_soon(self) -> None:
        """Have the thread copy and sync at once; does not wait."""
        self._wake.set()

    def sync(self) -> None:
        """Copy and sync what has been appended so far; after a failure it does nothing."""
        with self._lock:
            size = self.journal.size
            if self.failed or size == self._copied:
                return
            try:
                if self.hot is not None:
                    self._copy(size)
                os.fdatasync(self._handles[-1])
            except Exception as error:
                # A second fdatasync would report success for pages that were lost: no retry.
                self.failed = f"the journal cannot be copied to {self.path}: {error}"
                self.journal.refuse()
            else:
                self._copied = size

    def _copy(self, size: int) -> None:
        hot, disk = self._handles
        at = self._copied
        while at < size:
            chunk = os.pread(hot, min(_CHUNK_BYTES, size - at), at)
            if not chunk:
                raise OSError(f"{self.hot} ends at byte {at}")
            at += os.pwrite(disk, chunk, at)

    def _follow(self) -> None:
        while not self._closed:
            self._wake.wait(COPY_INTERVAL_S)
            self._wake.clear()
            self.sync()
            if self.failed:
                self._on_failed(self.failed)
                return

    def close(self) -> None:
        """Sync, give back what was not needed, remove the hot copy unless the disk lacks it."""
        if self._closed:
            return
        self._closed = True
        self._wake.set()
        self._thread.join()
        self.sync()
        used = self.journal.size
        try:
            if self.hot is None:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._handles[-1], used)
                    os.fsync(self._handles[-1])
        finally:
            self._release()

    def _release(self) -> None:
        self.journal.close()
        for handle in self._handles:
            os.close(handle)
        self._handles.clear()
        if self.hot is not None and not self.failed:
            with contextlib.suppress(OSError):
                self.hot.unlink()
                self.hot.parent.rmdir()


def recover_all(hot: Path, disk: Path) -> list[str]:
    """Bring home what killed runs left in shared memory; one sentence for each. Raises OSError."""
    return [note for note in (recover(hot / name, disk / name) for name in names(hot)) if note]


def recover(path_hot: Path, path_disk: Path) -> str:
    """Keep the longer valid copy of a dead run as its disk file; the hot file is gone after.

    Copies that are not of one run are both kept, and so is a damaged hot file. Returns a sentence
    for people. Raises OSError; the hot file is then still there.
    """
    hot = read_copy(path_hot)
    said = []
    if hot.damage:
        kept = free_name(path_disk.with_name(path_disk.name + ".damaged"))
        _write(kept, hot.content.rstrip(b"\0"))
        said.append(f"{hot.damage}; kept as {kept}")
    if hot.size:
        said.append(_bring_home(hot.valid, path_disk))
    path_hot.unlink()
    return "; ".join(part for part in said if part)


def _bring_home(valid: bytes, path_disk: Path) -> str:
    try:
        disk = read_copy(path_disk)
    except FileNotFoundError:
        _write(path_disk, valid)
        return f"journal of a killed run recovered: {path_disk}"
    if disk.size >= len(valid) and disk.content.startswith(valid):
        return ""
    if disk.size < len(valid) and valid.startswith(disk.valid):
        _write(path_disk, valid)
        return (f"journal of a killed run recovered: {path_disk}, {len(valid) - disk.size} bytes "
                "more than the disk had")
    aside = free_name(path_disk)
    _write(aside, valid)
    return f"a journal in shared memory is not that of {path_disk}; kept as {aside}"


def free_name(path: Path) -> Path:
    """A name like this one that is not taken."""
    count = 1
    while (aside := path.with_name(f"{path.stem}.{count}{path.suffix}")).exists():
        count += 1
    return aside


def _write(path: Path, content: bytes) -> None:
    """The whole file or none, on the disk when this returns."""
    fresh = path.with_name(path.name + ".new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
