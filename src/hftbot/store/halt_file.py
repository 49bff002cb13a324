"""halt.json and KILL: what keeps the next run from trading, and what ends this one."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from hftbot.errors import StoreError
from hftbot.store import durable

HALT_FILE = "halt.json"
ROOM_FILE = "halt.room"
KILL_FILE = "KILL"
ANY_ACCOUNT = "any"
SCHEMA = 1
FILE_BYTES_MAX = 1 << 20
ROOM_BYTES = 8192
KILL_BYTES_MAX = 1024
REASON_CHARACTERS_MAX = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """Why, since when (wall us), and which venue account may not trade.

    ``own``: the account lives in this state directory, and is archived with it. ``owner`` names
    the account by what all its keys have in common, empty if that is not known.
    """

    reason: str
    ts_us: int
    account: str
    own: bool
    owner: str = ""


class HaltFile:
    """The halts of one state directory, one for each venue account."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / HALT_FILE
        self._archive = folder / "archive"
        self._room = folder / ROOM_FILE

    def make_room(self) -> None:
        """A halt can be kept even on a disk that is full by then. Raises StoreError."""
        try:
            durable.reserve(self._room, ROOM_BYTES)
        except OSError as reason:
            raise StoreError(f"cannot write {self._room}: {reason.strerror or reason}") from None

    def read(self) -> tuple[Halt, ...]:
        """All halts in force. Raises StoreError if the file is there and does not say."""
        try:
            content = durable.read_small(self.path, FILE_BYTES_MAX)
        except FileNotFoundError:
            return ()
        except OSError as reason:
            raise StoreError(f"cannot read {self.path}: {reason.strerror or reason}; it may hold "
                             "a halt, so nothing is traded") from None
        try:
            return _halts(json.loads(content))
        except (ValueError, RecursionError):
            raise StoreError(f"{self.path} is damaged: a halt was written there and its reason "
                             "cannot be read; look into the log, then `hftbot resume --yes` moves "
                             "the file to the archive") from None

    def of(self, *names: str) -> Halt | None:
        """The halt that forbids the account of these names to trade, or None. Raises StoreError."""
        barred = {ANY_ACCOUNT, *names} - {""}
        return next((halt for halt in self.read() if barred & {halt.account, halt.owner}), None)

    def add(self, halt: Halt) -> Halt:
        """Keep a halt; on disk before this returns. The first of an account stays.

        Returns the one in force. Raises StoreError.
        """
        halts = self.read()
        for at, earlier in enumerate(halts):
            if earlier.account == halt.account:
                if earlier.owner or not halt.owner:
                    return earlier
                known = replace(earlier, owner=halt.owner)
                self._write((*halts[:at], known, *halts[at + 1:]))
                return known
        self._write((*halts, halt))
        return halt

    def archive(self, moment: str) -> Path | None:
        """Move the file away whatever it holds; where to, or None if there is none."""
        if not os.path.lexists(self.path):
            return None
        try:
            target = self._free_name(moment)
            self.path.rename(target)
            durable.sync_folder(self.path.parent)
        except OSError as reason:
            raise StoreError(f"cannot move {self.path} to the archive: "
                             f"{reason.strerror or reason}") from None
        return target

    def archive_own(self, moment: str) -> None:
        """The embedded account was archived: its halt goes too, those of others stay."""
        halts = self.read()
        others = [halt for halt in halts if not halt.own]
        if len(others) < len(halts):
            self.archive(moment)
            if others:
                self._write(others)

    def _free_name(self, moment: str) -> Path:
        self._archive.mkdir(mode=0o700, exist_ok=True)
        target = self._archive / f"halt-{moment}.json"
        count = 1
        while os.path.lexists(target):
            count += 1
            target = self._archive / f"halt-{moment}-{count}.json"
        return target

    def _write(self, halts: Iterable[Halt]) -> None:
        content = {"schema": SCHEMA, "halts": [asdict(halt) for halt in halts]}
        try:
            durable.replace(self.path, json.dumps(content, indent=2) + "\n", self._room)
        except OSError as reason:
            raise StoreError(f"cannot write {self.path}: {reason.strerror or reason}") from None


def _halts(content: object) -> tuple[Halt, ...]:
    """Raises ValueError for anything that ``HaltFile`` did not write."""
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise ValueError("not a halt file")
    rows = content.get("halts")
    if not isinstance(rows, list) or not rows:
        raise ValueError("no halts")
    return tuple(_halt(row) for row in rows)


def _halt(row: object) -> Halt:
    if not isinstance(row, dict):
        raise ValueError("a halt is an object")
    # One that an earlier version wrote has no owner.
    reason, ts_us, account, own, owner = (
        row.get(name) for name in Halt.__dataclass_fields__)
    owner = "" if owner is None else owner
    if not (isinstance(reason, str) and type(ts_us) is int and isinstance(account, str)
            and account and isinstance(own, bool) and isinstance(owner, str)):
        raise ValueError("a halt lacks a part")
    return Halt(reason=one_line(reason), ts_us=ts_us, account=account, own=own, owner=owner)


class KillFile:
    """DIR/KILL: whoever may write there asks the bot to halt; the text in it is the reason."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / KILL_FILE

    def asked(self) -> str:
        """Why a kill is asked for, or the empty string. Raises OSError if it cannot be seen."""
        try:
            self.path.lstat()
        except FileNotFoundError:
            return ""
        text = ""
        with contextlib.suppress(OSError):
            text = durable.read_small(self.path, KILL_BYTES_MAX).decode("utf-8", "replace")
        return f"killed: {one_line(text) or 'by the file KILL'}"

    def ask(self, reason: str) -> None:
        """Ask for a kill; without the reason, if a full disk has no room for it.

        Raises StoreError.
        """
        try:
            try:
                durable.replace(self.path, one_line(reason) + "\n")
            except OSError as error:
                if error.errno not in durable.NO_ROOM:
                    raise
                self.path.touch(0o600)
        except OSError as error:
            raise StoreError(f"cannot write {self.path}: {error.strerror or error}; Ctrl-\\ in "
                             "the bot's terminal or SIGQUIT to its process is the same kill"
                             ) from None

    def remove(self) -> bool:
        """It was acted on. False if it cannot be removed."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError:
            with contextlib.suppress(OSError):
                self.path.rmdir()
        return not os.path.lexists(self.path)


def one_line(text: str) -> str:
    """Printable text on one line, not too long."""
    words = "".join(letter if letter.isprintable() else " " for letter in text).split()
    return " ".join(words)[:REASON_CHARACTERS_MAX]
