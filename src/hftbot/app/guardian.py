"""``hftbot guardian``: the second process of a run, which can cancel and nothing else.

Its standard input is a pipe from the bot: one JSON line with what it has to know (secrets too, so
that no command line and no environment shows them), then one byte for each beat.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hftbot.app import crash, hardening
from hftbot.errors import ConfigError, InUse, StoreError
from hftbot.live.clock import SystemClock
from hftbot.live.dead_man import DeadMan
from hftbot.live.guardian import CancelDoor, Guardian
from hftbot.store.nonce_file import NonceFile, Nonces
from hftbot.watch import logs as logging_room
from hftbot.watch.logs import Logs
from hftbot.wire.plain_http import PlainHttp
from hftbot.words.secret import Secret

LOG_FILE = "guardian.log"
LOCK_FILE = "guardian.lock"
LOCK_S = 20.0
LOOK_AGAIN_S = 0.05
READ_BYTES = 4096


def run() -> int:
    """Serve one bot until its goodbye or its end. Returns the exit code; raises HftbotError."""
    # Ctrl-C belongs to the bot; the end of the terminal is no reason to leave orders open.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return asyncio.run(_serve())


async def _serve() -> int:
    beats = await _pipe()
    line = await beats.readline()
    if not line:
        return 0
    told = _told(line)
    folder = Path(told["state_dir"])
    key, secret = Secret(told["api_key"]), Secret(told["api_secret"])
    logs = logging_room.setup(folder / LOG_FILE, told["log_level"], told["log_json"],
                              (key, secret), "hftbot.guardian")
    hardening.forbid_dumps()
    crash.send_to(logs.error, logs.redactor)
    try:
        async with contextlib.AsyncExitStack() as stack:
            if not await stack.enter_async_context(_alone(folder, beats)):
                return 0
            return await _guard(told, key, secret, beats, logs)
    finally:
        logs.close()


async def _guard(told: dict[str, Any], key: Secret, secret: Secret, beats: asyncio.StreamReader,
                 logs: Logs) -> int:
    clock = SystemClock()
    nonces = Nonces(_nonce_file(told, key, logs), lambda: clock.now_us() * 1000, logs.warn)
    dead_man = DeadMan(told["limit_us"] * 1000, told["settle_us"] * 1000,
                       told["give_up_us"] * 1000, clock.mono_ns())
    door = CancelDoor(PlainHttp(told["ca_file"]), told["rest_url"], key, secret, nonces)

    def tell(word: str, text: str) -> None:
        # A bot that is stopped does not read: what it misses it will find out by itself.
        with contextlib.suppress(OSError):
            os.write(1, f"{word} {logs.redactor(text)}\n".encode())

    guardian = Guardian(door, dead_man, clock, logs, tell)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, guardian.end)
    whose = "a key of its own" if told["own_key"] else "the key of the bot"
    logs.info(f"guarding pid {os.getppid()}: limit {told['limit_us'] / 1e6:g} s, "
              f"{told['rest_url']}, {whose}")
    reading = asyncio.ensure_future(_read(beats, guardian))
    try:
        code = await guardian.run()
    finally:
        reading.cancel()
    logs.info(f"ends with exit code {code}")
    return code


async def _read(beats: asyncio.StreamReader, guardian: Guardian) -> None:
    while heard := await beats.read(READ_BYTES):
        guardian.hear(heard)
    guardian.lose()


async def _pipe() -> asyncio.StreamReader:
    stream = asyncio.StreamReader()
    try:
        kind = os.fstat(0).st_mode
        if not (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind)):
            raise _not_by_hand()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), sys.stdin)
        os.set_blocking(1, False)
    except (OSError, ValueError):
        raise _not_by_hand() from None
    return stream


def _not_by_hand() -> ConfigError:
    return ConfigError("`hftbot guardian` is started by `hftbot run`, which speaks to it through "
                       "a pipe; there is nothing to start by hand")


def _told(line: bytes) -> dict[str, Any]:
    wanted = {"state_dir": str, "rest_url": str, "api_key": str, "api_secret": str,
              "own_key": bool, "limit_us": int, "settle_us": int, "give_up_us": int,
              "ca_file": str, "log_level": str, "log_json": bool}
    try:
        told = json.loads(line)
    except ValueError:
        raise _not_by_hand() from None
    if not isinstance(told, dict) or any(type(told.get(name)) is not kind
                                         for name, kind in wanted.items()):
        raise _not_by_hand()
    return told


def _nonce_file(told: dict[str, Any], key: Secret, logs: Logs) -> NonceFile | None:
    try:
        return NonceFile(Path(told["state_dir"]), key)
    except StoreError as error:
        logs.warn(f"{error}; nonces come from the clock alone")
        return None


@contextlib.asynccontextmanager
async def _alone(folder: Path, beats: asyncio.StreamReader) -> Any:
    """Wait until the guardian of an earlier run is done: it would cancel what this run places.

    Gives False if the bot was gone before that. Raises InUse after LOCK_S.
    """
    with _lock_file(folder) as lock:
        end_s = asyncio.get_running_loop().time() + LOCK_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if beats.at_eof():
                    break
                if asyncio.get_running_loop().time() > end_s:
                    raise _busy(folder, lock) from None
            await asyncio.sleep(LOOK_AGAIN_S)
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield not beats.at_eof()


@contextlib.contextmanager
def _lock_file(folder: Path) -> Iterator[int]:
    path = folder / LOCK_FILE
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as reason:
        raise StoreError(f"cannot open {path}: {reason.strerror or reason}") from None
    try:
        yield lock
    finally:
        os.close(lock)


def _busy(folder: Path, lock: int) -> InUse:
    pid = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
    return InUse(f"the guardian of an earlier run (pid {pid}) still cancels what that run left "
                 f"open; {folder / LOG_FILE} says how far it is")
