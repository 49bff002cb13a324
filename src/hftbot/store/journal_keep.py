"""Which journals of finished runs are removed: only what a newer one makes superfluous."""

from __future__ import annotations

from pathlib import Path

from fastcore.lane.desk import KIND_STATE
from hftbot.store import durable
from hftbot.store.journal_reader import (
    JournalCopy,
    account_of,
    names,
    newest_first,
    read_copy,
)

_HEAD_BYTES = 1 << 16


def forget_old(folder: Path, keep: int, run: int) -> list[str]:
    """Remove journals beyond the ``keep`` newest; ``run`` is the run that begins.

    One is removed only if a newer one of the same account is whole and stands alone. Returns
    sentences for people. Raises OSError.
    """
    ordered = newest_first(names(folder), run)
    newer: dict[str, str] = {}
    unread = list(ordered[:keep])
    removed: dict[str, list[str]] = {}
    for name in ordered[keep:]:
        account = _account(folder / name)
        while account and account not in newer and unread:
            _note_if_whole(folder / unread.pop(0), newer)
        if account and account in newer:
            (folder / name).unlink()
            removed.setdefault(account, []).append(name)
    if removed:
        durable.sync_folder(folder)
    return [f"{len(gone)} journals removed, {gone[-1]} the oldest of them: {keep} are kept, and "
            f"{newer[account]} stands alone" for account, gone in removed.items()]


def stands_alone(copy: JournalCopy) -> bool:
    """True if it is whole and has base rows: nothing before it is needed."""
    return not copy.damage and any(kind == KIND_STATE for _sequence, kind, _words in copy.words())


def _note_if_whole(path: Path, newer: dict[str, str]) -> None:
    account = _account(path)
    if account and account not in newer and stands_alone(read_copy(path)):
        newer[account] = path.name


def _account(path: Path) -> str:
    with open(path, "rb") as file:
        return account_of(file.read(_HEAD_BYTES), str(path))
