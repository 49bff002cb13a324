"""DIR/exchange: what the exchange keeps between runs, and how others find it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
from typing import Any

from hftbot.errors import StoreError


class StateFolder:
    """The exchange's folder, locked while it runs. Files are private to the user."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
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

    def save(self, document: dict[str, Any]) -> None:
        """Replace the saved state, all or nothing."""
        self.write("state.json", document)

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
