"""One bot for each venue account on this machine, whatever state directory it has."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from hftbot.errors import InUse, StoreError

SHARED_MEMORY = Path("/dev/shm")


class AccountLock:
    """Holds an account, by the name that halts give it, until ``close`` or the process's end.

    Raises InUse if another bot of this machine trades on it, StoreError if that cannot be known.
    """

    def __init__(self, account: str, folder: Path | None = None) -> None:
        shared = SHARED_MEMORY if SHARED_MEMORY.is_dir() else Path(tempfile.gettempdir())
        name = account.replace(":", "-").replace("/", "-")
        self.path = (folder or shared) / f"hftbot-{os.getuid()}-{name}.lock"
        self._file = -1
        try:
            while not self._taken():
                continue
        except BlockingIOError:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            self.close()
            raise InUse(f"another bot trades on the account {account} (pid "
                        f"{holder if holder.isdigit() else 'unknown'}); two would not know of each "
                        "other's orders: stop that one first") from None
        except OSError as error:
            self.close()
            raise StoreError(f"cannot lock the account {account} with {self.path}: "
                             f"{error.strerror or error}") from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def _taken(self) -> bool:
        """False if the file was removed between our opening and our locking it: try again."""
        self.close()
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC,
                             0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            return os.path.samestat(os.fstat(self._file), os.stat(self.path))
        except FileNotFoundError:
            return False

    def __enter__(self) -> AccountLock:
        return self

    def __exit__(self, *_: object) -> None:
        # While it is ours: who opened it meanwhile finds that it is gone and makes a new one.
        with contextlib.suppress(OSError):
            os.unlink(self.path)
        self.close()

    def close(self) -> None:
        """Let another bot trade there. Calling it again does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


@contextlib.contextmanager
def locked(accounts: Iterable[str]) -> Iterator[None]:
    """Holds one account by each name that it has. Raises as AccountLock, and then holds none."""
    with contextlib.ExitStack() as held:
        for account in accounts:
            held.enter_context(AccountLock(account))
        yield
