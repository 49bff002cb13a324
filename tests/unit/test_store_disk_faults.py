"""Disk faults, injected where they happen: the bot halts, cancels still go, nothing is misread."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import random
import resource
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from engine_rig import Rig, Voice

from fastcore.money.journal import Journal, read_header, read_records
from fuzz.counts import long_count
from hftbot.app import compose
from hftbot.engine.guard import HALTED
from hftbot.errors import StoreError
from hftbot.store import journal_file
from hftbot.store.journal_file import JournalFile
from hftbot.store.journal_part import Disk
from hftbot.store.journal_reader import JournalCopy, examine
from hftbot.store.ledger_db import LedgerDb
from hftbot.store.state_dir import StateDir
from hftbot.words.order import Tif

BYTES = 1 << 16
WAIT_S = 30.0
ROW_BYTES = 88


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


class Once(Disk):
    """The next sync fails, and none after it: what a kernel does with lost pages."""

    def __init__(self) -> None:
        self.broken = False
        self.syncs = 0

    def sync(self, handle: int) -> None:
        self.syncs += 1
        if self.broken:
            self.broken = False
            raise OSError(5, os.strerror(5))
        super().sync(handle)


class Bot:
    """An engine on a journal with two copies, tied as a run ties them."""

    def __init__(self, folder: pathlib.Path, file: JournalFile) -> None:
        self.file = file
        self.rig = Rig(folder, Voice())
        self.rig.world.use_journal(file.journal)
        self.resting = self.rig.buy(ticks=599_000, tif=Tif.GTC)
        self.rig.ack(self.resting)

    def until_halted(self, fault: Callable[[], object]) -> None:
        """Inject the fault, append one record, and wait for the guard."""
        async def run() -> None:
            halted = asyncio.Event()
            told = self.rig.guard.journal_failed

            def journal_failed(reason: str) -> None:
                told(reason)
                halted.set()

            self.rig.guard.journal_failed = journal_failed  # type: ignore[method-assign]
            compose._follow_journal(self.file, self.rig.world)
            fault()
            self.rig.buy()
            await asyncio.wait_for(halted.wait(), WAIT_S)
        asyncio.run(run())

    def check_halted(self, said: str) -> None:
        """No order leaves any more; the cancel of the one that rests has left."""
        rig = self.rig
        assert rig.guard.state == HALTED
        assert rig.guard.sticky
        assert said in rig.guard.reason
        sent = len(rig.sent)
        assert rig.desk().place(0, 0, 600_010, 100_000, Tif.IOC) < 0
        assert len(rig.sent) == sent
        assert any(b'"batch_cancel"' in frame for frame in rig.sent)


@contextlib.contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes: the kernel says EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def values(path: pathlib.Path) -> list[tuple[int, bytes]]:
    return [(kind, payload) for _sequence, kind, payload in read_records(path)]


@pytest.mark.fault("D1", "D2")
def test_a_fault_is_seen_by_the_next_copy_and_that_comes_soon() -> None:
    """A halt within 100 ms: the copy before it may begin late by no more than half of that."""
    assert journal_file.COPY_INTERVAL_S <= 0.05


@pytest.mark.fault("D1")
def test_a_file_that_may_not_grow_halts(state: StateDir, memory: pathlib.Path,
                                        tmp_path: pathlib.Path) -> None:
    file = JournalFile(state, 1, BYTES, b"header", memory)
    bot = Bot(tmp_path, file)
    with contextlib.ExitStack() as stack:
        def limit() -> None:
            file.sync()
            stack.enter_context(file_size_limit(file.path.stat().st_size + 40))
        bot.until_halted(limit)
    bot.check_halted(os.strerror(27))
    assert file.hot is not None
    whole = values(file.hot)
    file.close()
    following = JournalFile(state, 2, BYTES, b"header", memory)
    assert values(file.path) == whole
    following.close()


@pytest.mark.fault("D1")
def test_a_full_disk_halts(state: StateDir, memory: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """The kernel's own ENOSPC: the disk copy's handle becomes /dev/full."""
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    file = JournalFile(state, 1, BYTES, b"header", memory)
    bot = Bot(tmp_path, file)

    def fill_disk() -> None:
        full = os.open("/dev/full", os.O_WRONLY)
        with file._lock:
            os.dup2(full, file._parts[0]._handles[-1])
        os.close(full)

    bot.until_halted(fill_disk)
    bot.check_halted(os.strerror(28))
    file.close()


@pytest.mark.fault("D1")
def test_no_room_for_a_journal_refuses_the_start(state: StateDir, memory: pathlib.Path) -> None:
    with file_size_limit(4096), pytest.raises(StoreError, match="cannot make the journal"):
        JournalFile(state, 1, BYTES, b"header", memory)
    assert not list(state.journal.iterdir())
    JournalFile(state, 1, BYTES, b"header", memory).close()


@pytest.mark.fault("D1")
def test_shared_memory_without_room_maps_on_disk_and_says_so(
        state: StateDir, memory: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """posix_fallocate is what meets the limit of shared memory; it must not be met later."""
    real = os.posix_fallocate

    def fallocate(handle: int, at: int, size: int) -> None:
        if os.readlink(f"/proc/self/fd/{handle}").startswith(str(memory)):
            raise OSError(28, os.strerror(28))
        real(handle, at, size)

    monkeypatch.setattr(os, "posix_fallocate", fallocate)
    file = JournalFile(state, 1, BYTES, b"header", memory)
    assert file.hot is None
    assert any(os.strerror(28) in note for note in file.notes)
    assert file.path.stat().st_blocks * 512 >= BYTES
    file.close()


@pytest.mark.fault("D1")
def test_a_journal_that_is_full_halts_before_the_next_order(tmp_path: pathlib.Path) -> None:
    rig = Rig(tmp_path, Voice(), journal_bytes=8192)
    resting = rig.buy(ticks=599_000, tif=Tif.GTC)
    rig.ack(resting)
    while rig.journal.append_words(1, *range(8)) > 0:
        continue
    sent = len(rig.sent)
    assert rig.desk().place(0, 0, 600_010, 100_000, Tif.IOC) < 0
    rig.engine.on_timer()
    assert rig.guard.state == HALTED
    assert all(b'"cancel_order"' in frame for frame in rig.sent[sent:])
    assert len(rig.sent) > sent


@pytest.mark.fault("D2")
def test_a_sync_that_fails_once_halts_and_is_never_tried_again(
        state: StateDir, memory: pathlib.Path, tmp_path: pathlib.Path) -> None:
    disk = Once()
    file = JournalFile(state, 1, BYTES, b"header", memory, disk)
    bot = Bot(tmp_path, file)
    bot.until_halted(lambda: setattr(disk, "broken", True))
    bot.check_halted(os.strerror(5))
    syncs = disk.syncs
    file.sync()
    file.sync_soon()
    file.close()
    assert disk.syncs == syncs
    assert file.hot is not None
    assert file.hot.exists()


# --- D3: a journal that was cut or bent ---------------------------------------------------------

def journal_bytes(path: pathlib.Path, count: int = 12) -> tuple[bytes, JournalCopy]:
    """A journal of rows and of payloads of odd sizes, with room behind them."""
    log = Journal(str(path), 1 << 13, b"hftbot 0 run 1 settings abc schema 1 symbols BTC/USD")
    for number in range(count):
        log.append_words(1 + number % 9, *range(number, number + 8))
        log.append(70 + number % 3, bytes(range(number)))
    log.append_words(1, *[(1 << 63) - 1] * 8)
    for number in range(1, 4):  # no byte of these is 0: a cut is seen behind padding too
        log.append_words(number, *[-number] * 8)
    log.close()
    content = path.read_bytes()
    return content, examine(path, content)


def records(copy: JournalCopy) -> list[tuple[int, int, object]]:
    """As both ways to read tell them; they must tell the same."""
    found = list(copy.words())
    assert [row[:2] for row in found] == [row[:2] for row in copy.rows()]
    return found


@pytest.mark.fault("D3")
def test_a_cut_at_every_byte_of_the_last_four_records_leaves_a_prefix(tmp_path: pathlib.Path
                                                                      ) -> None:
    content, whole = journal_bytes(tmp_path / "run-00001.journal")
    good = records(whole)
    assert whole.damage == whole.remark == ""
    for cut in range(whole.size - 4 * ROW_BYTES, whole.size + 1):
        count = len(good) - 4 + (cut - (whole.size - 4 * ROW_BYTES)) // ROW_BYTES
        for torn in (content[:cut], content[:cut].ljust(len(content), b"\0")):
            copy = examine(whole.path, torn)
            assert records(copy) == good[:count], cut
            assert copy.records == count
            at_a_border = (cut - whole.size) % ROW_BYTES == 0
            assert bool(copy.damage or copy.remark) != at_a_border, cut


def bent(rng: random.Random, content: bytes, size: int, flips: int) -> tuple[bytearray, int]:
    """Some bits turned over; the first of them in the part in use, and where it is."""
    changed = bytearray(content)
    first = rng.randrange(size)
    changed[first] ^= 1 << rng.randrange(8)
    for _ in range(flips - 1):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return changed, first


def flip(folder: pathlib.Path, seed: int, count: int,
         read: Callable[[pathlib.Path, bytes], JournalCopy] = examine) -> int:
    """Turn bits over, one at a time and several; returns how many were seen as damage."""
    content, whole = journal_bytes(folder / "run-00001.journal")
    good = records(whole)
    rng = random.Random(seed)
    seen = 0
    for number in range(count):
        flips = 1 if number % 4 else rng.randrange(2, 9)
        changed, first = bent(rng, content, whole.size, flips)
        copy = read(whole.path, bytes(changed))
        found = records(copy)
        assert found == good[:len(found)], f"seed {seed}, flip {number}: a wrong record"
        seen += bool(copy.damage)
        if len(found) < len(good):
            # Two flips may make the last record look like one that was cut off.
            said = copy.damage or (flips > 1 and copy.remark)
            assert said, f"seed {seed}, flip {number} at {first}: not reported"
    return seen


@pytest.mark.fault("D3")
def test_flipped_bits_leave_a_prefix_and_are_reported(tmp_path: pathlib.Path) -> None:
    assert flip(tmp_path, 1, 10_000) > 9_000


@pytest.mark.long
@pytest.mark.fault("D3")
@pytest.mark.timeout(1800)
def test_a_million_flipped_bits_leave_a_prefix(tmp_path: pathlib.Path) -> None:
    assert flip(tmp_path, 2, long_count(1_000_000)) > 0


def unchecked(path: pathlib.Path, content: bytes) -> JournalCopy:
    """Canary: believes the lengths and asks for no crc."""
    whole = bytearray(content)
    copy = examine(path, content)
    if copy.damage.endswith("a wrong crc"):
        import zlib
        at = copy.size
        length = int.from_bytes(whole[at:at + 4], "little")
        whole[at + 4:at + 8] = zlib.crc32(whole[at + 8:at + length]).to_bytes(4, "little")
        return examine(path, bytes(whole))
    return copy


@pytest.mark.fault("D3")
def test_the_canary_that_checks_no_crc_is_caught(tmp_path: pathlib.Path) -> None:
    with pytest.raises(AssertionError, match="a wrong record"):
        flip(tmp_path, 3, 1_000, unchecked)


# --- D4: the projection for people --------------------------------------------------------------

def a_fill(number: int) -> dict[str, Any]:
    return {"ts": number, "symbol": "BTC/USD", "side": "buy", "size": 1.0, "price": 2.0,
            "fee": 0.0, "client_id": str(number), "fill_id": f"F{number}"}


def fills(path: pathlib.Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as reader:
        return [row[0] for row in reader.execute("SELECT fill_id FROM fills ORDER BY ts")]


@pytest.mark.fault("D4")
def test_a_database_that_is_deleted_while_it_is_written_is_begun_anew(tmp_path: pathlib.Path
                                                                      ) -> None:
    ledger = LedgerDb(tmp_path / "bot_hft.db")
    ledger.fill(a_fill(1))
    assert ledger.flush()
    for path in tmp_path.glob("bot_hft.db*"):
        path.unlink()
    ledger.fill(a_fill(2))
    assert ledger.flush()
    assert fills(ledger.path) == ["F2"]
    assert "begun anew" in ledger.last_error
    ledger.close()
    assert fills(ledger.path) == ["F2"]


@pytest.mark.fault("D4")
def test_a_database_that_is_overwritten_loses_rows_but_raises_nothing(tmp_path: pathlib.Path
                                                                      ) -> None:
    ledger = LedgerDb(tmp_path / "bot_hft.db")
    for number in range(2_000):
        ledger.fill(a_fill(number))
    assert ledger.flush()
    ledger._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = ledger.path.stat().st_size
    with open(ledger.path, "r+b") as file:
        file.write(random.Random(4).randbytes(size))
    for number in range(2_000, 6_000):
        ledger.fill(a_fill(number))
    assert ledger.flush()
    ledger.close()
    assert ledger.written + ledger.dropped == 6_000
    with contextlib.closing(sqlite3.connect(ledger.path)) as reader:
        try:
            said = reader.execute("PRAGMA integrity_check").fetchone()[0]
        except sqlite3.DatabaseError as error:
            said = str(error)
    assert said != "ok"


@pytest.mark.fault("D4")
def test_a_folder_that_vanishes_loses_rows_but_raises_nothing(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    ledger = LedgerDb(folder / "bot_hft.db")
    ledger.fill(a_fill(1))
    assert ledger.flush()
    folder.rename(tmp_path / "elsewhere")
    ledger.fill(a_fill(2))
    ledger.fill(a_fill(3))
    assert ledger.flush()
    assert ledger.dropped == 2
    assert ledger.last_error
    (tmp_path / "elsewhere").rename(folder)
    ledger.fill(a_fill(4))
    assert ledger.flush()
    ledger.close()
    assert fills(ledger.path) == ["F1", "F4"]


# --- D5: journals that are not ours -------------------------------------------------------------

@pytest.mark.fault("D5")
@pytest.mark.parametrize(("change", "said"), [
    (lambda content: content[:7] + b"2" + content[8:], "is a journal of format '2'"),
    (lambda content: b"SQLite format 3\0" + content[16:], "is not a journal"),
    (lambda content: content[:20] + b"?" + content[21:], "header is damaged"),
    (lambda content: content[:8] + b"\xff" * 4 + content[12:], "header is damaged")])
def test_a_journal_of_another_kind_is_refused_with_a_sentence(
        tmp_path: pathlib.Path, change: Callable[[bytes], bytes], said: str) -> None:
    path = tmp_path / "run-00001.journal"
    content = change(journal_bytes(path)[0])
    path.write_bytes(content)
    copy = examine(path, content)
    assert said in copy.damage
    assert (copy.records, copy.size, copy.valid) == (0, 0, b"")
    assert records(copy) == []
    for refused in (lambda: Journal(str(path), 1 << 13), lambda: read_header(path),
                    lambda: list(read_records(path))):
        with pytest.raises(ValueError, match=said):
            refused()
    assert path.read_bytes() == content


@pytest.mark.fault("D5")
def test_a_journal_of_another_run_in_shared_memory_never_replaces_ours(
        state: StateDir, memory: pathlib.Path) -> None:
    file = JournalFile(state, 1, BYTES, b"ours", memory)
    file.journal.append_words(1, *range(8))
    file.close()
    hot = state.hot_journal(memory)
    assert hot is not None
    other = Journal(str(hot / file.path.name), BYTES, b"theirs")
    for _ in range(5):
        other.append_words(2, *range(8))
    other.close()
    following = JournalFile(state, 2, BYTES, b"ours", memory)
    assert any("is not that of" in note for note in following.notes)
    assert read_header(file.path) == b"ours"
    assert [kind for kind, _payload in values(file.path)] == [1]
    following.close()
