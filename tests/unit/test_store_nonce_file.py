"""Nonces rise across processes, kills and clocks that step back."""

from __future__ import annotations

import fcntl
import os
import pathlib
import signal
import struct
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hftbot.errors import StoreError
from hftbot.store.nonce_file import NonceFile, Nonces
from hftbot.words.secret import Secret

KEY = Secret("a key that nobody has")
TAKER = """
import pathlib, sys, time
from hftbot.store.nonce_file import NonceFile
from hftbot.words.secret import Secret
file = NonceFile(pathlib.Path(sys.argv[1]), Secret("a key that nobody has"))
count, step = int(sys.argv[2]), int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
now_ns = time.time_ns()
for _ in range(count):
    now_ns += step
    print(file.next(now_ns), flush=count > 1_000_000)
"""


def taker(folder: pathlib.Path, count: int, step: int) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", TAKER, str(folder), str(count), str(step)],
                               text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


@pytest.fixture
def file(tmp_path):
    file = NonceFile(tmp_path, KEY)
    yield file
    file.close()


def test_file_is_eight_private_bytes_and_does_not_name_its_key(tmp_path, file) -> None:
    assert file.next(1000) == 1000
    assert file.next(1000) == 1001
    assert file.path.read_bytes() == struct.pack("<Q", 1001)
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert "nobody" not in file.path.name
    other = NonceFile(tmp_path, Secret("another key"))
    assert other.path != file.path
    assert other.next(5) == 5
    other.close()


@pytest.mark.fault("V4", "T1")
@given(steps=st.lists(st.integers(-10**18, 10**12), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_rises_whatever_the_clock_does(tmp_path_factory, steps) -> None:
    folder = tmp_path_factory.mktemp("nonces")
    now_ns, last = 10**18, 0
    for step in steps:
        now_ns = max(0, now_ns + step)
        file = NonceFile(folder, KEY)  # as a new process would
        nonce = file.next(now_ns)
        file.close()
        assert nonce > last
        assert nonce >= now_ns
        last = nonce


@pytest.mark.fault("V4")
@pytest.mark.parametrize("each", [25_000, pytest.param(250_000, marks=pytest.mark.long)])
def test_four_processes_take_many_and_none_twice(tmp_path, each) -> None:
    # Two of the clocks stand still, one runs, one goes back.
    processes = [taker(tmp_path, each, step) for step in (0, 0, 1_000, -1_000)]
    for process in processes:
        go(process)
    lists = []
    for process in processes:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        lists.append([int(line) for line in out.split()])
    for nonces in lists:
        assert len(nonces) == each
        assert all(later > sooner for sooner, later in pairwise(nonces))
    together = {nonce for nonces in lists for nonce in nonces}
    assert len(together) == 4 * each
    file = NonceFile(tmp_path, KEY)
    assert file.next(0) == max(together) + 1
    file.close()


def test_killed_in_the_middle_repeats_none(tmp_path) -> None:
    seen: list[int] = []
    for _ in range(5):
        process = taker(tmp_path, 10_000_000, 0)
        go(process)
        assert process.stdout is not None
        for _ in range(200):
            seen.append(int(process.stdout.readline()))
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
        process.wait()
        # The last line may be cut off: such a nonce was never used in full.
        seen += [int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    assert len(seen) >= 1000
    assert all(later > sooner for sooner, later in pairwise(seen))
    file = NonceFile(tmp_path, KEY)
    assert file.next(0) > seen[-1]
    file.close()


def test_a_process_that_sits_on_the_lock_does_not_hold_us_up_for_ever(file) -> None:
    holder = os.open(file.path, os.O_RDWR)
    fcntl.flock(holder, fcntl.LOCK_EX)
    with pytest.raises(StoreError, match="does not let go"):
        file.next(1000)
    os.close(holder)
    assert file.next(1000) == 1000


@pytest.mark.parametrize("content", [b"1234567", b"123456789", b"\0"])
def test_damage_is_told_and_left_as_it_is(file, content) -> None:
    file.path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        file.next(1000)
    assert file.path.read_bytes() == content


def test_the_last_nonce_of_all_is_the_last(file) -> None:
    file.path.write_bytes(struct.pack("<Q", (1 << 64) - 1))
    with pytest.raises(StoreError, match="no nonce is left"):
        file.next(1000)


def test_no_folder_no_file(tmp_path) -> None:
    with pytest.raises(StoreError, match="cannot open"):
        NonceFile(tmp_path / "missing", KEY)


def test_without_a_usable_file_nonces_still_rise_and_it_is_told_once(file) -> None:
    times, told = iter([50, 40, 40, 90]), []
    nonces = Nonces(file, lambda: next(times), told.append)
    assert nonces() == 50
    file.path.write_bytes(b"bad")
    assert [nonces(), nonces(), nonces()] == [51, 52, 90]
    assert len(told) == 1
    assert "damaged" in told[0]
    assert [Nonces(None, lambda: 7, told.append)() for _ in range(2)] == [7, 7]
