"""What the last run of an account left in its journal, for the run that begins now."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from hftbot.app.journal_header import SCHEMA
from hftbot.engine.recover import KIND_FILL_TEXT, Carried, Replay, Spent, carry
from hftbot.errors import StoreError
from hftbot.store.journal_reader import (
    JournalCopy,
    header_words,
    headers,
    newest_first,
    read_copy,
    run_of,
)
from hftbot.words.instrument import Instrument

# No counter of the venue remembers longer than this.
COUNTED_S = 120.0
# A journal, the words of its header, and why they cannot be read.
Named = tuple[Path, dict[str, str], str]


def carried(folder: Path, account: str, own: Path,
            instruments: Sequence[Instrument]) -> tuple[Carried | None, list[str]]:
    """State of the newest journal of the account (``own`` is that of this run), and remarks.

    A run that was killed before its journal had the state it began with did nothing yet: the one
    before it counts. A journal of another account is never used, nor one of another schema or
    anything older than that: what such a run held is known to the venue alone. Raises StoreError.
    """
    remarks: list[str] = []
    try:
        for path, header, damage in newest(folder, account, own):
            if damage:
                remarks.append(f"{path}: {damage}: whose it is and what its run did is not known; "
                               "the one before it counts, and above all the venue's word")
                continue
            if header.get("schema") != str(SCHEMA):
                remarks.append(f"{path} has schema {header.get('schema', 'unknown')}, this "
                               f"version reads {SCHEMA}: not used, the venue's word counts")
                break
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
            left = carry(replay, int(header["run"]), symbols, instruments,
                         header.get("grids", "").split(","))
            before = _spent_before(newest(folder, account, own), path, instruments)
            return dataclasses.replace(left, spent=(*before, *left.spent)), remarks
    except OSError as error:
        raise StoreError(f"cannot read the journal {error.filename or folder}: "
                         f"{error.strerror or error}") from None
    return None, remarks


def _spent_before(files: Iterable[Named], last: Path,
                  instruments: Sequence[Instrument]) -> list[Spent]:
    """Transactions of runs before the last one that ended so late that the venue still counts."""
    ended_s = last.stat().st_mtime
    found: list[Spent] = []
    for path, header, _damage in files:
        if path != last and header.get("schema") == str(SCHEMA) \
                and abs(ended_s - path.stat().st_mtime) < COUNTED_S:
            symbols = header.get("symbols", "").split(",")
            # One that cannot be read says nothing; the venue's refusal would only cost time.
            with contextlib.suppress(StoreError):
                found += carry(replayed(read_copy(path)), int(header["run"]), symbols,
                               instruments).spent
    return sorted(found)


def newest(folder: Path, account: str, own: Path) -> Iterable[Named]:
    """Journals of one account, and those that cannot say whose they are, the last one first.

    By the numbers of their runs, not by the clock: it may have been set back between two of them.
    """
    found = {row[0].name: row for row in headers(folder)
             if row[0] != own and (row[2] or row[1].get("account") == account)}
    return [found[name] for name in newest_first(found, run_of(own.name))]


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
