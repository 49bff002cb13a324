"""The state directory: one bot at a time, a run number, and all paths."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import stat
from pathlib import Path

from hftbot.errors import InUse, StoreError
from hftbot.store import durable

RUN_MAX = (1 << 16) - 1
SHARED_MEMORY = Path("/dev/shm")
_PARTIAL = ".partial"


class StateDir:
    """Opens (and creates) a state directory and holds it until ``close``.

    A second bot on the same directory, a directory that cannot be written, a damaged run counter:
    StoreError, with the remedy. Usable as a context manager.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).expanduser().absolute()
        self._lock = -1
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self.path / "lock",
                                 os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            self._take()
            self._finish_archive()
        except OSError as reason:
            self.close()
            raise StoreError(f"cannot use the state directory {self.path}: "
                             f"{reason.strerror or reason}; choose another with --state") from None
        except BaseException:
            self.close()
            raise

    def _take(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._lock, 32, 0).decode("ascii", "replace").strip()
            pid = holder if holder.isdigit() else "unknown"
            raise InUse(f"state directory {self.path} is in use by pid {pid}; stop that bot, "
                        "or give this one another directory with --state") from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def __enter__(self) -> StateDir:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the next bot in. Calling it again does nothing."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    # -- paths

    @property
    def database(self) -> Path:
        """SQLite, for people."""
        return self.path / "bot_hft.db"

    @property
    def log(self) -> Path:
        """Text for people."""
        return self.path / "bot_hft.log"

    @property
    def latency_log(self) -> Path:
        """HdrHistogram log."""
        return self.path / "latency.hlog"

    @property
    def status(self) -> Path:
        """What the bot says of itself."""
        return self.path / "status.json"

    @property
    def exchange(self) -> Path:
        """The embedded exchange's account, orders and endpoint.json."""
        return self.path / "exchange"

    @property
    def endpoint(self) -> Path:
        """Where a running embedded exchange says how to reach it."""
        return self.exchange / "endpoint.json"

    @property
    def journal(self) -> Path:
        """The journal on disk, a directory."""
        return self.path / "journal"

    @property
    def archive_dir(self) -> Path:
        """Earlier journals and accounts."""
        return self.path / "archive"

    def hot_journal(self, shared_memory: Path = SHARED_MEMORY, create: bool = True) -> Path | None:
        """A directory in shared memory for the hot journal, or None where there is none.

        Its name follows from the state directory, so that the next run finds it after a crash.
        Without ``create`` it is only looked for.
        """
        return hot_folder(self.path, shared_memory, create)

    # -- runs

    def next_run(self) -> int:
        """The number of this run, 1 to 65535, then from 1 again; on disk before it is returned.

        Every ClientId carries it, so that no two runs name an order alike.
        """
        path = self.path / "run"
        try:
            last = durable.read_small(path, 16).decode("ascii").strip()
        except FileNotFoundError:
            last = "0"
        except (OSError, UnicodeDecodeError) as reason:
            raise StoreError(f"cannot read {path}: {reason}") from None
        if not last.isdecimal() or len(last) > 5 or int(last) > RUN_MAX:
            raise StoreError(f"{path} is damaged: it must hold the number of the last run, from 0 "
                             f"to {RUN_MAX}; write one that is above any used before")
        run = int(last) % RUN_MAX + 1
        self._replace(path, f"{run}\n")
        return run

    def _replace(self, path: Path, text: str) -> None:
        try:
            durable.replace(path, text)
        except OSError as reason:
            raise StoreError(f"cannot write {path}: {reason.strerror or reason}") from None

    # -- a fresh start

    def exchange_pid(self) -> int:
        """The process of an embedded exchange that still serves this directory, or 0.

        It outlives a bot that was killed; stop it before ``archive``.
        """
        try:
            pid = json.loads(self.endpoint.read_text(encoding="utf-8")).get("pid")
        except (OSError, ValueError, AttributeError, RecursionError):
            return 0
        return pid if isinstance(pid, int) and _runs_hftbot(pid) else 0

    def archive(self, moment: str) -> Path | None:
        """Move journal and account together to archive/MOMENT; None if there was neither.

        Never one alone: if the process dies in between, the next StateDir finishes the move. The
        run counter stays. Raises StoreError if the account's exchange still runs.
        """
        pid = self.exchange_pid()
        if pid:
            raise StoreError(f"the embedded exchange of {self.path} still runs as pid {pid}; stop "
                             "it before --fresh")
        try:
            if not self._archived():
                return None
            target = self.archive_dir / moment
            count = 1
            while target.exists():
                count += 1
                target = self.archive_dir / f"{moment}-{count}"
            partial = target.with_name(target.name + _PARTIAL)
            partial.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._move(partial)
            return target
        except (OSError, shutil.Error) as reason:
            raise StoreError(f"cannot archive {self.path}: {reason}") from None

    def _archived(self) -> list[tuple[Path, str]]:
        """What belongs into an archive and is there, with its name in it."""
        candidates = [(self.journal, "journal"), (self.exchange, "exchange")]
        hot = self.hot_journal(create=False)
        if hot is not None:
            candidates.append((hot, "journal-hot"))
        return [(path, name) for path, name in candidates
                if path.is_file() or (path.is_dir() and any(path.iterdir()))]

    def _move(self, partial: Path) -> None:
        for path, name in self._archived():
            # Shared memory is another file system: a copy that was cut short is made again.
            if name == "journal-hot":
                shutil.rmtree(partial / name, ignore_errors=True)
                shutil.copytree(path, partial / name)
                shutil.rmtree(path)
            else:
                path.rename(partial / name)
        partial.rename(partial.with_name(partial.name.removesuffix(_PARTIAL)))
        durable.sync_folder(self.path)

    def _finish_archive(self) -> None:
        if self.archive_dir.is_dir():
            for partial in sorted(self.archive_dir.glob("*" + _PARTIAL)):
                self._move(partial)


def hot_folder(state: Path, shared_memory: Path = SHARED_MEMORY,
               create: bool = False) -> Path | None:
    """What ``StateDir.hot_journal`` says, for a reader that does not hold the directory."""
    name = hashlib.sha256(os.fsencode(state.resolve())).hexdigest()[:16]
    folder = shared_memory / f"hftbot-{os.getuid()}-{name}"
    try:
        if create:
            folder.mkdir(mode=0o700, exist_ok=True)
        facts = folder.lstat()
    except OSError:
        return None
    mine = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid()
    return folder if mine and not facts.st_mode & 0o077 else None


def _runs_hftbot(pid: int) -> bool:
    """True if the process exists and, where the system can tell, is one of ours."""
    if not 0 < pid < 2**31:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True
    return b"hftbot" in words
