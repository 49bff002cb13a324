"""A journal that goes on in a second file: each stands alone, and no kill leaves a gap."""

from __future__ import annotations

import asyncio
import os
import pathlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from engine_rig import Rig, Voice

from fastcore.money.journal import Journal, read_header, read_records, row_words
from hftbot.app import compose
from hftbot.app.cli import main
from hftbot.errors import StoreError
from hftbot.store import durable, journal_part
from hftbot.store.journal_file import JournalFile
from hftbot.store.journal_part import Disk
from hftbot.store.journal_reader import file_name, names, read_both, run_files
from hftbot.store.state_dir import StateDir

BYTES = 8192
ROW, BASE, STATE = 1, 90, 91
FIRST, SECOND = file_name(1), file_name(1, 2)
WAIT_S = 30.0


@pytest.fixture
def state(tmp_path: pathlib.Path) -> Iterator[StateDir]:
    with StateDir(tmp_path / "state") as opened:
        yield opened


@pytest.fixture
def memory(tmp_path: pathlib.Path) -> pathlib.Path:
    """Shared memory of our own."""
    folder = tmp_path / "memory"
    folder.mkdir()
    return folder


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The copying thread does nothing: the test takes its steps."""
    monkeypatch.setattr(JournalFile, "_follow", lambda self: None)


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread."""
    pause, end_s = threading.Event(), time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end_s, "it does not come"
        pause.wait(0.002)


def opened(state: StateDir, memory: pathlib.Path, run: int = 1, **more: Any) -> JournalFile:
    return JournalFile(state, run, BYTES, b"header", memory, **more)


def append(journal: Journal, *values: int) -> None:
    for value in values:
        assert journal.append_words(ROW, *([value] * 8)) > 0


def fill(journal: Journal) -> list[int]:
    """Append until three quarters are used."""
    rows = []
    while journal.size < journal.capacity * 3 // 4:
        rows.append(len(rows))
        append(journal, rows[-1])
    return rows


def base(*values: int) -> list[tuple[int, list[int]]]:
    return [(BASE, [value] * 8) for value in values] + [(STATE, [7] * 8)]


def values(path: pathlib.Path) -> list[tuple[int, int]]:
    return [(kind, row_words(payload)[0]) for _sequence, kind, payload in read_records(path)]


def rows(*numbers: int) -> list[tuple[int, int]]:
    return [(ROW, number) for number in numbers]


BASED = [(BASE, 500), (BASE, 501), (STATE, 7)]


@pytest.mark.parametrize("shared", [True, False], ids=["hot", "mapped"])
def test_a_full_journal_goes_on_in_a_file_that_stands_alone(
        state: StateDir, memory: pathlib.Path, shared: bool) -> None:
    file = opened(state, memory if shared else memory / "absent")
    first = file.journal
    assert not file.rotation_due
    old = fill(first)
    until(lambda: file.rotation_due)
    append(first, 100)
    second = file.rotate(base(500, 501))
    assert file.journal is second is not first
    assert not file.rotation_due
    assert first.append_words(ROW, *range(8)) == first.append(ROW, b"x") == -1
    append(second, 200)
    until(lambda: len(file._parts) == 1)
    file.sync()
    assert file.path.name == SECOND
    assert (file.hot is not None) == shared
    assert names(file.path.parent, *([file.hot.parent] if file.hot else [])) == [FIRST, SECOND]
    append(second, 201)
    file.close()
    assert values(state.journal / FIRST) == rows(*old, 100)
    assert values(state.journal / SECOND) == BASED + rows(200, 201)
    assert read_header(state.journal / FIRST) == b"header"
    assert read_header(state.journal / SECOND) == b"header part 2"
    assert sorted(path.name for path in state.journal.iterdir()) == [SECOND, FIRST]
    assert not list(memory.iterdir())
    for name in (FIRST, SECOND):
        assert (state.journal / name).stat().st_size < BYTES


def test_it_goes_on_again_and_again(state: StateDir, memory: pathlib.Path) -> None:
    file = opened(state, memory)
    for number in range(2, 13):
        fill(file.journal)
        until(lambda: file.rotation_due)
        file.rotate(base(number))
        assert file.path.name == file_name(1, number)
    file.close()
    found = names(state.journal)
    assert found == [file_name(1, number) for number in range(1, 13)] == run_files(found, 1)
    assert all(values(state.journal / name)[0][0] == BASE for name in found[1:])


class Snapshots:
    """What a kill at this moment would leave, before and after every call that changes a file."""

    def __init__(self, folder: pathlib.Path, state: pathlib.Path, memory: pathlib.Path) -> None:
        self.folder, self.state, self.memory = folder, state, memory
        self.taken: list[tuple[str, pathlib.Path, int, int]] = []
        self.old = self.new = 0

    def take(self, said: str) -> None:
        place = self.folder / str(len(self.taken))
        shutil.copytree(self.state / "journal", place / "journal")
        shutil.copytree(self.memory, place / "memory")
        self.taken.append((said, place, self.old, self.new))

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def done(*arguments: Any, **words: Any) -> Any:
            self.take(f"before {name}")
            try:
                return call(*arguments, **words)
            finally:
                self.take(f"after {name}")
        return done


def watch(snapshots: Snapshots, patch: pytest.MonkeyPatch) -> None:
    for name in ("rename", "replace", "fdatasync", "pwrite", "posix_fallocate", "ftruncate"):
        patch.setattr(os, name, snapshots.around(name, getattr(os, name)))
    patch.setattr(pathlib.Path, "unlink", snapshots.around("unlink", pathlib.Path.unlink))
    patch.setattr(durable, "sync_folder", snapshots.around("sync_folder", durable.sync_folder))
    patch.setattr(journal_part, "_CHUNK_BYTES", 1000)


@pytest.mark.fault("P2", "D3")
@pytest.mark.usefixtures("by_hand")
@pytest.mark.parametrize("power_cut", [False, True], ids=["killed", "power cut"])
@pytest.mark.parametrize("shared", [True, False], ids=["hot", "mapped"])
def test_a_kill_at_every_step_of_a_rotation_loses_nothing(
        state: StateDir, memory: pathlib.Path, tmp_path: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch, shared: bool, power_cut: bool) -> None:
    """Shared memory outlives a kill but no power cut: the disk alone must not have a gap either."""
    home = state.hot_journal(memory if shared else memory / "absent", create=shared)
    file = opened(state, memory if shared else memory / "absent")
    old = fill(file.journal)
    snapshots = Snapshots(tmp_path / "kills", state.path, memory)
    snapshots.old = len(old)
    with monkeypatch.context() as patch:
        watch(snapshots, patch)
        file.sync()
        file._prepare()
        append(file.journal, 600)
        snapshots.old += 1
        snapshots.take("appended")
        second = file.rotate(iter(base(500, 501)))
        snapshots.take("rotated")
        append(second, 700)
        snapshots.new = 1
        snapshots.take("appended to the new file")
        file.sync()
        append(second, 701)
        snapshots.new = 2
        file.sync()
    file.close()
    assert len(snapshots.taken) > 20
    seen = set()
    whole = rows(*old, 600)
    for said, place, count, new in snapshots.taken:
        disk = place / "journal"
        hot = place / "memory" / home.name if shared and home and not power_cut else None
        found = names(disk, hot)
        seen.add(len(found))
        read = [[(kind, words[0]) for _sequence, kind, words in copy.words()]
                for copy, trouble in (read_both(hot / name if hot else None, disk / name)
                                      for name in found) if not trouble]
        assert len(read) == len(found) in (1, 2), said
        if len(found) == 2:
            assert read[0] == whole, said
            assert read[1][:3] == BASED, said
            assert read[1][3:] == rows(700, 701)[:len(read[1]) - 3], said
        if not power_cut:
            assert read[0] == whole[:count], said
            assert new == 0 or read[1][3:] == rows(700, 701)[:new], said
    assert seen == {1, 2}


@pytest.mark.fault("P1")
@pytest.mark.usefixtures("by_hand")
def test_the_next_run_brings_both_files_home(state: StateDir, memory: pathlib.Path) -> None:
    killed = opened(state, memory)
    old = fill(killed.journal)
    killed._prepare()
    append(killed.rotate(base(500, 501)), 200)
    assert killed.hot is not None
    prepared = [folder / (file_name(1, 3) + ".next")
                for folder in (killed.hot.parent, state.journal)]
    for path in prepared:
        path.write_bytes(b"not yet true")
    following = opened(state, memory, run=2)
    assert values(state.journal / FIRST) == rows(*old)
    assert values(state.journal / SECOND) == BASED + rows(200)
    assert not killed.hot.exists()
    assert not any(path.exists() for path in prepared)
    assert not list(state.journal.glob("*.next"))
    following.close()
    again = opened(state, memory, run=1)
    assert [path.name for path in sorted(state.journal.iterdir())] == [
        "run-00001-2.1.journal", "run-00001.1.journal", "run-00001.journal", "run-00002.journal"]
    assert names(state.journal) == ["run-00001.1.journal", "run-00001-2.1.journal",
                                    "run-00001.journal", "run-00002.journal"]
    again.close()


@pytest.mark.fault("D1")
def test_without_room_for_the_next_file_it_is_refused_once_full(
        state: StateDir, memory: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = opened(state, memory)
    told: list[str] = []
    file.watch(told.append, told.append)

    def no_room(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "posix_fallocate", no_room)
    old = fill(file.journal)
    until(lambda: bool(told))
    assert "nearly full" in told[0]
    assert os.strerror(28) in told[0]
    assert not file.rotation_due
    with pytest.raises(StoreError, match="none is prepared"):
        file.rotate(base())
    while file.journal.append_words(ROW, *([len(old)] * 8)) > 0:
        old.append(len(old))
    assert file.journal.append_words(ROW, *range(8)) == -1
    file.close()
    assert values(state.journal / FIRST) == rows(*old)


def test_base_rows_that_fill_a_whole_file_leave_the_old_one_in_force(
        state: StateDir, memory: pathlib.Path) -> None:
    file = opened(state, memory)
    old = fill(file.journal)
    until(lambda: file.rotation_due)
    with pytest.raises(StoreError, match="fill a whole one"):
        file.rotate(base(*range(200)))
    assert not file.rotation_due
    append(file.journal, 9)
    file.close()
    assert values(state.journal / FIRST) == rows(*old, 9)
    assert names(state.journal) == [FIRST]


class Faulty(Disk):
    """Refuses to sync once it is told to."""

    broken = False

    def sync(self, handle: int) -> None:
        if self.broken:
            raise OSError(5, os.strerror(5))
        super().sync(handle)


@pytest.mark.fault("D2")
@pytest.mark.usefixtures("by_hand")
def test_a_copy_that_fails_refuses_the_new_file_too(state: StateDir, memory: pathlib.Path
                                                    ) -> None:
    disk = Faulty()
    file = opened(state, memory, disk=disk)
    old = fill(file.journal)
    file._prepare()
    second = file.rotate(base(500, 501))
    append(second, 1)
    disk.broken = True
    file.sync()
    assert os.strerror(5) in file.failed
    assert second.append_words(ROW, *range(8)) == -1
    with pytest.raises(StoreError, match=os.strerror(5)):
        file.rotate(base())
    file.close()
    following = opened(state, memory, run=2)
    assert values(state.journal / FIRST) == rows(*old)
    assert values(state.journal / SECOND) == BASED + rows(1)
    following.close()


def test_the_desks_go_on_in_the_new_journal(tmp_path: pathlib.Path) -> None:
    rig = Rig(tmp_path, Voice())
    client_id = rig.buy()
    other = Journal(str(tmp_path / "other"), 1 << 16, b"rig part 2")
    rig.journal.refuse()
    rig.world.use_journal(other)
    rig.ack(client_id)
    rig.done(client_id)
    assert [kind for _sequence, kind, _payload in read_records(tmp_path / "other")] == [4, 3]
    assert rig.world.journal is other
    with pytest.raises(ValueError, match="without a journal"):
        rig.world.use_journal(None)


def test_show_and_verify_take_the_files_of_a_run_in_order(
        state: StateDir, memory: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = opened(state, memory)
    fill(file.journal)
    until(lambda: file.rotation_due)
    append(file.rotate(base(500)), 1)
    file.close()
    told = ["--state", str(state.path)]
    assert main(["journal", "show", "--run", "1", *told]) == 0
    lines = capsys.readouterr().out.splitlines()
    heads = [at for at, line in enumerate(lines) if "header" in line]
    assert [lines[at].split(": ")[0].rsplit("/", 1)[1] for at in heads] == [FIRST, SECOND]
    assert "KIND_90" in lines[heads[1] + 1]
    assert main(["journal", "verify", *told]) == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == [FIRST, SECOND]
    path = state.journal / SECOND
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    assert main(["journal", "show", "--json", *told]) == 1
    assert '"later"' in capsys.readouterr().out


def test_the_timer_goes_on_in_the_next_file(state: StateDir, memory: pathlib.Path,
                                            tmp_path: pathlib.Path) -> None:
    """From the run's timer: desks switch between two events, and orders go on."""
    rig = Rig(tmp_path, Voice())
    file = opened(state, memory)
    rig.world.use_journal(file.journal)

    async def run() -> None:
        go_on = compose._follow_journal(file, rig.world, lambda world: base(500, 501))
        go_on()
        assert file.path.name == FIRST
        while file.journal.size < BYTES * 3 // 4:
            rig.later(1)
            rig.done(rig.buy())
        until(lambda: file.rotation_due)
        go_on()
        rig.buy()
        await asyncio.sleep(0)

    asyncio.run(run())
    assert rig.notes.said(f"the journal goes on in {file.hot}") == 1
    assert rig.guard.state == 0
    file.close()
    assert values(state.journal / SECOND)[:3] == BASED
    assert len(values(state.journal / SECOND)) == 4
    assert {kind for kind, _ in values(state.journal / FIRST)} == {1, 3}
