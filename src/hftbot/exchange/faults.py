"""Faults of a venue by seed: what it drops, repeats, delays, refuses, and when it hangs up.

One plan serves the simulated world in one process and ``hftbot exchange --faults seed:N``: it acts
between the venue and its connections. It keeps to what TCP allows: inside one connection frames
never change their order, and a frame is missing only because the venue did not send it or because
the connection is gone.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from fastcore.sim.rng import SplitMix
from hftbot.errors import ConfigError

if TYPE_CHECKING:
    from hftbot.exchange.connection import Connection
    from hftbot.exchange.face_kraken import Kind, KrakenFace

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
# Nothing happens before: a run has to begin.
GRACE_US = 5 * SECOND_US
SHARE = 1_000_000
# How long an exchange by hand is faulty.
MINUTES = 600
CANCEL_METHODS = ("cancel_order", "batch_cancel")
ORDER_METHODS = ("add_order", "amend_order", "edit_order", "batch_add", *CANCEL_METHODS)
REFUSALS = ("EService:Unavailable", "EService:Busy", "EGeneral:Internal error")
_SEQUENCE = re.compile(r'"sequence":(\d+)')
_CHECKSUM = re.compile(r'"checksum":(\d+)')
_METHOD = re.compile(r'"method":"(\w+)"')
_REQ_ID = re.compile(r'"req_id":(\d+)')


@dataclass(frozen=True, slots=True)
class Fault:
    """From ``at_us`` after the start, for ``span_us``: ``what`` happens to this share of frames.

    ``share_e6`` is in millionths; ``detail`` is a mode, a refusal, a side of the venue or empty;
    ``delay_us`` the mean of an exponential delay.
    """

    at_us: int
    what: str
    span_us: int = 0
    share_e6: int = SHARE
    detail: str = ""
    delay_us: int = 0

    def __str__(self) -> str:
        parts = [f"{self.at_us / 1e6:.1f} s", self.what, self.detail]
        if self.span_us:
            parts.append(f"for {self.span_us / 1e6:.1f} s")
        if self.share_e6 < SHARE:
            parts.append(f"{self.share_e6 / 1e4:.1f} % of frames")
        if self.delay_us:
            parts.append(f"mean {self.delay_us / 1e3:.0f} milliseconds")
        return " ".join(part for part in parts if part)


def parse(text: str) -> int:
    """The seed of ``seed:N``. Raises ConfigError."""
    word, _, number = text.partition(":")
    if word != "seed" or not (number.isascii() and number.isdigit()) or len(number) > 18:
        raise ConfigError(f"--faults {text[:60]!r}: expected seed:N, such as seed:7")
    return int(number)


def draw(seed: int, duration_us: int) -> tuple[Fault, ...]:
    """The plan of a seed for a run of that length, in order of time.

    Dials: up to 30 % of market updates and 5 % of reports, answers and requests dropped in windows
    of up to 5 s, reports told twice, delays with a mean up to 0.5 s, up to two clogs of 5 s, three
    hang-ups a minute, windows of another mode or of refusals, wrong checksums, frames that are no
    JSON, tokens that expire.
    """
    rng = SplitMix(seed * 0x9E37 + 1)
    found: list[Fault] = []

    def windows(most: int, what: str, span_s: float, share: float = 1.0,
                details: tuple[str, ...] = ("",), delay_s: float = 0.0) -> None:
        for _ in range(rng.below(most + 1)):
            at_us = GRACE_US + rng.below(max(1, duration_us - GRACE_US))
            share_e6 = SHARE if share == 1.0 else 1 + int(rng.random() * share * SHARE)
            found.append(Fault(at_us, what, int(rng.random() * span_s * SECOND_US), share_e6,
                               details[rng.below(len(details))],
                               int(rng.random() * delay_s * SECOND_US)))

    windows(2, "drop_market", 5.0, 0.3)
    windows(2, "drop_reports", 5.0, 0.05)
    windows(2, "repeat_reports", 10.0, 0.5)
    windows(2, "lose_answers", 5.0, 0.05)
    windows(2, "lose_requests", 5.0, 0.05)
    windows(2, "delay", 10.0, 1.0, ("public", "private"), 0.5)
    windows(2, "clog", 5.0, 1.0, ("public", "private"))
    windows(2, "flip_checksum", 5.0, 0.05)
    windows(1, "garbage", 2.0, 0.05, ("public", "private"))
    windows(1, "mode", 15.0, 1.0, ("post_only", "cancel_only", "maintenance"))
    windows(2, "refuse", 8.0, 0.5, REFUSALS)
    windows(1, "expire_tokens", 0.0)
    windows(max(1, 3 * duration_us // MINUTE_US), "hang_up", 0.0, 1.0, ("public", "private"))
    return tuple(sorted(found, key=lambda fault: (fault.at_us, fault.what, fault.detail)))


def plan_of(seed: int, minutes: int) -> tuple[Fault, ...]:
    """A plan for that many minutes, each drawn anew; the first is ``draw`` of the same seed."""
    return tuple(replace(fault, at_us=fault.at_us + minute * MINUTE_US)
                 for minute in range(minutes)
                 for fault in draw(seed + minute * 1_000_003, MINUTE_US))


class FaultInjector:
    """Carries out a plan on one venue, from the moment it is made.

    ``say`` is told of each fault as it begins; ``counts`` of what was done to frames.
    """

    def __init__(self, face: KrakenFace, plan: tuple[Fault, ...], seed: int,
                 say: Callable[[str], None] = lambda text: None) -> None:
        self.face = face
        self.plan = plan
        self.rng = SplitMix(seed)
        self.say = say
        self.counts: dict[str, int] = {}
        self.active: list[tuple[int, Fault]] = []
        self._open = face.connect
        self._connections: list[FaultyConnection] = []
        face.connect = self.connect  # type: ignore[method-assign]
        for fault in plan:
            face.later(face.now_us + fault.at_us, partial(self._begin, fault))

    def connect(self, kind: Kind) -> Connection:
        """What the venue's server gets instead of a connection."""
        faulty = FaultyConnection(self._open(kind), self)
        self._connections = [one for one in self._connections if not one.inner.closed]
        self._connections.append(faulty)
        return faulty  # type: ignore[return-value]

    def hit(self, what: str, detail: str = "") -> Fault | None:
        """The fault of that kind that strikes now, or None; counts it."""
        now_us = self.face.now_us
        for until_us, fault in self.active:
            if fault.what == what and now_us < until_us and detail in ("", fault.detail) \
                    and self.rng.below(SHARE) < fault.share_e6:
                self.counts[what] = self.counts.get(what, 0) + 1
                return fault
        return None

    def _begin(self, fault: Fault, now_us: int) -> None:
        self.say(f"fault: {fault}")
        self.active = [(until_us, one) for until_us, one in self.active if now_us < until_us]
        if fault.what == "mode":
            self.face.set_system(fault.detail)
            self.face.later(now_us + fault.span_us, lambda _now_us: self.face.set_system("online"))
        elif fault.what == "expire_tokens":
            for token in self.face.gate.tokens:
                self.face.gate.tokens[token] = now_us
            self.face.gate.kept.clear()
        elif fault.what == "hang_up":
            for connection in self._connections:
                if connection.inner.kind == fault.detail:
                    connection.inner.hung_up = True
        else:
            self.active.append((now_us + fault.span_us, fault))
            return
        self.counts[fault.what] = self.counts.get(fault.what, 0) + 1


class FaultyConnection:
    """A connection of the venue on which a plan acts; everything else is the connection's own."""

    def __init__(self, inner: Connection, injector: FaultInjector) -> None:
        self.inner = inner
        self.injector = injector
        self.out: deque[tuple[int, str]] = deque()
        self.release_us = 0
        self.extra = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def on_text(self, frame: str) -> None:
        """A frame of the client."""
        found = _METHOD.search(frame)
        method = found[1] if found else ""
        if method not in ORDER_METHODS:
            self.inner.on_text(frame)
        elif self.injector.hit("lose_requests") is None:
            refusal = self.injector.hit("refuse") if (
                method not in CANCEL_METHODS) else None
            if refusal is None:
                self.inner.on_text(frame)
                return
            face, number = self.inner.face, _REQ_ID.search(frame)
            self.inner.refuse(refusal.detail, method, int(number[1]) if number else None,
                              face.now_us, face.now_us)

    def take(self) -> list[str]:
        """Frames for the client that are due, in their order."""
        now_us = self.inner.face.now_us
        for frame in self.inner.take():
            for text in self._spoiled(frame):
                self._put(text, now_us)
        due = []
        while self.out and self.out[0][0] <= now_us:
            due.append(self.out.popleft()[1])
        return due

    def _put(self, text: str, now_us: int) -> None:
        """Into the queue, with what a delay or a clog adds."""
        injector, at_us = self.injector, now_us
        delay = injector.hit("delay", self.inner.kind)
        if delay is not None:
            at_us += int(injector.rng.exponential() * delay.delay_us)
        if injector.hit("clog", self.inner.kind) is not None:
            at_us = max(at_us, *(until_us for until_us, fault in injector.active
                                 if fault.what == "clog" and fault.detail == self.inner.kind))
        self.release_us = max(self.release_us, at_us)
        if self.release_us > now_us:
            # The venue's clock has to come by then.
            self.inner.face.later(self.release_us, lambda _now_us: None)
        self.out.append((self.release_us, text))

    def _spoiled(self, frame: str) -> list[str]:
        injector = self.injector
        if injector.hit("garbage", self.inner.kind) is not None:
            return ["CloudFlare WebSocket proxy restarting", frame]
        if frame.startswith('{"channel":"book","type":"update"'):
            if injector.hit("drop_market") is not None:
                return []
            if injector.hit("flip_checksum") is not None:
                return [_CHECKSUM.sub(lambda found: f'"checksum":{int(found[1]) ^ 1}', frame)]
        elif frame.startswith('{"channel":"executions"'):
            return self._reports(frame)
        elif self._answers_an_order(frame) and injector.hit("lose_answers") is not None:
            return []
        return [frame]

    def _answers_an_order(self, frame: str) -> bool:
        found = None if frame.startswith('{"channel"') else _METHOD.search(frame)
        return found is not None and found[1] in ORDER_METHODS

    def _reports(self, frame: str) -> list[str]:
        """The venue forgets one, which leaves a hole in its numbers, or tells one again."""
        if '"type":"snapshot"' in frame:
            self.extra = 0
            return [frame]
        if self.injector.hit("drop_reports") is not None:
            return []
        frames = [self._renumbered(frame)]
        if self.injector.hit("repeat_reports") is not None:
            self.extra += 1
            frames.append(self._renumbered(frame))
        return frames

    def _renumbered(self, frame: str) -> str:
        return _SEQUENCE.sub(lambda found: f'"sequence":{int(found[1]) + self.extra}', frame)
