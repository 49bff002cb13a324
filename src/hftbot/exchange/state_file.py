"""DIR/exchange: what the exchange keeps between runs, and how others find it."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from hftbot.errors import StoreError
from hftbot.exchange.history import History, Row, plain

# A history file with more rows is written anew.
HISTORY_ROWS_MAX = 100_000
_ENCODER = json.JSONEncoder(separators=(",", ":"))


def history_name(number: int) -> str:
    """The name of a history file."""
    return f"history-{number}.jsonl"


def account_market(path: pathlib.Path) -> tuple[str, str] | None:
    """Mode and source of the prices that the account in this folder traded at; None without one.

    A state that cannot be read is for the exchange to refuse.
    """
    try:
        document = json.loads((path / "state.json").read_text())
        return str(document["mode"]), str(document["source"])
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return None


class StateFolder:
    """The exchange's folder, locked while it runs. Files are private to the user."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        # The history's file by its number, and how many rows it has.
        self.number = 0
        self.rows = 0
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"the exchange's state directory {path} cannot be used: "
                             f"{error.strerror}") from error
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self.lock)
            raise StoreError(f"another exchange runs on {path}; stop it, attach to it with "
                             "--exchange URL, or choose another --state") from error

    def load(self) -> dict[str, Any] | None:
        """The last saved state, or None. Raises StoreError if it cannot be read."""
        path = self.path / "state.json"
        try:
            document = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise StoreError(f"{path} cannot be read ({error}); move it away or use --fresh"
                             ) from error
        if not isinstance(document, dict) or document.get("version") != 1:
            raise StoreError(f"{path} is not an exchange state of version 1; use --fresh")
        return document

    def prepared(self, document: dict[str, Any], history: History) -> Callable[[], None]:
        """What saves a state and the history's new rows; it may be called in a thread.

        The rows go into a file that only grows, and the state says how many of them it knows of: a
        process that dies in between leaves rows that the next one does not see. A file that has
        grown too long is written anew under the next number.
        """
        rows = history.drain()
        anew = self.rows + len(rows) > HISTORY_ROWS_MAX
        if anew:
            rows, self.rows = history.rows(), 0
        self.number += anew
        number = self.number
        self.rows += len(rows)
        told = {**document, "history": {"number": number, "rows": self.rows}}

        def work() -> None:
            if anew:
                # A process that died at this very place left one that no state knows of.
                self.forget(number)
            if rows:
                self.append(history_name(number), rows)
            self.write("state.json", told)
            if anew:
                self.forget(number - 1)
        return work

    def forget(self, number: int) -> None:
        """Take a history file away."""
        with contextlib.suppress(OSError):
            (self.path / history_name(number)).unlink()

    def history(self, saved: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows that a loaded state knows of. Raises StoreError if they cannot be read."""
        told = saved.get("history", {"number": 0, "rows": 0})
        self.number, wanted = int(told["number"]), int(told["rows"])
        path = self.path / history_name(self.number)
        size, rows = 0, []
        try:
            with open(path, "rb+") as file:
                for line in itertools.islice(file, wanted):
                    rows.append(json.loads(line))
                    size += len(line)
                file.truncate(size)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, RecursionError) as error:
            raise StoreError(f"{path} cannot be read ({error}); move it away or use --fresh"
                             ) from error
        self.rows = len(rows)
        return rows

    def append(self, name: str, rows: list[Row]) -> None:
        """Add rows to a private file, one JSON object a line, and wait until they are on disk."""
        try:
            handle = os.open(self.path / name,
                             os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w") as file:
                for row in rows:
                    file.write(_ENCODER.encode(plain(row)) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreError(f"{self.path / name} cannot be written: {error.strerror}") from error

    def announce(self, document: dict[str, Any]) -> None:
        """Write endpoint.json, for clients that want to attach."""
        self.write("endpoint.json", document)

    def write(self, name: str, document: dict[str, Any]) -> None:
        """Write a private file beside its place, then move it there."""
        fresh = self.path / f".{name}.new"
        try:
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "w") as file:
                json.dump(document, file, separators=(",", ":"))
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, self.path / name)
        except OSError as error:
            raise StoreError(f"{self.path / name} cannot be written: {error.strerror}") from error

    def close(self, withdraw: bool = True) -> None:
        """Take endpoint.json away and unlock."""
        if withdraw:
            with contextlib.suppress(OSError):
                (self.path / "endpoint.json").unlink()
        os.close(self.lock)
