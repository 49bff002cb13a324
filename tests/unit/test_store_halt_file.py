"""halt.json and KILL on disk: kept whole, never ignored."""

from __future__ import annotations

import errno
import json
import os
import pathlib
from dataclasses import replace

import pytest

from hftbot.errors import StoreError
from hftbot.store.halt_file import ANY_ACCOUNT, Halt, HaltFile, KillFile


def halt(reason: str = "daily loss", account: str = "sim:a", own: bool = True) -> Halt:
    return Halt(reason=reason, ts_us=1_700_000_000_000_000, account=account, own=own)


@pytest.mark.law(7)
def test_halt_survives_and_is_for_its_owner_only(tmp_path: pathlib.Path) -> None:
    HaltFile(tmp_path).add(halt())
    assert HaltFile(tmp_path).read() == (halt(),)
    assert (tmp_path / "halt.json").stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["halt.json"]


def test_halt_belongs_to_its_account_and_the_first_stays(tmp_path: pathlib.Path) -> None:
    file = HaltFile(tmp_path)
    assert file.of("sim:a") is None
    file.add(halt())
    assert file.add(halt("later")) == halt()
    file.add(halt("other", "sim:b", own=False))
    assert file.of("sim:a") == halt()
    assert file.of("sim:b") == halt("other", "sim:b", own=False)
    assert file.of("sim:c") is None
    file.add(halt("all", ANY_ACCOUNT))
    assert file.of("sim:c") == halt("all", ANY_ACCOUNT)


@pytest.mark.law(7)
def test_halt_is_found_under_each_name_of_its_account(tmp_path: pathlib.Path) -> None:
    """The second name is what all keys of the account share: another key changes the first."""
    file = HaltFile(tmp_path)
    kept = replace(halt("daily loss", "live:a", own=False), owner="live-owner:o")
    file.add(kept)
    assert file.of("live:a") == file.of("live:b", "live-owner:o") == kept
    for names in (("live:b",), ("live:b", ""), ("",), (), ("live:b", "live-owner:p")):
        assert file.of(*names) is None
    file.archive("then")
    assert file.of("live:a", "live-owner:o") is None


def test_halt_learns_the_owner_that_was_not_known_and_keeps_it(tmp_path: pathlib.Path) -> None:
    file = HaltFile(tmp_path)
    first = halt("first", "live:a", own=False)
    # As a version wrote it that knew of no owners.
    file.path.write_text(json.dumps({"schema": 1, "halts": [
        {"reason": "first", "ts_us": first.ts_us, "account": "live:a", "own": False}]}))
    assert file.read() == (first,)
    assert file.of("") is None
    known = replace(first, owner="live-owner:o")
    assert file.add(replace(known, reason="later")) == known
    assert file.add(halt("last", "live:a", own=False)) == known
    assert file.read() == (known,)
    assert file.of("live-owner:o") == known


def test_halt_of_the_archived_account_goes_and_others_stay(tmp_path: pathlib.Path) -> None:
    file = HaltFile(tmp_path)
    file.add(halt())
    file.add(halt("other", "sim:b", own=False))
    file.archive_own("then")
    assert file.read() == (halt("other", "sim:b", own=False),)
    assert "daily loss" in (tmp_path / "archive" / "halt-then.json").read_text()
    assert file.archive("then") == tmp_path / "archive" / "halt-then-2.json"
    assert file.read() == ()
    assert file.archive("then") is None


@pytest.mark.parametrize("content", [
    "", "{", "[]", "null", "{}", '{"schema": 1}', '{"schema": 1, "halts": []}',
    '{"schema": 2, "halts": [{"reason": "r", "ts_us": 1, "account": "a", "own": true}]}',
    '{"schema": 1, "halts": [{"reason": "r", "ts_us": "1", "account": "a", "own": true}]}',
    '{"schema": 1, "halts": [{"reason": "r", "ts_us": true, "account": "a", "own": true}]}',
    '{"schema": 1, "halts": [{"reason": "r", "ts_us": 1, "account": "", "own": true}]}',
    '{"schema": 1, "halts": [{"reason": "r", "ts_us": 1, "account": "a"}]}',
    '{"schema": 1, "halts": [{"reason": "r", "ts_us": 1, "account": "a", "own": true, '
    '"owner": 7}]}',
    "[" * 100_000,
    "\xff\xfe"])
def test_damaged_halt_is_refused_with_a_sentence(tmp_path: pathlib.Path, content: str) -> None:
    (tmp_path / "halt.json").write_text(content, encoding="latin-1")
    file = HaltFile(tmp_path)
    for ask in (file.read, lambda: file.of("sim:a"), lambda: file.add(halt())):
        with pytest.raises(StoreError, match=r"damaged.*resume --yes"):
            ask()
    assert file.archive("then") is not None
    assert file.read() == ()


def test_halt_file_that_is_none_is_refused(tmp_path: pathlib.Path) -> None:
    """A directory, a link, a pipe: something is there, and it does not say what."""
    path = tmp_path / "halt.json"
    makers = (path.mkdir, lambda: path.symlink_to(tmp_path / "nowhere"), lambda: os.mkfifo(path))
    for make in makers:
        make()
        with pytest.raises(StoreError):
            HaltFile(tmp_path).read()
        assert HaltFile(tmp_path).archive("then") is not None


def test_halt_that_cannot_be_written_says_so(tmp_path: pathlib.Path) -> None:
    with pytest.raises(StoreError, match="cannot write"):
        HaltFile(tmp_path / "missing").add(halt())


def fill_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on no file gets a new block; those that it has can be written again."""
    write = os.write

    def without_room(handle: int, content: bytes) -> int:
        if os.fstat(handle).st_size < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(handle, content)

    monkeypatch.setattr(os, "write", without_room)


@pytest.mark.law(7)
@pytest.mark.fault("D1")
def test_halt_on_a_full_disk_is_kept_in_the_room_made_for_it(
        tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = HaltFile(tmp_path)
    file.make_room()
    file.make_room()
    with monkeypatch.context() as patched:
        fill_the_disk(patched)
        with pytest.raises(StoreError, match="No space left"):
            file.add(halt("more than there is room for " * 400))
        file.add(halt())
    assert HaltFile(tmp_path).read() == (halt(),)
    assert os.listdir(tmp_path) == ["halt.json"]
    file.make_room()
    assert sorted(os.listdir(tmp_path)) == ["halt.json", "halt.room"]


def test_halt_on_a_full_disk_without_room_is_refused(
        tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_the_disk(monkeypatch)
    with pytest.raises(StoreError, match=r"cannot write .*halt\.json: No space left"):
        HaltFile(tmp_path).add(halt())
    assert os.listdir(tmp_path) == []


@pytest.mark.fault("D1")
def test_kill_on_a_full_disk_is_asked_for_without_its_reason(
        tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill_the_disk(monkeypatch)
    KillFile(tmp_path).ask("the market is strange")
    assert KillFile(tmp_path).asked() == "killed: by the file KILL"


def test_halt_reason_is_one_line(tmp_path: pathlib.Path) -> None:
    content = {"schema": 1, "halts": [{"reason": "a\n\x1b[31mb" + "x" * 999, "ts_us": 1,
                                       "account": "a", "own": True}]}
    (tmp_path / "halt.json").write_text(json.dumps(content))
    reason = HaltFile(tmp_path).read()[0].reason
    assert reason.startswith("a [31mbx")
    assert len(reason) == 300


def test_kill_file_in_every_shape(tmp_path: pathlib.Path) -> None:
    """Touched, with a reason, a folder, a link to nothing, a pipe: seen, and taken away."""
    kill = KillFile(tmp_path)
    path = tmp_path / "KILL"
    assert kill.asked() == ""
    kill.ask("fat\nfinger")
    assert kill.asked() == "killed: fat finger"
    assert kill.remove()
    makers = (path.touch, path.mkdir, lambda: path.symlink_to(tmp_path / "nowhere"),
              lambda: os.mkfifo(path), lambda: path.write_bytes(b"\0\xff" * 9999))
    for make in makers:
        make()
        assert kill.asked().startswith("killed: ")
        assert kill.remove()
        assert kill.asked() == ""


def test_kill_file_that_cannot_be_removed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "KILL" / "below").mkdir(parents=True)
    assert not KillFile(tmp_path).remove()
