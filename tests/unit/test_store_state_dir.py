"""The state directory: one bot at a time, run numbers, archives, refusals."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from hftbot.errors import StoreError
from hftbot.store.state_dir import RUN_MAX, StateDir

HOLD = """
import sys
from hftbot.store.state_dir import StateDir
state = StateDir(sys.argv[1])
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def state(tmp_path: pathlib.Path) -> Iterator[StateDir]:
    with StateDir(tmp_path / "state") as opened:
        yield opened
        hot = opened.hot_journal(create=False)
    if hot is not None:
        shutil.rmtree(hot)


def hold(path: pathlib.Path) -> subprocess.Popen[str]:
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    return other


def test_it_is_made_for_its_owner_only(state: StateDir) -> None:
    assert state.path.stat().st_mode & 0o777 == 0o700
    assert (state.path / "lock").stat().st_mode & 0o777 == 0o600
    assert (state.path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_directory_of_the_users_keeps_its_mode(tmp_path: pathlib.Path) -> None:
    tmp_path.chmod(0o755)
    with StateDir(tmp_path):
        assert tmp_path.stat().st_mode & 0o777 == 0o755


@pytest.mark.fault("H3")
def test_a_second_process_is_refused_and_named_the_first(tmp_path: pathlib.Path) -> None:
    other = hold(tmp_path / "state")
    try:
        with pytest.raises(StoreError) as refusal:
            StateDir(tmp_path / "state")
        assert f"is in use by pid {other.pid}" in str(refusal.value)
        assert str(tmp_path / "state") in str(refusal.value)
        assert refusal.value.exit_code == 3
    finally:
        other.communicate("\n")
    StateDir(tmp_path / "state").close()


def test_a_killed_bot_leaves_no_lock(tmp_path: pathlib.Path) -> None:
    other = hold(tmp_path / "state")
    other.kill()
    other.communicate()
    StateDir(tmp_path / "state").close()


def test_the_same_process_is_refused_too(state: StateDir) -> None:
    with pytest.raises(StoreError, match=f"in use by pid {os.getpid()}"):
        StateDir(state.path)


def test_a_child_does_not_inherit_the_lock(tmp_path: pathlib.Path) -> None:
    state = StateDir(tmp_path / "state")
    child = subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], close_fds=False,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"\n"
        state.close()
        StateDir(tmp_path / "state").close()
    finally:
        child.communicate(b"\n")


def test_below_a_regular_file_it_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "state"):
        with pytest.raises(StoreError, match="cannot use the state directory") as refusal:
            StateDir(path)
        assert "--state" in str(refusal.value)


def test_a_directory_that_cannot_be_written_is_refused(tmp_path: pathlib.Path) -> None:
    if os.geteuid() == 0:
        if not pathlib.Path("/proc/self").is_dir():
            pytest.skip("permission bits do not stop root, and there is no /proc")
        place = pathlib.Path("/proc/self/state")
    else:
        tmp_path.chmod(0o500)
        place = tmp_path / "state"
    with pytest.raises(StoreError, match="cannot use the state directory"):
        StateDir(place)


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: pathlib.Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError):
        StateDir(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_close_twice_and_paths(tmp_path: pathlib.Path) -> None:
    state = StateDir(tmp_path)
    names = {path.name for path in (state.database, state.log, state.latency_log, state.status,
                                    state.exchange, state.journal, state.archive_dir)}
    assert names == {"bot_hft.db", "bot_hft.log", "latency.hlog", "status.json", "exchange",
                     "journal", "archive"}
    assert state.endpoint == state.exchange / "endpoint.json"
    state.close()
    state.close()


def test_run_numbers_count_on_and_survive(state: StateDir) -> None:
    assert [state.next_run() for _ in range(3)] == [1, 2, 3]
    path = state.path
    state.close()
    with StateDir(path) as again:
        assert again.next_run() == 4


def test_run_numbers_fit_16_bits(state: StateDir) -> None:
    (state.path / "run").write_text(f"{RUN_MAX - 1}\n")
    assert [state.next_run() for _ in range(3)] == [RUN_MAX, 1, 2]


@pytest.mark.parametrize("content", [b"", b"x", b"-1", b"65536", b"1e3", b"\xff", b"123456789"])
def test_a_damaged_run_number_is_refused(state: StateDir, content: bytes) -> None:
    (state.path / "run").write_bytes(content)
    with pytest.raises(StoreError, match="run"):
        state.next_run()
    assert (state.path / "run").read_bytes() == content


def test_a_run_number_in_a_pipe_is_not_waited_for(state: StateDir) -> None:
    os.mkfifo(state.path / "run")
    with pytest.raises(StoreError, match="is damaged"):
        state.next_run()


def fill(state: StateDir) -> None:
    for folder in (state.journal, state.exchange):
        folder.mkdir()
        (folder / "file").write_text(folder.name)


def test_fresh_moves_journal_and_account_together(state: StateDir) -> None:
    assert state.archive("one") is None
    assert not state.archive_dir.exists()
    assert state.hot_journal(create=False) is None
    fill(state)
    state.next_run()
    assert state.archive("one") == state.archive_dir / "one"
    assert not state.journal.exists()
    assert not state.exchange.exists()
    assert (state.archive_dir / "one" / "journal" / "file").read_text() == "journal"
    assert (state.archive_dir / "one" / "exchange" / "file").read_text() == "exchange"
    assert state.next_run() == 2
    fill(state)
    assert state.archive("one") == state.archive_dir / "one-2"


def test_fresh_takes_the_hot_journal_along(state: StateDir) -> None:
    hot = state.hot_journal()
    if hot is None:
        pytest.skip("no shared memory here")
    (hot / "journal.bin").write_bytes(b"rows")
    archived = state.archive("two")
    assert archived is not None
    assert (archived / "journal-hot" / "journal.bin").read_bytes() == b"rows"
    assert not hot.exists()


def test_an_archive_cut_short_is_finished_by_the_next_bot(state: StateDir) -> None:
    fill(state)
    partial = state.archive_dir / "three.partial"
    partial.mkdir(parents=True)
    state.journal.rename(partial / "journal")
    path = state.path
    state.close()
    with StateDir(path) as again:
        assert not again.exchange.exists()
        done = again.archive_dir / "three"
        assert sorted(item.name for item in done.iterdir()) == ["exchange", "journal"]


def test_no_archive_under_a_running_exchange(state: StateDir) -> None:
    fill(state)
    lingering = subprocess.Popen([sys.executable, "-c", "input('hftbot exchange')"],
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert lingering.stdout is not None
        assert lingering.stdout.read(6) == b"hftbot"
        state.endpoint.write_text(json.dumps({"pid": lingering.pid}))
        assert state.exchange_pid() == lingering.pid
        with pytest.raises(StoreError, match=f"still runs as pid {lingering.pid}"):
            state.archive("four")
        assert state.journal.exists()
    finally:
        lingering.communicate(b"\n")
    assert state.exchange_pid() == 0
    assert state.archive("four") is not None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": "x"}', '{"pid": -1}', '{"pid": 1e9}',
                                  '{"pid": 99999999999}'])
def test_an_endpoint_that_says_nothing(state: StateDir, text: str) -> None:
    state.exchange.mkdir()
    state.endpoint.write_text(text)
    assert state.exchange_pid() == 0


def test_the_hot_journal_has_one_place_and_trusts_no_other_owner(state: StateDir,
                                                                 tmp_path: pathlib.Path) -> None:
    memory = tmp_path / "memory"
    assert state.hot_journal(memory) is None
    memory.mkdir()
    first = state.hot_journal(memory)
    assert first is not None
    assert first == state.hot_journal(memory)
    assert first.stat().st_mode & 0o777 == 0o700
    first.chmod(0o777)
    assert state.hot_journal(memory) is None
    first.rmdir()
    first.symlink_to(tmp_path)
    assert state.hot_journal(memory) is None
