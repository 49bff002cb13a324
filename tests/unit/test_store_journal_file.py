"""The journal's two copies: the disk follows, a killed run is recovered, a failed copy is final."""

from __future__ import annotations

import errno
import os
import pathlib
import struct
import threading
from collections.abc import Iterator

import pytest

from fastcore.money.journal import Journal, read_header, read_records
from hftbot.errors import StoreError
from hftbot.store import journal_file, journal_part
from hftbot.store.journal_file import JournalFile, recover
from hftbot.store.journal_reader import read_both, read_copy
from hftbot.store.state_dir import StateDir

BYTES = 1 << 16
WAIT_S = 30.0


@pytest.fixture
def state(tmp_path: pathlib.Path) -> Iterator[StateDir]:
    with StateDir(tmp_path / "state") as opened:
        opened.journal.mkdir()
        yield opened


@pytest.fixture
def memory(tmp_path: pathlib.Path) -> pathlib.Path:
    """Shared memory of our own."""
    folder = tmp_path / "memory"
    folder.mkdir()
    return folder


def opened(state: StateDir, memory: pathlib.Path, run: int = 1) -> JournalFile:
    return JournalFile(state, run, BYTES, b"header", memory)


def append(journal: Journal, *values: int) -> None:
    for value in values:
        assert journal.append_words(1, *([value] * 8)) > 0


def values(path: pathlib.Path) -> list[int]:
    return [struct.unpack("<8q", payload)[0] for _seq, _kind, payload in read_records(path)]


def make(path: pathlib.Path, *rows: int, header: bytes = b"header", capacity: int = BYTES) -> None:
    journal = Journal(str(path), capacity, header)
    append(journal, *rows)
    journal.close()


def hot_folder(state: StateDir, memory: pathlib.Path) -> pathlib.Path:
    folder = state.hot_journal(memory)
    assert folder is not None
    return folder


def test_the_disk_follows_the_hot_copy(state: StateDir, memory: pathlib.Path) -> None:
    file = opened(state, memory)
    assert file.hot is not None
    assert file.hot.parent.parent == memory
    assert read_header(file.path) == b"header"
    append(file.journal, 1, 2)
    file.sync()
    append(file.journal, 3)
    assert values(file.hot) == [1, 2, 3]
    file.sync()
    assert values(file.path) == [1, 2, 3]
    assert str(file.hot) in file.places
    assert str(file.path) in file.places
    used = file.journal.size
    file.close()
    file.close()
    assert file.path.stat().st_size == used
    assert not list(memory.iterdir())
    assert values(file.path) == [1, 2, 3]
    assert file.journal.append(1, b"late") == -1


def test_the_thread_copies_without_being_asked(state: StateDir, memory: pathlib.Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    file = opened(state, memory)
    synced = threading.Event()
    real = os.fdatasync

    def fdatasync(handle: int) -> None:
        real(handle)
        synced.set()

    monkeypatch.setattr(journal_file.os, "fdatasync", fdatasync)
    append(file.journal, 7)
    assert synced.wait(WAIT_S)
    assert values(file.path) == [7]
    file.close()


@pytest.mark.fault("D1", "D2")
@pytest.mark.parametrize(("name", "number"), [("pwrite", errno.ENOSPC), ("fdatasync", errno.EIO)])
def test_a_failed_copy_is_final(state: StateDir, memory: pathlib.Path, name: str, number: int,
                                monkeypatch: pytest.MonkeyPatch) -> None:
    """Appends are refused, the watcher is told why, and the hot copy stays for the next run."""
    file = opened(state, memory)
    append(file.journal, 1)
    file.sync()
    told: list[str] = []
    heard = threading.Event()

    def on_failed(reason: str) -> None:
        told.append(reason)
        heard.set()

    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    file.watch(on_failed)
    with monkeypatch.context() as patch:
        patch.setattr(journal_file.os, name, fail)
        append(file.journal, 2)
        assert heard.wait(WAIT_S)
    assert file.failed == told[0]
    assert os.strerror(number) in file.failed
    assert file.journal.append_words(1, *range(8)) == -1
    assert file.journal.append(1, b"x") == -1
    file.sync()
    file.close()
    assert file.hot is not None
    assert values(file.hot) == [1, 2]
    late: list[str] = []
    file.watch(late.append)
    assert late == told
    following = opened(state, memory, run=2)
    assert values(file.path) == [1, 2]
    assert not file.hot.exists()
    following.close()


def test_without_shared_memory_it_is_mapped_on_disk(state: StateDir, tmp_path: pathlib.Path
                                                    ) -> None:
    file = opened(state, tmp_path / "absent")
    assert file.hot is None
    assert "mapped on disk" in file.notes[0]
    append(file.journal, 1, 2)
    file.sync()
    used = file.journal.size
    file.close()
    assert file.path.stat().st_size == used
    assert values(file.path) == [1, 2]


def test_full_shared_memory_leaves_nothing_there(state: StateDir, memory: pathlib.Path,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    real = journal_part.Journal

    def full(path: str, *rest: object) -> Journal:
        if path.startswith(str(memory)):
            pathlib.Path(path).touch()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, *rest)

    monkeypatch.setattr(journal_part, "Journal", full)
    file = opened(state, memory)
    assert file.hot is None
    assert os.strerror(errno.ENOSPC) in file.notes[0]
    assert not list(memory.glob("*/*"))
    append(file.journal, 1)
    file.close()
    assert values(file.path) == [1]


def test_a_state_directory_that_cannot_take_it_is_refused(state: StateDir, memory: pathlib.Path
                                                          ) -> None:
    state.journal.rmdir()
    state.journal.write_text("in the way")
    with pytest.raises(StoreError, match="cannot make the journal"):
        opened(state, memory)


@pytest.mark.parametrize(("hot", "disk"), [([1, 2, 3], [1]), ([1, 2, 3], []), ([1], [1, 2, 3]),
                                           ([1, 2, 3], [1, 2, 3]), ([1, 2, 3], None)])
def test_recovery_takes_the_longer_copy(state: StateDir, memory: pathlib.Path, hot: list[int],
                                        disk: list[int] | None) -> None:
    path_hot = hot_folder(state, memory) / "run-00001.journal"
    path_disk = state.journal / path_hot.name
    make(path_hot, *hot)
    if disk is not None:
        make(path_disk, *disk)
    file = opened(state, memory, run=2)
    assert not path_hot.exists()
    assert values(path_disk) == [1, 2, 3]
    assert ("recovered" in "".join(file.notes)) == (len(hot) > len(disk or []))
    file.close()


@pytest.mark.fault("D3")
def test_a_cut_at_every_byte_recovers_the_prefix(state: StateDir, memory: pathlib.Path) -> None:
    """Whatever of the last four records reached which copy: whole records only, never a wrong one.

    The hot copy is cut as a kill in the middle of a write leaves it, the disk copy as a crash of
    the copying thread does.
    """
    whole = memory / "whole"
    make(whole, *range(10, 16))
    used = read_copy(whole).size
    content = whole.read_bytes()
    rows = [used - 88 * back for back in range(4, -1, -1)]
    path_hot = hot_folder(state, memory) / "run-00001.journal"
    path_disk = state.journal / path_hot.name
    for cut in range(rows[0], used + 1):
        whole_records = 2 + sum(cut >= row for row in rows[1:])
        torn = bytearray(content[:cut].ljust(BYTES, b"\0"))
        if cut not in rows:
            at = max(row for row in rows if row <= cut)
            torn[at:at + 4] = bytes(4)
        path_hot.write_bytes(torn)
        path_disk.write_bytes(content[:rows[0]])
        assert read_copy(path_hot).damage == ""
        recover(path_hot, path_disk)
        assert values(path_disk) == list(range(10, 10 + whole_records))
        path_hot.write_bytes(content[:rows[1]])
        path_disk.write_bytes(content[:cut])
        assert read_copy(path_disk).damage == ""
        assert read_both(path_hot, path_disk)[1] == ""
        recover(path_hot, path_disk)
        assert values(path_disk) == list(range(10, 10 + max(3, whole_records)))
        assert not path_hot.exists()


def test_journals_of_two_runs_are_both_kept(state: StateDir, memory: pathlib.Path) -> None:
    """A state directory that was deleted and made again counts its runs from 1."""
    path_hot = hot_folder(state, memory) / "run-00001.journal"
    path_disk = state.journal / path_hot.name
    make(path_hot, 1, 2, 3)
    make(path_disk, 8)
    assert "not that of" in recover(path_hot, path_disk)
    assert values(path_disk) == [8]
    assert values(path_disk.with_name("run-00001.1.journal")) == [1, 2, 3]
    file = opened(state, memory, run=1)
    assert file.journal.sequence == 0
    assert values(path_disk.with_name("run-00001.2.journal")) == [8]
    file.close()


def test_a_damaged_hot_copy_is_kept_beside_its_valid_part(state: StateDir, memory: pathlib.Path
                                                          ) -> None:
    path_hot = hot_folder(state, memory) / "run-00001.journal"
    path_disk = state.journal / path_hot.name
    make(path_hot, 1, 2, 3)
    content = bytearray(path_hot.read_bytes())
    content[read_copy(path_hot).size - 88 - 1] ^= 1
    path_hot.write_bytes(content)
    assert "wrong crc" in recover(path_hot, path_disk)
    assert values(path_disk) == [1]
    assert list(state.journal.glob("*damaged"))
    path_hot.write_bytes(bytes(BYTES))
    assert recover(path_hot, path_disk) == ""
    assert not path_hot.exists()


@pytest.mark.fault("D3")
@pytest.mark.parametrize(("offset", "mask", "said"), [
    (0, 0x02, "length"), (4, 0xFF, "crc"), (8, 0xFF, "crc"), (16, 0xFF, "crc"),
    (20, 0xFF, "length"),
    (30, 0xFF, "crc"), (87, 0xFF, "crc"), (0, 0x58, "wiped")])
def test_every_damage_in_the_middle_is_seen(state: StateDir, offset: int, mask: int, said: str
                                            ) -> None:
    path = state.journal / "run-00001.journal"
    make(path, 1, 2, 3)
    whole = read_copy(path)
    assert (whole.records, whole.damage, whole.remark) == (3, "", "")
    content = bytearray(path.read_bytes())
    content[whole.size - 2 * 88 + offset] ^= mask
    path.write_bytes(content)
    damaged = read_copy(path)
    assert damaged.records == 1
    assert said in damaged.damage
    assert "record 2" in damaged.damage


@pytest.mark.fault("D3")
def test_a_record_out_of_sequence_is_damage(state: StateDir) -> None:
    path = state.journal / "run-00001.journal"
    make(path, 1, 2, 3)
    size = read_copy(path).size
    content = bytearray(path.read_bytes())
    content[size - 176:size - 88] = content[size - 88:size]
    path.write_bytes(content)
    assert "sequence 3" in read_copy(path).damage
    path.write_bytes(b"something else" * 10)
    assert "not a journal" in read_copy(path).damage
