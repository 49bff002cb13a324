"""Halts that outlive a run: kept, refused at the next start, shown and cleared; and the kill."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hftbot.app.exit_codes import EXIT_NOT_VERIFIED
from hftbot.errors import Halted, HftbotError, InUse
from hftbot.store.halt_file import ANY_ACCOUNT, Halt, HaltFile, KillFile, one_line
from hftbot.store.state_dir import StateDir
from hftbot.watch import status
from hftbot.watch.logs import stamp
from hftbot.words.secret import Secret

KILL_S = 60.0
LOOK_AGAIN_S = 0.1


def account_name(mode: str, key: Secret) -> str:
    """Names a venue account by its mode and a fingerprint of its key, never the key."""
    return f"{mode}:{hashlib.sha256(b'hftbot account ' + key.reveal().encode()).hexdigest()[:16]}"


class HaltKeeper:
    """What a session tells of its sticky halt, and asks about a kill.

    ``owner`` names the account whatever key it is traded with, empty if that is not known.
    """

    def __init__(self, folder: Path, account: str, own: bool,
                 redact: Callable[[str], str], owner: str = "") -> None:
        self.account, self._owner = account, owner
        self._own = own
        self._redact = redact
        self._file = HaltFile(folder)
        self._kill = KillFile(folder)
        self._folder, self._place = folder, _place(folder)
        self.kept = False

    def make_room(self) -> None:
        """Before anything is traded: a halt can be kept. Raises StoreError."""
        self._file.make_room()

    def keep(self, reason: str, now_us: int) -> None:
        """Put the halt on disk; a kill that asked for it is done. Raises StoreError."""
        self._file.add(Halt(reason=one_line(self._redact(reason)), ts_us=now_us,
                            account=self.account, own=self._own, owner=self._owner))
        self.kept = True
        self._kill.remove()

    def kill_asked(self) -> str:
        """Why a kill is asked for, or nothing; a kill that cannot be seen is asked for."""
        try:
            reason = self._kill.asked()
        except OSError as error:
            return f"cannot see whether a kill is asked for: {error.strerror or error}"
        if not reason and _place(self._folder) != self._place:
            return f"{self._folder} was removed or replaced: no kill could be seen there"
        if reason and self.kept:
            self._kill.remove()
        return reason


def _place(folder: Path) -> tuple[int, int]:
    """Which directory a path leads to; (0, 0) if to none."""
    try:
        facts = folder.stat()
    except OSError:
        return 0, 0
    return facts.st_dev, facts.st_ino


def refuse_kill(folder: Path) -> None:
    """Before anything starts: a kill that nobody acted on becomes a halt. Raises Halted."""
    kill = KillFile(folder)
    try:
        reason = kill.asked()
    except OSError as error:
        raise Halted(f"cannot see whether {kill.path} asks for a kill: "
                     f"{error.strerror or error}") from None
    if reason:
        halt = _add_without_bot(folder, reason)
        stuck = "" if kill.remove() else f" and remove {kill.path}"
        raise Halted(_refusal(folder, halt) + stuck)
    # A file that cannot be read is refused here, whatever account it is about.
    HaltFile(folder).read()


def refuse(folder: Path, *names: str) -> None:
    """Refuse to trade on an account whose halt is in force, under whichever of its names.

    Raises Halted or StoreError.
    """
    halt = HaltFile(folder).of(*names)
    if halt is not None:
        known = halt.account in (ANY_ACCOUNT, *names)
        raise Halted(_refusal(folder, halt, "" if known else " under another key of the account"))


def told_text(kept: bool, folder: Path) -> str:
    """What a halt means for the next start."""
    return (f"The halt stays until {remedy(folder)}" if kept else
            f"The halt could NOT be kept in {folder}: the next start is not refused")


def remedy(folder: Path) -> str:
    """The command that lets the next run start."""
    usual = folder == (Path.cwd() / "hftbot-state")
    return "`hftbot resume --yes" + ("`" if usual else f" --state {folder}`")


def _refusal(folder: Path, halt: Halt, how: str = "") -> str:
    return (f"halted since {stamp(halt.ts_us)} UTC{how}: {halt.reason}; look into it, then "
            f"{remedy(folder)}")


def resume(path: str, yes: bool, now_us: int) -> int:
    """``hftbot resume``: show the halts of a state directory; with ``yes`` clear them."""
    folder = Path(path).expanduser().absolute()
    if not yes:
        print(_shown(folder))
        return 0
    if not folder.is_dir():
        print(f"nothing to clear: {folder} is not there")
        return 0
    with StateDir(folder):
        text = _shown(folder)
        waiting = KillFile(folder)
        target = HaltFile(folder).archive(moment(now_us))
        removed = waiting.remove()
        print(text)
        if target is not None:
            print(f"cleared; kept in {target}")
        if not removed:
            raise HftbotError(f"{waiting.path} cannot be removed; the next start is refused until "
                              "it is gone")
    return 0


def content(path: str) -> dict[str, Any]:
    """The halts in force, and whether a kill waits for the next start, for --json.

    Raises StoreError if they cannot be read.
    """
    folder = Path(path).expanduser().absolute()
    try:
        waiting = KillFile(folder).asked()
    except OSError as error:
        raise HftbotError(f"cannot look for a kill file: {error.strerror or error}") from None
    return {"halts": [{"reason": halt.reason, "ts_us": halt.ts_us, "account": halt.account,
                       "owner": halt.owner} for halt in HaltFile(folder).read()],
            "kill_waiting": waiting}


def moment(now_us: int) -> str:
    """The time as part of a file's name."""
    return stamp(now_us).replace(" ", "T").replace(":", "")


def _shown(folder: Path) -> str:
    lines = []
    try:
        lines += [f"halted since {stamp(halt.ts_us)} UTC: {halt.reason} (account {halt.account}"
                  + (f", with any key {halt.owner})" if halt.owner else ")")
                  for halt in HaltFile(folder).read()]
    except HftbotError as error:
        lines.append(str(error))
    try:
        kill = KillFile(folder).asked()
    except OSError as error:
        kill = f"cannot look for a kill file: {error.strerror or error}"
    if kill:
        lines.append(f"the kill file asks the next start to halt: {kill}")
    return "\n".join(lines) or f"nothing to clear: no halt is in force in {folder}"


def kill(path: str, reason: str) -> int:
    """``hftbot kill``: halt the bot of a state directory and wait until it has stopped.

    Without one the next start is refused. 0 if no order can be open, 4 if that is not known.
    """
    folder = Path(path).expanduser().absolute()
    file = KillFile(folder)
    end_s = time.monotonic() + KILL_S
    asked_us = time.time_ns() // 1_000
    pid = ""
    while True:
        try:
            with StateDir(folder) as state:
                return _kill_ended(folder, asked_us) if pid and not file.asked() \
                    else _kill_without_bot(state, reason)
        except InUse as error:
            if not pid:
                file.ask(reason)
                pid = str(error).split(" by pid ")[-1].split(";")[0]
                print(f"asked the bot (pid {pid}) to halt, cancel all and stop", flush=True)
        if time.monotonic() > end_s:
            print(f"pid {pid} did not stop within {KILL_S:.0f} s; orders may be open. {file.path} "
                  "stays until it is acted on")
            return EXIT_NOT_VERIFIED
        time.sleep(LOOK_AGAIN_S)


def _kill_ended(folder: Path, asked_us: int) -> int:
    """The bot took the kill file and is gone: what did it say last?"""
    content = _last_status(folder)
    told = content.get("state") == "stopped" and content.get("updated_us", 0) >= asked_us
    print(f"the bot stopped and stays halted until {remedy(folder)}")
    if told and content.get("verified_none_open") is True:
        print("no order is open: the venue was asked")
        return 0
    count = content.get("open_orders") if told else None
    print("orders may be open: " + (f"the bot knew of {count}, and the venue " if count else
                                    "the venue ") + "did not confirm that none is")
    return EXIT_NOT_VERIFIED


def _kill_without_bot(state: StateDir, reason: str) -> int:
    file = KillFile(state.path)
    halt = _add_without_bot(state.path, file.asked() or f"killed: {one_line(reason)}")
    file.remove()
    print(f"no bot runs in {state.path}; the next start is refused until {remedy(state.path)} "
          f"(halted since {stamp(halt.ts_us)} UTC: {halt.reason})")
    pid = state.exchange_pid()
    if pid:
        print(f"its embedded exchange still serves as pid {pid}: orders of the last run may be "
              "open there")
        return EXIT_NOT_VERIFIED
    last = _last_status(state.path)
    if last.get("mode") == "live" and last.get("verified_none_open") is not True:
        print("its last run traded live and did not verify that no order is open: "
              "`hftbot cancel-all --live --set DRY_RUN=0`")
        return EXIT_NOT_VERIFIED
    return 0


def _add_without_bot(folder: Path, reason: str) -> Halt:
    """Halt whatever account trades here next: nobody can say which that will be.

    It goes with the embedded account at --fresh if that one traded here last.
    """
    own = _last_status(folder).get("account_own") is True
    return HaltFile(folder).add(Halt(reason=one_line(reason), ts_us=time.time_ns() // 1_000,
                                     account=ANY_ACCOUNT, own=own))


def _last_status(folder: Path) -> dict[str, Any]:
    try:
        return status.read(folder / status.STATUS_FILE)
    except HftbotError:
        return {}
