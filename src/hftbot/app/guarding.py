"""The bot's side of its guardian: starts it, beats, and closes admission when it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hftbot.app.children import LOOPBACK, Endpoint
from hftbot.app.secret_sources import without_secrets
from hftbot.config.schema import Settings
from hftbot.errors import HftbotError
from hftbot.live.session import Session
from hftbot.words.ports import Notes

START_S = 30.0
LEAVE_S = 3.0
# An embedded exchange that is gone does not come back; a venue does.
GIVE_UP_US = 60_000_000
BEAT_US = 500_000
RESTARTS = 1
LOG_FILE = "guardian.log"


class GuardianChild:
    """One guardian process and what it said last."""

    def __init__(self, process: asyncio.subprocess.Process, told: Callable[[], None]) -> None:
        self.process = process
        self.armed = False
        self.fired = self.refused = ""
        self.heard_ns = time.monotonic_ns()
        self._told = told
        self.listening = asyncio.ensure_future(self._listen())

    @classmethod
    async def start(cls, log: Path, told: Callable[[], None]) -> GuardianChild:
        """Start the process; it waits for its instructions. Raises HftbotError."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        try:
            with open(os.open(log, flags, 0o600), "ab") as errors:
                process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "hftbot", "guardian", stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE, stderr=errors, env=without_secrets(os.environ),
                    start_new_session=True)
        except OSError as error:
            raise HftbotError(f"the guardian cannot be started: {error}") from None
        return cls(process, told)

    def send(self, data: bytes) -> None:
        """Hand something to the process; a pipe that is broken shows at its other end."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError, RuntimeError):
            self.process.stdin.write(data)

    def hang_up(self) -> None:
        """Close the pipe."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError, RuntimeError):
            self.process.stdin.close()

    def kill(self) -> None:
        """End a guardian that does not answer."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    async def ended(self, deadline_s: float) -> bool:
        """Wait for its end; False if that takes too long."""
        try:
            await asyncio.wait_for(asyncio.shield(self.listening), deadline_s)
            await asyncio.wait_for(self.process.wait(), deadline_s)
        except TimeoutError:
            return False
        return True

    async def _listen(self) -> None:
        """Until its output ends, which is when it ends."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self.heard_ns = time.monotonic_ns()
            word, _, text = line.decode(errors="replace").strip().partition(" ")
            if word == "armed":
                self.armed = True
            elif word == "fired":
                self.fired = text
            elif word in ("refused", "late"):
                self.refused = text
            if word != "beat":
                self._told()


@dataclass(slots=True)
class Charge:
    """What is guarded. ``own_exchange``: it ends with us, and with it whatever is open there."""

    session: Session
    endpoint: Endpoint
    own_exchange: bool
    notes: Notes


class Guarding:
    """Keeps a guardian beside a session. With GUARDIAN=0 nothing here has an effect.

    ``start`` early, ``attach`` to the session, ``leave`` after it, ``close`` at the end.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._child: GuardianChild | None = None
        self._charge: Charge | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._restarts = 0
        self._beat_ns = self._tick_ns = 0
        self._beat_every_ns = min(BEAT_US, settings.guardian_limit_us // 4) * 1000

    @classmethod
    async def start(cls, settings: Settings, folder: Path) -> Guarding:
        """Start the process beside everything else that has to start. Raises HftbotError."""
        guarding = cls(settings, folder)
        if settings.guardian:
            guarding._child = await guarding._spawn()
        return guarding

    def attach(self, session: Session, endpoint: Endpoint, own_exchange: bool,
               notes: Notes) -> None:
        """From here on the session waits for us before it trades."""
        charge = self._charge = Charge(session, endpoint, own_exchange, notes)
        if self._settings.guardian:
            session.gap_ns = min(session.gap_ns, self._settings.guardian_limit_us * 500
                                 + self._settings.loop_interval_us * 1000)
            session.set_guarded(False)
            session.before_trading = lambda: self._begin(charge)

    def described(self, endpoint: Endpoint) -> str:
        """One line for the banner."""
        if not self._settings.guardian:
            return "off: a bot that dies leaves its orders open"
        own = "a key of its own" if endpoint.guardian_key else "the bot's key"
        return (f"cancels everything after {self._settings.guardian_limit_us / 1e6:g} s without a "
                f"beat; {own}")

    def tick(self) -> None:
        """The session's timer came by: beat, and look whether the guardian still answers."""
        child, charge = self._child, self._charge
        if child is None or charge is None or self._keeper is None:
            return
        now_ns = time.monotonic_ns()
        limit_ns = self._settings.guardian_limit_us * 1000
        if now_ns - self._tick_ns > limit_ns // 2:
            # We were stopped ourselves: its answers may wait in the pipe.
            child.heard_ns = now_ns
        self._tick_ns = now_ns
        if now_ns - self._beat_ns >= self._beat_every_ns:
            self._beat_ns = now_ns
            child.send(b"d" if charge.session.stop_asked.is_set() else b"t")
        if now_ns - child.heard_ns > limit_ns:
            child.kill()

    async def leave(self) -> None:
        """The session is over: say goodbye if nothing is open, else leave the rest to it."""
        child, charge = self._child, self._charge
        if child is None or charge is None or self._keeper is None:
            return
        await self._stop_keeping()
        clean = charge.session.open_at_exit == 0 or charge.session.venue_gone
        if clean:
            child.send(b"g")
        child.hang_up()
        # An exchange of our own ends with us: only before that can anything be cancelled there.
        patience_s = LEAVE_S if clean else self._settings.order_deadline_us / 1e6 + LEAVE_S
        if clean or charge.own_exchange:
            await child.ended(patience_s)
        self._child = None
        if not clean:
            charge.notes.error(f"the guardian goes on cancelling: {self._folder / LOG_FILE}")

    async def close(self) -> None:
        """Nothing stays that was never told what to guard. Calling it again does nothing."""
        await self._stop_keeping()
        if self._child is not None:
            self._child.hang_up()
            if not await self._child.ended(LEAVE_S):
                self._child.kill()
            self._child = None

    async def _stop_keeping(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None

    async def _spawn(self) -> GuardianChild:
        return await GuardianChild.start(self._folder / LOG_FILE, self._news.set)

    async def _begin(self, charge: Charge) -> None:
        """Before the first order: armed, or no trading. Raises HftbotError."""
        child = self._child = self._child or await self._spawn()
        await self._arm(child, charge)
        charge.session.set_guarded(True)
        self._keeper = asyncio.ensure_future(self._keep(child, charge))

        def watched(task: asyncio.Task[None]) -> None:
            error = None if task.cancelled() else task.exception()
            if error is not None:
                charge.session.fail(f"nobody watches the guardian: {type(error).__name__}: {error}",
                                    sticky=False)
        self._keeper.add_done_callback(watched)

    async def _arm(self, child: GuardianChild, charge: Charge) -> None:
        """Tell the guardian what to guard and wait until the venue's switch is armed."""
        session = charge.session
        child.send(self._instructions(charge))
        end_s = time.monotonic() + START_S
        stopped = asyncio.ensure_future(session.stop_asked.wait())
        try:
            while not child.armed and not session.stop_asked.is_set():
                news = asyncio.ensure_future(self._news.wait())
                await asyncio.wait([news, stopped, child.listening],
                                   timeout=max(0.0, end_s - time.monotonic()),
                                   return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
                self._news.clear()
                if child.refused:
                    raise HftbotError(f"no trading without a guardian: {child.refused}")
                if child.listening.done() or time.monotonic() >= end_s:
                    raise HftbotError(f"no trading without a guardian: {await self._how(child)}")
        finally:
            stopped.cancel()
        self._tick_ns = child.heard_ns = time.monotonic_ns()

    def _instructions(self, charge: Charge) -> bytes:
        endpoint, settings = charge.endpoint, self._settings
        own_key = bool(endpoint.guardian_key and endpoint.guardian_secret)
        key, secret = ((endpoint.guardian_key, endpoint.guardian_secret) if own_key
                       else (endpoint.api_key, endpoint.api_secret))
        told: dict[str, Any] = {
            "state_dir": str(self._folder), "rest_url": endpoint.rest_url,
            "api_key": key.reveal(), "api_secret": secret.reveal(), "own_key": own_key,
            "limit_us": settings.guardian_limit_us, "settle_us": settings.order_deadline_us,
            "give_up_us": GIVE_UP_US if _on_this_machine(endpoint.rest_url) else 0,
            "ca_file": settings.kraken_ca_file if settings.venue == "live" else "",
            "log_level": settings.log_level, "log_json": settings.log_format == "json"}
        return json.dumps(told).encode() + b"\n"

    async def _keep(self, child: GuardianChild, charge: Charge) -> None:
        """Watch it while we trade: closed at once without it, one more try, then the end."""
        session, notes = charge.session, charge.notes
        while True:
            await self._trouble(child)
            session.set_guarded(False)
            if child.fired:
                session.doubt_everything(f"the guardian cancelled everything: {child.fired}")
            elif child.refused:
                session.fail(child.refused, sticky=False)
                return
            how = await self._how(child)
            if self._restarts >= RESTARTS:
                session.fail(f"the guardian ended again: {how}", sticky=False)
                return
            self._restarts += 1
            notes.warn(f"no order leaves: the guardian ended ({how}); starting another")
            try:
                child = self._child = await self._spawn()
                await self._arm(child, charge)
            except HftbotError as error:
                session.fail(str(error), sticky=False)
                return
            session.set_guarded(True)
            notes.info("the new guardian is in place")

    async def _trouble(self, child: GuardianChild) -> None:
        """Until it ends, fires, or is refused by the venue."""
        while not (child.listening.done() or child.fired or child.refused):
            news = asyncio.ensure_future(self._news.wait())
            await asyncio.wait([news, child.listening], return_when=asyncio.FIRST_COMPLETED)
            news.cancel()
            self._news.clear()

    async def _how(self, child: GuardianChild) -> str:
        """How it ended, in words; one that does not end by itself is ended."""
        if not await child.ended(START_S):
            child.kill()
            await child.ended(LEAVE_S)
        words = f"exit code {child.process.returncode}"
        with contextlib.suppress(OSError, IndexError):
            path = self._folder / LOG_FILE
            words += f": {path.read_text(errors='replace').strip().splitlines()[-1]}"
        return words


def _on_this_machine(url: str) -> bool:
    return urlsplit(url).hostname in LOOPBACK
