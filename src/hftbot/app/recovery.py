"""What the last run of an account left in its journal, for the run that begins now."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from hftbot.app.journal_header import SCHEMA
from hftbot.engine.recover import KIND_FILL_TEXT, Carried, Replay, Spent, carry
from hftbot.errors import StoreError
from hftbot.store.journal_reader import JournalCopy, header_words, headers, place, read_copy
from hftbot.words.instrument import Instrument

# No counter of the venue remembers longer than this.
COUNTED_S = 120.0


def carried(folder: Path, account: str, own: Path,
            instruments: Sequence[Instrument]) -> tuple[Carried | None, list[str]]:
    """State of the newest journal of the account (``own`` is that of this run), and remarks.

    A run that was killed before its journal had the state it began with did nothing yet: the one
    before it counts. A journal of another account or schema is never used. Raises StoreError.
    """
    remarks: list[str] = []
    try:
        for path, header in newest(folder, account, own):
            if header.get("schema") != str(SCHEMA):
                remarks.append(f"{path} has schema {header.get('schema', 'unknown')}, this "
                               f"version reads {SCHEMA}: not used, the venue's word counts")
                continue
            copy = read_copy(path)
            replay = replayed(copy)
            if not replay.first:
                remarks.append(f"{path}: its run ended before it began; passed over")
                continue
            if copy.damage:
                remarks.append(f"{path}: {copy.damage}; the {copy.records} records before count")
            if replay.mismatch:
                remarks.append(f"{path}: the state after record {replay.mismatch} is not what the "
                               "run noted there; the venue is asked in any case")
            symbols = header.get("symbols", "").split(",")
            left = carry(replay, int(header["run"]), symbols, instruments)
            before = _spent_before(newest(folder, account, own), path, instruments)
            return dataclasses.replace(left, spent=(*before, *left.spent)), remarks
    except OSError as error:
        raise StoreError(f"cannot read the journal {error.filename or folder}: "
                         f"{error.strerror or error}") from None
    return None, remarks


def _spent_before(files: Iterable[tuple[Path, dict[str, str]]], last: Path,
                  instruments: Sequence[Instrument]) -> list[Spent]:
    """Transactions of runs before the last one that ended so late that the venue still counts."""
    ended_s = last.stat().st_mtime
    found: list[Spent] = []
    for path, header in files:
        if path != last and header.get("schema") == str(SCHEMA) \
                and 0 <= ended_s - path.stat().st_mtime < COUNTED_S:
            symbols = header.get("symbols", "").split(",")
            # One that cannot be read says nothing; the venue's refusal would only cost time.
            with contextlib.suppress(StoreError):
                found += carry(replayed(read_copy(path)), int(header["run"]), symbols,
                               instruments).spent
    return sorted(found)


def newest(folder: Path, account: str, own: Path) -> Iterable[tuple[Path, dict[str, str]]]:
    """Journals of one account, the last that was begun first, and of a run its last file."""
    found = [(path, header) for path, header in headers(folder)
             if path != own and header.get("account") == account]
    return sorted(found, key=lambda row: (int(row[1].get("started", "0")), place(row[0].name)),
                  reverse=True)


def replayed(copy: JournalCopy) -> Replay:
    """The state after the last whole record. Raises StoreError for rows that no run wrote."""
    symbols = header_words(copy.header).get("symbols", "").split(",")
    replay = Replay(len(symbols))
    feed = replay.feed
    try:
        for _sequence, kind, words in copy.words():
            if kind != KIND_FILL_TEXT and not isinstance(words, bytes):
                feed(kind, words)
    except IndexError:
        raise StoreError(f"{copy.path}: record {replay.records} names an instrument that its "
                         "header does not") from None
    return replay
