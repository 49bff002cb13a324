"""The dead man's switch: cancels everything of the account unless it is asked again in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hftbot.exchange.requests import Refused

if TYPE_CHECKING:
    from hftbot.exchange.face_kraken import KrakenFace

TIMEOUT_S_END = 86_400


class DeadManSwitch:
    """One for the account, on the venue's clock: no connection has to live for it to fire.

    ``due_us`` is when it fires, 0 while it is off; ``fired`` counts how often it did. It is off
    after it fired. One that is due in maintenance waits: the orders go when the engine returns.
    """

    def __init__(self, face: KrakenFace, due_us: int = 0) -> None:
        self.face = face
        self.due_us = 0
        self.fired = 0
        self._calls = 0
        self._overdue = False
        if due_us:
            self._set(due_us)

    def ask(self, timeout_s: int, now_us: int) -> tuple[str, str]:
        """Restart the timer, or switch it off with 0. Returns currentTime and triggerTime.

        Raises Refused for a timeout that cannot be.
        """
        if not 0 <= timeout_s < TIMEOUT_S_END:
            raise Refused("Invalid timeout argument")
        stamps = self.face.stamps
        self._set(now_us + timeout_s * 1_000_000 if timeout_s else 0)
        return stamps.whole(now_us), stamps.whole(self.due_us) if self.due_us else "0"

    def engine_returned(self, now_us: int) -> None:
        """Maintenance is over: do what was due in it."""
        if self._overdue:
            self._fire(now_us)

    def _set(self, due_us: int) -> None:
        self._calls += 1
        self._overdue = False
        self.due_us = due_us
        call = self._calls

        def look(now_us: int) -> None:
            # A later call has restarted the timer: this one has no say any more.
            if call == self._calls:
                self._fire(now_us)
        if due_us:
            self.face.later(max(due_us, self.face.now_us), look, lambda: call == self._calls)

    def _fire(self, now_us: int) -> None:
        self._overdue = self.face.system == "maintenance"
        if not self._overdue:
            self.due_us = 0
            self.fired += 1
            self.face.cancel_everything(now_us, self.face.settings.switches.dead_man_reason)
