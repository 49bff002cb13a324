"""A guardian at work: it hears beats, keeps the venue's switch armed, and cancels for a dead bot.

It knows four requests and no order. Runs on any asyncio loop, virtual time included.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn

from hftbot.errors import RateLimited, VenueError
from hftbot.live.dead_man import SWITCH_S, Beat, DeadMan, Want
from hftbot.venue.kraken import cancels
from hftbot.words.ports import Clock, Http, Notes
from hftbot.words.secret import Secret

ANSWER_S = 5.0
ECHO, ARMED, FIRED, REFUSED, LATE = "beat", "armed", "fired", "refused", "late"


class CancelDoor:
    """The only way out of a guardian: signed requests of ``cancels.ALLOWED``, nothing else."""

    def __init__(self, http: Http, rest_url: str, key: Secret, secret: Secret,
                 nonces: Callable[[], int]) -> None:
        self._http = http
        self._rest_url = rest_url
        self._key = key
        self._secret = secret
        self._nonces = nonces

    async def arm(self, timeout_s: int) -> str:
        """Restart the switch, 0 switches it off. When it fires, in the venue's words."""
        return cancels.after_response(*await self.send(cancels.after_request(
            timeout_s, self._key, self._secret, self._nonces())))

    async def cancel_all(self) -> int:
        """Cancel everything; how many orders that were."""
        return cancels.all_response(*await self.send(cancels.all_request(
            self._key, self._secret, self._nonces())))

    async def open_orders(self) -> int:
        """How many orders the venue lists as open."""
        return cancels.open_response(*await self.send(cancels.open_request(
            self._key, self._secret, self._nonces())))

    async def send(self, request: cancels.Signed) -> tuple[int, bytes]:
        """Send one allowed request. Raises PermissionError for any other."""
        path, headers, body = request
        if path not in cancels.ALLOWED:
            _refuse(path)
        return await self._http.request("POST", self._rest_url + path, headers, body, ANSWER_S)


def _refuse(path: str) -> NoReturn:
    raise PermissionError(f"a guardian does not send {path}")


class Guardian:
    """Drives one DeadMan. ``tell`` says to the bot what it has to know, one word and a text.

    ``hear`` and ``lose`` are called as the pipe delivers; ``run`` returns the exit code.
    """

    def __init__(self, door: CancelDoor, dead_man: DeadMan, clock: Clock, notes: Notes,
                 tell: Callable[[str, str], None]) -> None:
        self._door = door
        self._dead_man = dead_man
        self._clock = clock
        self._notes = notes
        self._tell = tell
        self._wake = asyncio.Event()
        self._told_fired = False
        self._armed_before = False

    def hear(self, beats: bytes) -> None:
        """Beats came: one byte each, the newest last. Unknown ones do not count."""
        now_ns = self._clock.mono_ns()
        known = bytes(beat for beat in beats if beat in (Beat.TRADING, Beat.DRAINING, Beat.GOODBYE))
        if known:
            leaving = self._dead_man.leaving
            self._dead_man.beat(Beat.GOODBYE if Beat.GOODBYE in known else known[-1], now_ns)
            self._tell(ECHO, "")
            if self._dead_man.leaving and not leaving:
                self._notes.info("the bot says goodbye: nothing of its is open")
        self._wake.set()

    def lose(self) -> None:
        """The pipe is at its end."""
        self._dead_man.closed(self._clock.mono_ns())
        self._wake.set()

    def end(self) -> None:
        """Somebody wants this process to end: obeyed only once the bot is given up."""
        if self._dead_man.fired:
            self._notes.error("ended from outside: what is open was NOT verified")
        else:
            self._notes.warn("asked to end: not while the bot lives")
        self._dead_man.give_up()
        self._wake.set()

    async def run(self) -> int:
        """Watch until the goodbye, or cancel until nothing is open."""
        while True:
            now_ns = self._clock.mono_ns()
            want = self._dead_man.want(now_ns)
            self._say_fired()
            if want == Want.END:
                return self._dead_man.exit_code
            if want == Want.NOTHING:
                await self._pause(None)
            else:
                await self._do(want)

    def _say_fired(self) -> None:
        if self._dead_man.fired and not self._told_fired:
            self._told_fired = True
            self._tell(FIRED, self._dead_man.fired)
            self._notes.error(f"{self._dead_man.fired}: cancelling everything")

    async def _pause(self, call: asyncio.Future[None] | None) -> None:
        """Wait for something to happen, a request to end, or the time to look again."""
        wait_s = max(self._dead_man.wait_ns(self._clock.mono_ns()), 1_000) / 1e9
        woken = asyncio.ensure_future(self._wake.wait())
        try:
            waited: list[asyncio.Future[Any]] = [woken] if call is None else [woken, call]
            await asyncio.wait(waited, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            self._wake.clear()

    async def _do(self, want: Want) -> None:
        """One request; dropped on the way if something else has become more urgent."""
        self._dead_man.started(want)
        call = asyncio.ensure_future(self._call(want))
        while not call.done():
            await self._pause(call)
            if not call.done() and self._dead_man.want(self._clock.mono_ns()) != want:
                call.cancel()
                await asyncio.gather(call, return_exceptions=True)
                return
        await call

    async def _call(self, want: Want) -> None:
        dead_man, notes, now_ns = self._dead_man, self._notes, self._clock.mono_ns
        try:
            if want == Want.ARM:
                due = await self._door.arm(SWITCH_S)
                if not self._armed_before:
                    notes.info(f"the venue cancels everything at {due} unless it hears from us")
                self._armed_before = True
                dead_man.done(want, now_ns())
                self._tell(ARMED, due)
            elif want == Want.CANCEL:
                count = await self._door.cancel_all()
                notes.warn(f"cancelled {count} orders")
                dead_man.done(want, now_ns(), count)
            elif want == Want.LIST:
                count = await self._door.open_orders()
                notes.warn(f"the venue lists {count} open orders")
                dead_man.done(want, now_ns(), count)
                self._proved(count)
            else:
                await self._door.arm(0)
                dead_man.done(want, now_ns())
                notes.info("the venue's switch is off")
        except VenueError as error:
            self._failed(want, error)

    def _proved(self, count: int) -> None:
        if not count and self._dead_man.proved:
            self._notes.error(f"proved: no order is open ({self._dead_man.cancelled} cancelled "
                              f"here; {self._dead_man.fired})")

    def _failed(self, want: Want, error: VenueError) -> None:
        now_ns = self._clock.mono_ns()
        self._dead_man.failed(want, now_ns, isinstance(error, RateLimited))
        what = {Want.ARM: "the venue's switch could not be armed", Want.CANCEL: "not cancelled",
                Want.LIST: "open orders not known"}.get(want, "the venue's switch stays armed")
        self._notes.warn(f"{what}: {error}")
        if want != Want.ARM:
            return
        if error.remedy == "halt" or (error.remedy == "drop" and not self._armed_before):
            self._tell(REFUSED, f"{what}: {error}")
        elif self._dead_man.late(now_ns):
            self._tell(LATE, f"{what}: {error}")
