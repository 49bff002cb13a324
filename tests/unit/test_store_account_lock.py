"""Row H3: one account, one bot, even with two state directories."""

from __future__ import annotations

import fcntl
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from hftbot.errors import InUse, StoreError
from hftbot.store import account_lock
from hftbot.store.account_lock import AccountLock, locked

pytestmark = pytest.mark.fault("H3")
HOLD = """
import sys
from pathlib import Path
from hftbot.store.account_lock import AccountLock
held = AccountLock("sim-1234", Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_bot_on_the_account_is_refused_and_named_the_first(
        tmp_path: pathlib.Path) -> None:
    first = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert first.stdout is not None
    assert first.stdout.readline() == "held\n"
    try:
        with pytest.raises(InUse, match=rf"account sim-1234 \(pid {first.pid}\)"):
            AccountLock("sim-1234", tmp_path)
        with AccountLock("sim:5678", tmp_path) as other:
            assert other.path.name.endswith("-sim-5678.lock")
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    with AccountLock("sim-1234", tmp_path) as held:
        assert held.path.stat().st_mode & 0o777 == 0o600
        assert held.path.read_text() == f"{os.getpid()}\n"
        with pytest.raises(InUse):
            AccountLock("sim-1234", tmp_path)
    assert list(tmp_path.glob("*sim-1234*")) == []
    held.close()


def test_a_lock_file_that_is_removed_under_us_is_made_anew(
        tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first bot ends between our opening and our locking: its file is not ours to hold."""
    lock = fcntl.flock
    removed: list[int] = []

    def flock(file: int, how: int) -> None:
        if not removed:
            removed.append(file)
            (tmp_path / f"hftbot-{os.getuid()}-a.lock").unlink()
        lock(file, how)
    monkeypatch.setattr(fcntl, "flock", flock)
    with AccountLock("a", tmp_path) as held:
        assert removed
        assert held.path.exists()
        with pytest.raises(InUse):
            AccountLock("a", tmp_path)


def test_a_lock_that_cannot_be_had_is_no_permission(tmp_path: pathlib.Path) -> None:
    name = f"hftbot-{os.getuid()}-sim-1.lock"
    (tmp_path / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="cannot lock the account sim-1"):
        AccountLock("sim-1", tmp_path)
    assert not (tmp_path / "elsewhere").exists()
    with pytest.raises(StoreError, match="cannot lock the account sim-1"):
        AccountLock("sim-1", tmp_path / "missing")


def test_an_account_with_two_names_is_refused_by_either(
        tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_lock, "SHARED_MEMORY", tmp_path)
    with locked(["live:first-key", "live-owner:both"]):
        with pytest.raises(InUse, match="account live-owner:both"), \
                locked(["live:second-key", "live-owner:both"]):
            pass
        with AccountLock("live:second-key"):
            assert len(list(tmp_path.iterdir())) == 3
    assert not list(tmp_path.iterdir())
