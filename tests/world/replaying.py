"""Law 9 in a Ring: what the journal gives is what the run has, after every record."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import Any

import fastcore
from fastcore.money.journal import row_words
from hftbot.engine.recover import KIND_FILL_TEXT, Replay, state_hash
from world.ring import Ring

HEAD = struct.Struct("<IIQII")


class JournalWatch:
    """Replays the journal of a run while it is written, and compares.

    Interpreted rooms are looked at before each append, compiled ones (which nobody can get
    between) after each call of a desk. ``wrong`` holds the sequences that did not agree.
    """

    def __init__(self, ring: Ring) -> None:
        self.world = ring.world
        self.journal = ring.world.journal
        self.replay = Replay(len(self.world.instruments))
        self.at = self.journal.start
        self.compared = 0
        self.wrong: list[int] = []
        self._handle = os.open(self.journal.path, os.O_RDONLY)
        if fastcore.compiled:
            self.world.desks[:] = [DeskWatch(desk, self) for desk in self.world.desks]
            self.world.engine.desks = tuple(self.world.desks)
            self.world.router.desks = tuple(self.world.desks)
        else:
            append = self.journal.append_words

            def before(*words: int) -> int:
                self.compare()
                return append(*words)
            self.journal.append_words = before

    def rows(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """(kind, words) of the records since the last call."""
        while self.at < self.journal.size:
            head = os.pread(self._handle, HEAD.size, self.at)
            length, _crc, _sequence, kind, _again = HEAD.unpack(head)
            payload = os.pread(self._handle, length - HEAD.size, self.at + HEAD.size)
            self.at += (length + 7) // 8 * 8
            if kind != KIND_FILL_TEXT:
                yield kind, row_words(payload)

    def compare(self) -> None:
        """Feed what is new; both hashes must be equal then."""
        for kind, words in self.rows():
            self.replay.feed(kind, words)
        self.compared += 1
        if self.replay.state_hash() != state_hash(self.world.table, self.world.ledger.positions):
            self.wrong.append(self.journal.sequence)

    def close(self) -> None:
        """Give the file back."""
        os.close(self._handle)


class DeskWatch:
    """A LaneDesk that is looked at after each call."""

    def __init__(self, desk: Any, watch: JournalWatch) -> None:
        self._desk = desk
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        part = getattr(self._desk, name)
        if not callable(part) or name == "frame":
            return part

        def call(*words: Any) -> Any:
            sequence = self._watch.journal.sequence
            answer = part(*words)
            if self._watch.journal.sequence != sequence:
                self._watch.compare()
            return answer
        return call
