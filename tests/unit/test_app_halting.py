"""Who refuses a start, what clears it, and a kill where no bot runs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pathlib
import signal

import pytest

from hftbot.app import compose, halting, live_venue
from hftbot.app.cli import main
from hftbot.app.venue import archive
from hftbot.errors import Halted, StoreError
from hftbot.store.halt_file import Halt, HaltFile
from hftbot.store.state_dir import StateDir
from hftbot.watch import status
from hftbot.words.secret import Secret

KEY = Secret("a key that must not be seen")
NAME = halting.account_name("sim", KEY)


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "hftbot-state"
    StateDir(path).close()
    return path


def keeper(folder: pathlib.Path) -> halting.HaltKeeper:
    return halting.HaltKeeper(folder, NAME, True, lambda text: text.replace("hidden", "***"))


def test_account_is_a_fingerprint() -> None:
    assert NAME.startswith("sim:")
    assert "key" not in NAME
    assert halting.account_name("sim", Secret(KEY.reveal())) == NAME
    assert halting.account_name("live", KEY) != NAME
    assert halting.account_name("sim", Secret("another")) != NAME


@pytest.mark.law(7)
def test_kept_halt_refuses_its_account_only(folder: pathlib.Path) -> None:
    keeper(folder).keep("daily loss 26.00, key hidden", 1_700_000_000_000_000)
    with pytest.raises(Halted) as refused:
        halting.refuse(folder, NAME)
    assert str(refused.value) == ("halted since 2023-11-14 22:13:20.000000 UTC: daily loss 26.00, "
                                  "key ***; look into it, then `hftbot resume --yes`")
    assert refused.value.exit_code == 5
    halting.refuse(folder, "sim:other")
    halting.refuse_kill(folder)
    assert KEY.reveal() not in HaltFile(folder).path.read_text()


@pytest.mark.law(7)
def test_another_key_of_the_account_sidesteps_no_halt(
        folder: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    owner = live_venue.owner_name("AA01 KEEP")
    halting.HaltKeeper(folder, "live:first", False, str, owner).keep("daily loss", 1)
    for names, words in (
            (("live:first", owner), "UTC: daily loss"), (("live:first",), "UTC: daily loss"),
            (("live:second", owner), "UTC under another key of the account: daily loss")):
        with pytest.raises(Halted, match=words):
            halting.refuse(folder, *names)
    halting.refuse(folder, "live:second", live_venue.owner_name("AA02"))
    halting.refuse(folder, "live:second", live_venue.owner_name(""))
    assert main(["resume", "--json"]) == 0
    kept, = json.loads(capsys.readouterr().out)["halts"]
    assert (kept["account"], kept["owner"]) == ("live:first", owner)
    assert main(["resume", "--yes"]) == 0
    assert f"(account live:first, with any key {owner})" in capsys.readouterr().out
    halting.refuse(folder, "live:first", "live:second", owner)


def test_keeper_takes_the_kill_away_once_the_halt_is_on_disk(folder: pathlib.Path) -> None:
    mine = keeper(folder)
    kill = folder / "KILL"
    assert mine.kill_asked() == ""
    kill.touch()
    assert mine.kill_asked() == "killed: by the file KILL"
    assert kill.exists()
    mine.keep(mine.kill_asked(), 1)
    assert not kill.exists()
    kill.touch()
    mine.kill_asked()
    assert not kill.exists()


@pytest.mark.fault("K3")
def test_kill_cannot_reach_a_bot_whose_directory_is_gone(tmp_path: pathlib.Path) -> None:
    """`hftbot kill` would make a new one and find no bot in it."""
    folder = tmp_path / "state"
    folder.mkdir()
    keeper = halting.HaltKeeper(folder, "sim:a", True, str)
    assert keeper.kill_asked() == ""
    folder.rename(tmp_path / "aside")
    assert "state was removed or replaced" in keeper.kill_asked()
    folder.mkdir()
    assert "state was removed or replaced" in keeper.kill_asked()
    (folder / "KILL").write_text("fat finger")
    assert keeper.kill_asked() == "killed: fat finger"
    folder.joinpath("KILL").unlink()
    folder.rmdir()
    (tmp_path / "aside").rename(folder)
    assert keeper.kill_asked() == ""


def test_kill_that_cannot_be_seen_is_asked_for(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot see" in keeper(tmp_path / "file").kill_asked()
    with pytest.raises(Halted, match="cannot see"):
        halting.refuse_kill(tmp_path / "file")


@pytest.mark.fault("K3")
def test_kill_file_found_at_start_becomes_a_halt(folder: pathlib.Path) -> None:
    (folder / "KILL").touch()
    with pytest.raises(Halted, match="by the file KILL"):
        halting.refuse_kill(folder)
    assert not (folder / "KILL").exists()
    halting.refuse_kill(folder)
    with pytest.raises(Halted):
        halting.refuse(folder, "whoever trades next")


def test_kill_file_that_stays_is_named(folder: pathlib.Path) -> None:
    (folder / "KILL" / "below").mkdir(parents=True)
    with pytest.raises(Halted, match=r"and remove .*KILL"):
        halting.refuse_kill(folder)


def test_damaged_halt_is_refused_before_anything_starts(folder: pathlib.Path) -> None:
    (folder / "halt.json").write_text("{")
    with pytest.raises(StoreError, match="damaged"):
        halting.refuse_kill(folder)


def test_fresh_start_archives_the_halt_of_the_account(folder: pathlib.Path) -> None:
    keeper(folder).keep("daily loss", 1)
    HaltFile(folder).add(Halt(reason="else", ts_us=1, account="sim:b", own=False))
    with StateDir(folder) as state:
        archive(state)
    halting.refuse(folder, NAME)
    with pytest.raises(Halted):
        halting.refuse(folder, "sim:b")


def test_resume_shows_then_clears(folder: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    keeper(folder).keep("daily loss", 1)
    (folder / "KILL").write_text("again")
    assert main(["resume"]) == 0
    told = capsys.readouterr().out
    assert "daily loss" in told
    assert "killed: again" in told
    assert HaltFile(folder).read()
    assert main(["resume", "--yes"]) == 0
    assert "cleared; kept in" in capsys.readouterr().out
    assert HaltFile(folder).read() == ()
    assert not (folder / "KILL").exists()
    for flags in ([], ["--yes"]):
        assert main(["resume", *flags]) == 0
        assert "nothing to clear" in capsys.readouterr().out


def test_resume_clears_a_damaged_file(folder: pathlib.Path,
                                      capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "halt.json").write_text("{")
    assert main(["resume", "--yes"]) == 0
    assert "damaged" in capsys.readouterr().out
    halting.refuse_kill(folder)


def test_resume_makes_no_directory(folder: pathlib.Path,
                                   capsys: pytest.CaptureFixture[str]) -> None:
    for flags in ([], ["--yes"]):
        assert main(["resume", "--state", "other", *flags]) == 0
        assert "nothing to clear" in capsys.readouterr().out
    assert os.listdir(folder.parent) == ["hftbot-state"]


def test_resume_while_a_bot_runs_is_refused(folder: pathlib.Path,
                                            capsys: pytest.CaptureFixture[str]) -> None:
    keeper(folder).keep("daily loss", 1)
    with StateDir(folder):
        assert main(["resume", "--yes"]) == 3
    assert "in use" in capsys.readouterr().err
    assert HaltFile(folder).read()


@pytest.mark.fault("K3")
@pytest.mark.law(7)
def test_kill_without_a_bot_refuses_the_next_start(folder: pathlib.Path,
                                                   capsys: pytest.CaptureFixture[str]) -> None:
    status.write(folder / "status.json", {"account_own": True, "state": "stopped"})
    assert main(["kill", "--reason", "fat finger"]) == 0
    assert "no bot runs" in capsys.readouterr().out
    assert HaltFile(folder).of(NAME).reason == "killed: fat finger"
    with pytest.raises(Halted):
        halting.refuse(folder, "sim:other")
    assert main(["kill", "--reason", "again"]) == 0
    assert "fat finger" in capsys.readouterr().out
    with StateDir(folder) as state:
        archive(state)
    halting.refuse(folder, NAME)


def test_kill_does_not_need_valid_settings(folder: pathlib.Path,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    (folder.parent / ".env").write_text("NO_SUCH_KEY=1\n")
    assert main(["kill"]) == 2
    assert main(["kill", "--state", str(folder)]) == 0
    with pytest.raises(Halted):
        halting.refuse(folder, NAME)


def test_kill_of_a_bot_that_does_not_stop(folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
                                          capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(halting, "KILL_S", 0.0)
    with StateDir(folder):
        assert main(["kill"]) == 4
    told = capsys.readouterr().out
    assert "did not stop" in told
    assert f"pid {os.getpid()}" in told
    assert (folder / "KILL").exists()


def test_kill_says_what_the_bot_said_last(folder: pathlib.Path,
                                          capsys: pytest.CaptureFixture[str]) -> None:
    for content, code, words in (
            ({"verified_none_open": True, "state": "stopped", "updated_us": 9}, 0, "no order"),
            ({"verified_none_open": True, "state": "stopped", "updated_us": 7}, 4, "may be open"),
            ({"verified_none_open": False, "state": "stopped", "updated_us": 9,
              "open_orders": 3}, 4, "knew of 3"),
            ({"state": "running", "updated_us": 9}, 4, "may be open")):
        status.write(folder / "status.json", content)
        assert halting._kill_ended(folder, 8) == code
        assert words in capsys.readouterr().out


@pytest.mark.fault("K3")
def test_kill_signal_before_there_is_a_session_refuses_the_next_start(folder: pathlib.Path) -> None:
    """Nothing trades yet: the start ends, and the kill waits in its file."""
    async def starting() -> None:
        with StateDir(folder) as state:
            request = compose._StopRequest(state)
            try:
                os.kill(os.getpid(), signal.SIGQUIT)
                await asyncio.sleep(60.0)
            finally:
                request.close()
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(starting())
    with pytest.raises(Halted, match="killed: by signal SIGQUIT"):
        halting.refuse_kill(folder)


class Told:
    """What a session is told when a signal comes."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def stop(self, reason: str) -> None:
        self.words.append(reason)

    def fail(self, reason: str) -> None:
        self.words.append(reason)


@pytest.mark.parametrize(("number", "said"), [
    (signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM"),
    (signal.SIGQUIT, "killed: by signal SIGQUIT")])
def test_signal_whose_cancel_was_swallowed_stops_the_session(folder: pathlib.Path, number: int,
                                                            said: str) -> None:
    """What the start waited for was done at the same moment: the start goes on, and is told."""
    session = Told()

    async def starting() -> None:
        with StateDir(folder) as state:
            request = compose._StopRequest(state)
            try:
                os.kill(os.getpid(), number)
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(60.0)
                request.attach(session)
            finally:
                request.close()
    asyncio.run(starting())
    assert session.words == [said]


def test_early_signals_are_noted_and_cancel_the_start(folder: pathlib.Path) -> None:
    before = signal.getsignal(signal.SIGINT)

    async def starting(noted: list[str]) -> None:
        with StateDir(folder) as state:
            request = compose._StopRequest(state, noted)
            try:
                await asyncio.sleep(60.0)
            finally:
                request.close()
    paused = signal.getsignal(signal.SIGTSTP)
    with compose._early_signals() as noted:
        # A bot that Ctrl-Z stopped would have its orders out.
        assert signal.getsignal(signal.SIGTSTP) is signal.SIG_IGN
        os.kill(os.getpid(), signal.SIGINT)
        assert noted == ["SIGINT"]
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(starting(noted))
    assert signal.getsignal(signal.SIGINT) is before
    assert signal.getsignal(signal.SIGTSTP) is paused
