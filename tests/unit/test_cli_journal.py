"""`hftbot journal show` and `verify`: readable, checked, and one clear line for a mistake."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import types
from typing import Any, cast

import pytest
from engine_rig import Rig, Voice

from fastcore.lane.desk import KIND_ORDER
from fastcore.money.journal import Journal
from hftbot.app import compose, journal
from hftbot.app.cli import main
from hftbot.engine.guard import HALTED
from hftbot.engine.recover import KIND_END_TEXT, end_text
from hftbot.store import journal_file
from hftbot.store.journal_file import JournalFile
from hftbot.store.state_dir import StateDir, hot_folder
from hftbot.words.order import client_id_pack

HEADER = b"hftbot 0 run 3 settings abc schema 1 symbols BTC/USD,ETH/USD"
CREATED_US = 1_760_000_000_123_456
CLIENT_ID = client_id_pack(2, 3, 7)
ORDER = (CLIENT_ID, 1 + (1 << 16) + (1 << 20) + (1 << 24) + (2 << 32), 5000, 25, CREATED_US,
         CREATED_US + 10, CREATED_US + 5_000_000, 11)
FILL = (CLIENT_ID, 1 + (1 << 16) + (2 << 32), 5000, 25, 42, 99, CREATED_US + 20, 0)
DONE = (CLIENT_ID, 1 + (1 << 16) + (2 << 32), 6, 25, 0, 0, CREATED_US + 30, 0)


@pytest.fixture(autouse=True)
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """The journals of a state directory, with one of run 3."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "hftbot-state" / "journal"
    folder.mkdir(parents=True)
    make(folder / "run-00003.journal")
    return folder


def make(path: pathlib.Path) -> None:
    log = Journal(str(path), 1 << 14, HEADER)
    log.append_words(KIND_ORDER, *ORDER)
    log.append_words(2, *FILL)
    log.append_words(3, *DONE)
    log.append(77, b"\x01\xff")
    log.append(KIND_END_TEXT, end_text(CLIENT_ID, CREATED_US + 31, "", "exit stop_loss"))
    log.close()


def test_show_says_what_each_record_means(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "show"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert "run-00003.journal" in lines[0]
    for part in ("ORDER", "strategy 2 run 3 counter 7", "ETH/USD SELL", "ticks 5000", "lots 25",
                 "IOC post-only", "created 2025-10-09T08:53:20.123456Z",
                 "2025-10-09T08:53:20.123466Z", "deadline 2025-10-09T08:53:25.123456Z",
                 "request 11"):
        assert part in lines[1]
    assert "FILL" in lines[2]
    assert "fee_e10 42" in lines[2]
    assert "state FILLED" in lines[3]
    assert lines[4].split() == ["4", "KIND_77", "payload", "01ff"]
    assert lines[5].endswith("ended: no reason given; wanted: exit stop_loss")


def test_show_json_and_run(capsys: pytest.CaptureFixture[str], folder: pathlib.Path) -> None:
    make(folder / "run-00009.journal")
    assert main(["journal", "show", "--run", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["journal"] == "run-00003.journal"
    assert told["header"] == HEADER.decode()
    order = told["records"][0]
    assert order["client_id"] == CLIENT_ID
    assert (order["strategy"], order["run"], order["counter"]) == (2, 3, 7)
    assert order["created_us"] == CREATED_US
    assert told["records"][-1] == {
        "sequence": 5, "kind": "END_TEXT", "at_us": CREATED_US + 31, "reason": "",
        "intent": "exit stop_loss", **{name: order[name] for name in
                                       ("client_id", "cl_ord_id", "strategy", "run", "counter")}}
    assert main(["journal", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["journal"] == "run-00009.journal"
    (folder.parent / "run").write_text("3\n")
    assert main(["journal", "show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["journal"] == "run-00003.journal"


def test_a_moment_beyond_every_calendar_stays_a_number() -> None:
    assert journal.stamp(2**63 - 1) == f"{2**63 - 1} us"
    assert journal.stamp(0) == "1970-01-01T00:00:00.000000Z"
    strange = journal.record(1, 1, b"\xff" * 64)
    assert strange["cl_ord_id"] == "no order of ours"
    assert journal.line(strange)


def test_verify_has_a_line_and_an_exit_code(capsys: pytest.CaptureFixture[str],
                                            folder: pathlib.Path) -> None:
    path = folder / "run-00004.journal"
    make(path)
    assert main(["journal", "verify"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:4] for line in lines] == [
        ["ok", f"run-0000{run}.journal", "5", "records,"] for run in (3, 4)]
    content = bytearray(path.read_bytes())
    content[content.index(ORDER[2].to_bytes(8, "little"))] ^= 1
    path.write_bytes(content)
    assert main(["journal", "verify"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("DAMAGED run-00004.journal  0 records")
    assert "record 1 at byte" in lines[1]
    assert "crc" in lines[1]
    assert main(["journal", "verify", "--run", "3"]) == 0
    capsys.readouterr()
    assert main(["journal", "verify", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [row["ok"] for row in told["journals"]] == [True, False]
    assert main(["journal", "show", "--run", "4"]) == 1
    path.write_bytes(b"not this")
    assert main(["journal", "verify"]) == 1
    assert "is not a journal" in capsys.readouterr().out


def test_both_read_the_hot_copy_of_a_running_bot(capsys: pytest.CaptureFixture[str],
                                                 folder: pathlib.Path) -> None:
    with StateDir(folder.parent) as state:
        if state.hot_journal() is None:
            pytest.skip("no shared memory here")
        file = JournalFile(state, 5, 1 << 16, HEADER)
        try:
            with file._lock:  # the thread cannot copy now
                file.journal.append_words(1, *ORDER)
                assert main(["journal", "show", "--run", "5"]) == 0
                assert "counter 7" in capsys.readouterr().out
                assert main(["journal", "verify", "--run", "5"]) == 0
                assert "1 records" in capsys.readouterr().out
        finally:
            file.close()
        assert hot_folder(folder.parent) is None
    assert main(["journal", "verify"]) == 0


@pytest.mark.parametrize(("arguments", "said", "code"), [
    (["show", "--run", "8"], "no journal of run 8", 1),
    (["verify", "--run", "0"], "not a run from 1 to 65535", 2),
    (["show", "--state", "elsewhere"], "no journal in", 1),
    (["what"], "invalid choice", 2)])
def test_a_mistake_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], said: str,
                               code: int) -> None:
    assert main(["journal", *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1


def test_a_copy_that_fails_halts_the_guard(tmp_path: pathlib.Path, folder: pathlib.Path,
                                           monkeypatch: pytest.MonkeyPatch) -> None:
    """From the copying thread to the guard, without waiting for the loop's timer."""
    rig = Rig(tmp_path, Voice())

    def full(*_: object) -> int:
        raise OSError(28, os.strerror(28))

    async def run(file: JournalFile) -> None:
        world: Any = types.SimpleNamespace(guard=rig.guard, on_halt=None)
        halted = asyncio.Event()
        told = rig.guard.journal_failed

        def journal_failed(reason: str) -> None:
            told(reason)
            halted.set()

        world.guard.journal_failed = journal_failed
        compose._follow_journal(file, cast(Any, world))
        monkeypatch.setattr(journal_file.os, "fdatasync", full)
        file.journal.append(1, b"x")
        world.on_halt()
        await asyncio.wait_for(halted.wait(), 30)

    with StateDir(folder.parent) as state:
        file = JournalFile(state, 6, 1 << 16, HEADER, tmp_path / "no-memory")
        asyncio.run(run(file))
        file.close()
    assert rig.guard.state == HALTED
    assert os.strerror(28) in rig.guard.reason
