"""The journal's two copies: a hot mapping in shared memory, and the disk that follows it."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from fastcore.money.journal import Journal
from hftbot.errors import StoreError
from hftbot.store import durable
from hftbot.store.journal_keep import forget_old
from hftbot.store.journal_part import Disk, Part, forget_unnamed
from hftbot.store.journal_reader import copy_number, file_name, names, read_copy, run_files
from hftbot.store.state_dir import SHARED_MEMORY, StateDir

COPY_INTERVAL_S = 0.05
# From here on the next file is prepared; what is left lasts until the owner goes on in it.
ROTATE_SHARE = 0.75
PREPARE_AGAIN_S = 1.0
Row = tuple[int, Sequence[int]]


class JournalFile:
    """The journal of one run, and a thread that brings it to the disk every 50 ms.

    ``journal`` is what the hot path appends to. A copy that fails is final: ``failed`` says why,
    the journal refuses all appends, who watches is told, and the hot copy stays for the next run.
    What earlier runs left in shared memory is recovered first. When the file is nearly full the
    thread prepares the next one (``rotation_due``) and the owner goes on in it with ``rotate``.
    With ``keep``, files of earlier runs beyond so many are removed if nothing needs them.
    ``notes`` are sentences for people. Raises StoreError.
    """

    def __init__(self, state: StateDir, run: int, capacity_bytes: int, header: bytes,
                 shared_memory: Path = SHARED_MEMORY, disk: Disk | None = None,
                 keep: int = 0) -> None:
        self.run = run
        self.failed = ""
        self.notes: list[str] = []
        self._capacity_bytes = capacity_bytes
        self._header = header
        self._home = state.journal
        self._disk = disk or Disk()
        self._on_failed: Callable[[str], None] = lambda reason: None
        self._on_note: Callable[[str], None] = lambda text: None
        self._next: Part | None = None
        self._next_s = 0.0
        self._closed = False
        self._lock = threading.Lock()
        self._wake = threading.Event()
        path = self._home / file_name(run)
        try:
            self._home.mkdir(mode=0o700, exist_ok=True)
            self._folder = state.hot_journal(shared_memory)
            forget_unnamed(self._folder, self._home)
            if self._folder is not None:
                self.notes += recover_all(self._folder, self._home)
            self._keep_earlier()
            if keep:
                self.notes += forget_old(self._home, keep, run)
            part, reason = self._make(1, True)
        except (OSError, ValueError) as error:
            raise StoreError(f"cannot make the journal {path}: {error}") from None
        if part.hot is None:
            self.notes.append(f"the journal is mapped on disk ({reason}): its appends take longer "
                              "at the 99th percentile")
        self.journal = part.journal
        # The last is appended to; what stands before it is waiting for its last copy.
        self._parts = [part]
        self._number = 1
        self.sync()
        if self.failed:
            self._release()
            raise StoreError(f"cannot make the journal {path}: {self.failed}")
        self._thread = threading.Thread(target=self._follow, name="journal", daemon=True)
        self._thread.start()

    def _keep_earlier(self) -> None:
        """Run numbers come round again; an earlier journal of this number is never continued."""
        earlier = run_files(names(self._home), self.run)
        if not earlier:
            return
        number = copy_number(names(self._home), self.run)
        for part, name in enumerate(earlier, 1):
            aside = self._home / file_name(self.run, part, number)
            (self._home / name).rename(aside)
            self.notes.append(f"an earlier journal of this run number is now {aside}")

    def _make(self, number: int, named: bool) -> tuple[Part, str]:
        """A file in shared memory, or on disk and why. Raises OSError, ValueError."""
        name = file_name(self.run, number)
        header = self._header + (b"" if number == 1 else b" part %d" % number)
        reason = "no shared memory"
        if self._folder is not None:
            try:
                return Part(self._home / name, self._folder / name, self._capacity_bytes, header,
                            self._disk, named), ""
            except OSError as error:
                reason = error.strerror or str(error)
        return Part(self._home / name, None, self._capacity_bytes, header, self._disk,
                    named), reason

    @property
    def path(self) -> Path:
        """The file on disk that is written now."""
        return self._parts[-1].path

    @property
    def hot(self) -> Path | None:
        """The mapping in shared memory that is appended to, if there is one."""
        return self._parts[-1].hot

    @property
    def places(self) -> str:
        """Where the copies are, for people."""
        if self.hot is None:
            return f"{self.path} (mapped)"
        return f"{self.hot}, copied to {self.path}"

    def watch(self, on_failed: Callable[[str], None],
              on_note: Callable[[str], None] | None = None) -> None:
        """Call ``on_failed`` with the reason when a copy fails, ``on_note`` with other news.

        Both are called in the copying thread.
        """
        self._on_note = on_note or self._on_note
        self._on_failed = on_failed
        if self.failed:
            on_failed(self.failed)

    # --- rotation ------------------------------------------------------------------------------

    @property
    def rotation_due(self) -> bool:
        """True once the next file is prepared: ``rotate`` at the next quiet moment."""
        return self._next is not None and not self.failed

    def rotate(self, base_rows: Iterable[Row]) -> Journal:
        """Go on in the next file and return it; the old journal refuses from here on.

        For the owner of the appends, between two of them. ``base_rows`` (kind, eight words) are
        written first, so that the new file stands alone; it has its name only after them. Raises
        StoreError if that cannot be done: then the old journal goes on until it is full.
        """
        part = self._next
        if part is None or self.failed:
            raise StoreError("the journal cannot go on in a new file: " + (
                self.failed or "none is prepared"))
        try:
            for kind, words in base_rows:
                if part.journal.append_words(kind, *words) < 0:
                    raise StoreError("the journal cannot go on in a new file: its base rows fill "
                                     "a whole one")
            part.publish()
        except (OSError, StoreError) as error:
            self._next_s = float("inf")
            self._next = None
            part.drop()
            raise StoreError(f"the journal cannot go on in a new file: {error}") from None
        old, self.journal = self.journal, part.journal
        self._number += 1
        self._parts.append(part)
        old.refuse()
        # Last: while it is set, the thread prepares no other.
        self._next = None
        if self.failed:
            self.journal.refuse()
        self.sync_soon()
        return self.journal

    def _prepare(self) -> None:
        journal = self.journal
        if (self._next is not None or time.monotonic() < self._next_s or len(self._parts) > 1
                or not journal.capacity or journal.size < journal.capacity * ROTATE_SHARE):
            return
        try:
            part, reason = self._make(self._number + 1, False)
        except (OSError, ValueError) as error:
            self._next_s = time.monotonic() + PREPARE_AGAIN_S
            self._on_note(f"the journal is nearly full and its next file cannot be made: {error}")
            return
        if part.hot is None:
            self._on_note(f"the journal goes on mapped on disk ({reason})")
        self._next = part

    # --- the copy ------------------------------------------------------------------------------

    def sync_soon(self) -> None:
        """Have the thread copy and sync at once; does not wait."""
        self._wake.set()

    def sync(self) -> None:
        """Copy and sync what has been appended so far; after a failure it does nothing."""
        with self._lock:
            while not self.failed:
                part = self._parts[0]
                last = len(self._parts) == 1
                try:
                    part.copy()
                except Exception as error:
                    # A second sync would report success for pages that were lost: no retry.
                    self._fail(f"the journal cannot be copied to {part.path}: {error}")
                    return
                if last:
                    return
                # The order matters: the disk has all of a file before it has the next one.
                part.finish(False)
                del self._parts[0]

    def _fail(self, reason: str) -> None:
        self.failed = reason
        for part in tuple(self._parts):
            part.journal.refuse()

    def _follow(self) -> None:
        while not self._closed:
            self._wake.wait(COPY_INTERVAL_S)
            self._wake.clear()
            self.sync()
            if self.failed:
                self._on_failed(self.failed)
                return
            self._prepare()

    def close(self) -> None:
        """Sync, give back what was not needed, remove the hot copy unless the disk lacks it."""
        if self._closed:
            return
        self._closed = True
        self._wake.set()
        self._thread.join()
        self.sync()
        self._release()

    def _release(self) -> None:
        if self._next is not None:
            self._next.drop()
            self._next = None
        for part in self._parts:
            part.finish(bool(self.failed))
        self.journal.close()
        if self._folder is not None and not self.failed:
            with contextlib.suppress(OSError):
                self._folder.rmdir()


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
    durable.sync_folder(path.parent)
