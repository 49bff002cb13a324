"""Which journals of earlier runs are kept, and which is the newest."""

from __future__ import annotations

import pathlib

import pytest

from fastcore.lane.desk import KIND_STATE
from fastcore.money.journal import Journal
from hftbot.app.recovery import newest
from hftbot.store.journal_file import JournalFile
from hftbot.store.journal_keep import forget_old
from hftbot.store.journal_reader import file_name, names, newest_first
from hftbot.store.state_dir import StateDir

BYTES = 8192


def keep_one(folder: pathlib.Path, name: str, account: str = "sim:1", *kinds: int) -> None:
    told = f"hftbot 0 schema 2 account {account} symbols BTC/USD" if account else "hftbot 0"
    journal = Journal(str(folder / name), BYTES, told.encode())
    for kind in kinds or (9, KIND_STATE, 1):
        journal.append_words(kind, *range(8))
    journal.close()


def test_the_oldest_are_forgotten_once_a_newer_one_stands_alone(tmp_path: pathlib.Path) -> None:
    for run in range(1, 8):
        keep_one(tmp_path, file_name(run))
    keep_one(tmp_path, file_name(7, 2))
    notes = forget_old(tmp_path, 3, 8)
    assert names(tmp_path) == [file_name(6), file_name(7), file_name(7, 2)]
    assert len(notes) == 1
    assert notes[0].startswith("5 journals removed, run-00001.journal the oldest of them")
    assert notes[0].endswith("run-00007-2.journal stands alone")
    assert forget_old(tmp_path, 3, 8) == []


def test_numbers_come_round(tmp_path: pathlib.Path) -> None:
    for name in (file_name(65534), file_name(65535), file_name(1), file_name(2, 1, 1)):
        keep_one(tmp_path, name)
    assert newest_first(names(tmp_path), 2) == [file_name(1), file_name(65535), file_name(65534),
                                                file_name(2, 1, 1)]
    forget_old(tmp_path, 2, 2)
    assert set(names(tmp_path)) == {file_name(1), file_name(65535)}


@pytest.mark.parametrize("newer", ["no base rows", "damaged", "another account", "none"])
def test_what_nothing_newer_replaces_is_kept(tmp_path: pathlib.Path, newer: str) -> None:
    old = [file_name(1), file_name(2)]
    for name in old:
        keep_one(tmp_path, name, "" if newer == "none" else "sim:1")
    latest = tmp_path / file_name(3)
    keep_one(tmp_path, latest.name, "sim:2" if newer == "another account" else "sim:1",
             *((1, 2) if newer == "no base rows" else ()))
    if newer == "damaged":
        content = bytearray(latest.read_bytes())
        content[content.index(b"sim:1") + 200] ^= 1
        latest.write_bytes(content)
    assert forget_old(tmp_path, 1, 4) == []
    assert names(tmp_path) == [*old, latest.name]


def test_a_start_forgets_and_says_so(tmp_path: pathlib.Path) -> None:
    with StateDir(tmp_path / "state") as state:
        state.journal.mkdir()
        for run in (1, 2, 3):
            keep_one(state.journal, file_name(run))
        file = JournalFile(state, 4, BYTES, b"header", tmp_path / "no memory", keep=2)
        assert names(state.journal) == [file_name(2), file_name(3), file_name(4)]
        assert "1 journals removed" in file.notes[0]
        file.close()


def test_the_last_file_of_a_run_is_what_the_next_one_takes_over(tmp_path: pathlib.Path) -> None:
    for number in (1, 2, 3, 10):
        part = f" part {number}" if number > 1 else ""
        keep_one(tmp_path, file_name(4, number), f"sim:1 started 9{part}")
    keep_one(tmp_path, file_name(3), "sim:1 started 8")
    found = [path.name for path, _header, _damage in newest(tmp_path, "sim:1", tmp_path / "own")]
    assert found == [file_name(4, number) for number in (10, 3, 2, 1)] + [file_name(3)]
