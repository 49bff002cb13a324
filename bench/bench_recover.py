"""A journal from the disk to the money state: read, checked, replayed. The unit is J."""

from __future__ import annotations

from pathlib import Path

from fastcore.lane import desk
from fastcore.money.journal import Journal
from harness import Gate, side_j
from hftbot.app.recovery import replayed
from hftbot.engine.recover import Replay
from hftbot.store.journal_reader import read_copy

ROW_BYTES = 88
HEADER = b"hftbot 0 run 1 settings s schema 2 account a started 1 symbols BTC/USD"
US = 1_780_000_000_000_000
RECORDS = 90  # a few at a time: the harness takes a thousand samples a block
MILLION = 1_000_000


def write(path: Path, records: int) -> None:
    """Orders that are acknowledged and filled, in turn bought and sold."""
    log = Journal(path, records * ROW_BYTES + 8192, HEADER)
    for count in range(records // 3):
        client_id = (1 << 48) | (1 << 32) | (count + 1)
        flags = ((count & 1) << 16) + (1 << 20) + (1 << 32)
        now_us = US + count
        log.append_words(desk.KIND_ORDER, client_id, flags, 600_000, 1000, now_us, now_us,
                         now_us + 5, count)
        log.append_words(desk.KIND_ACK, client_id, flags, 0, 0, 0, 0, now_us, 0)
        log.append_words(desk.KIND_FILL, client_id, flags, 600_000, 1000, 0, count + 7, now_us, 0)
    log.close()


def recovered(path: Path) -> Replay:
    """What a start does with the last journal."""
    return replayed(read_copy(path))


def test_recovery(gate: Gate, tmp_path: Path) -> None:
    """At most 2 J a record."""
    path = tmp_path / "journal"
    write(path, RECORDS)
    gate.in_units("recovery of a journal, a record", ours=lambda: recovered(path), unit=side_j,
                  reference="J = json.loads of 176 bytes", ops=RECORDS, at_most=(2, None, None))


def test_recovery_of_a_million_records(tmp_path: Path) -> None:
    """The figure above is one of whole recoveries: this is the size that it is meant for."""
    path = tmp_path / "journal"
    write(path, MILLION)
    replay = recovered(path)
    assert (replay.records, replay.fills) == (MILLION // 3 * 3, MILLION // 3)
    assert replay.orders == {}
    assert replay.positions[0].lots == 1000
