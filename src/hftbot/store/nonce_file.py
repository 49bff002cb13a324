"""Nonces of one API key that rise across processes, restarts and a wall clock that steps back."""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path

from hftbot.errors import StoreError
from hftbot.words.secret import Secret

NONCE_MAX = (1 << 64) - 1
LOCK_S = 0.5
LOOK_AGAIN_S = 0.001
_ROW = struct.Struct("<Q")


class NonceFile:
    """The last nonce of a key, 8 bytes in DIR/nonce-FINGERPRINT, taken under a lock.

    ``next`` is wall-clock nanoseconds, or one more than the last nonce of any process if that is
    higher. The bytes are written in one step before the nonce is given out, so that a process
    killed at any point repeats none. They are not synced: after a loss of power the wall clock is
    past what was lost.
    """

    def __init__(self, folder: Path, key: Secret) -> None:
        name = hashlib.sha256(b"hftbot nonce " + key.reveal().encode()).hexdigest()[:16]
        self.path = folder / f"nonce-{name}"
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
        try:
            self._file = os.open(self.path, flags, 0o600)
        except OSError as reason:
            raise StoreError(f"cannot open {self.path}: {reason.strerror or reason}") from None

    def next(self, now_ns: int) -> int:
        """A nonce above all before. ``now_ns`` is wall-clock nanoseconds.

        Raises StoreError if the file cannot be kept, is damaged, or if another process sits on
        its lock for half a second: one that is stopped must not hold up a cancel for ever.
        """
        try:
            self._take()
            try:
                return self._raise(now_ns)
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)
        except OSError as reason:
            raise StoreError(f"cannot keep {self.path}: {reason.strerror or reason}") from None

    def close(self) -> None:
        """Close the file. Calling it again does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _take(self) -> None:
        end_s = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > end_s:
                    raise StoreError(f"{self.path}: another process does not let go of its "
                                     "lock") from None
            time.sleep(LOOK_AGAIN_S)

    def _raise(self, now_ns: int) -> int:
        row = os.pread(self._file, _ROW.size + 1, 0)
        if row and len(row) != _ROW.size:
            raise StoreError(f"{self.path} is damaged: it must be 8 bytes long; remove it, and if "
                             "the venue then refuses nonces, make a new API key")
        last = _ROW.unpack(row)[0] if row else 0
        nonce = max(last + 1, now_ns)
        if not 0 < nonce <= NONCE_MAX:
            raise StoreError(f"{self.path}: no nonce is left above {last}; make a new API key")
        if os.pwrite(self._file, _ROW.pack(nonce), 0) != _ROW.size:
            raise StoreError(f"cannot write {self.path}: the disk is full")
        return int(nonce)


class Nonces:
    """Where requests get their nonces: from the file, or without it from the clock alone.

    A file that cannot be used must keep nobody from cancelling: it is told once, and the nonces
    go on from the highest known.
    """

    def __init__(self, file: NonceFile | None, now_ns: Callable[[], int],
                 warn: Callable[[str], None]) -> None:
        self._file = file
        self._now_ns = now_ns
        self._warn = warn
        self._last = 0
        self._told = False

    def __call__(self) -> int:
        """The next nonce."""
        now_ns = max(self._now_ns(), self._last + 1)
        nonce = now_ns
        if self._file is not None:
            try:
                nonce = self._file.next(now_ns)
            except StoreError as error:
                if not self._told:
                    self._told = True
                    self._warn(f"{error}; nonces come from the clock alone")
        self._last = nonce
        return nonce
