"""Bot and exchange in one process on virtual time: what ``hftbot run`` does, replayable by seed."""

from __future__ import annotations

import asyncio
import hashlib
import pathlib
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastcore.money.journal import Journal
from hftbot.app.strategies import build_strategy
from hftbot.config.schema import Settings
from hftbot.exchange.face_kraken import KrakenFace
from hftbot.exchange.settings import ExchangeSettings
from hftbot.live.connect import TokenSource, discover
from hftbot.live.session import Session
from hftbot.live.world import World
from hftbot.wire.link import Link
from hftbot.words.fill import Fill
from hftbot.words.instrument import Instrument
from hftbot.words.ports import Strategy
from hftbot.words.secret import Secret
from world.virtual_loop import VirtualClock, VirtualLoop

PUBLIC, PRIVATE, REST = "ws://sim/v2", "ws://sim/v2/auth", "http://sim"


class MemoryWire:
    """Both ends of one connection; frames arrive when the face says that they are due."""

    def __init__(self, venue: MemoryVenue, kind: Any, on_frame: Callable[..., object],
                 on_close: Callable[[str], object]) -> None:
        self.venue = venue
        self.connection = venue.face.connect(kind)
        self.on_frame = on_frame
        self.on_close = on_close
        self.last_recv_ns = venue.clock.mono_ns()
        self.close_code = 0
        self.failure: Exception | None = None

    def send(self, frame: bytes | bytearray | memoryview) -> None:
        text = bytes(frame)
        self.venue.trace("out", text)
        self.connection.on_text(text.decode())
        self.venue.wake()

    def close(self, reason: str = "closed by us", *, abort: bool = False) -> None:
        if self not in self.venue.wires:
            return
        self.venue.wires.remove(self)
        self.connection.close()
        self.close_code = 1000
        self.venue.loop.call_soon(self.on_close, reason)


class MemoryVenue:
    """The embedded exchange's face, driven by the virtual loop."""

    def __init__(self, loop: VirtualLoop, settings: ExchangeSettings, seed: int,
                 events: Any = None) -> None:
        self.loop = loop
        self.clock = VirtualClock(loop)
        self.face = KrakenFace(settings, self.clock, random.Random(seed), None, events)
        self.wires: list[MemoryWire] = []
        self.hash = hashlib.blake2b(digest_size=16)
        self.frames = 0
        self._timer: asyncio.TimerHandle | None = None

    def trace(self, way: str, frame: bytes) -> None:
        """Every frame of both directions goes into the trace, with its time."""
        self.frames += 1
        self.hash.update(f"{self.loop.now_ns} {way} {len(frame)} ".encode() + frame)

    async def connect(self, url: str, on_frame: Callable[..., object],
                      on_close: Callable[[str], object]) -> MemoryWire:
        wire = MemoryWire(self, "private" if url == PRIVATE else "public", on_frame, on_close)
        self.wires.append(wire)
        self.wake()
        return wire

    async def request(self, method: str, url: str, headers: dict[str, str], body: bytes,
                      deadline_s: float) -> tuple[int, bytes]:
        status, _, answer = self.face.http(method, url.removeprefix(REST), headers, body)
        return status, answer

    def wake(self) -> None:
        """Look again for what is due, soon."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(0, self._turn)

    def _turn(self) -> None:
        self.face.advance(self.clock.now_us())
        for wire in tuple(self.wires):
            for text in wire.connection.take():
                frame = text.encode()
                self.trace("in", frame)
                wire.last_recv_ns = self.clock.mono_ns()
                wire.on_frame(memoryview(frame), 0, wire.last_recv_ns)
            if wire.connection.hung_up:
                wire.close("hung up by the venue")
        due_us = self.face.next_due_us()
        if due_us is not None:
            wait_s = max(0, due_us - self.clock.now_us()) / 1e6
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self.loop.call_later(wait_s, self._turn)


@dataclass
class Notes:
    """Keeps what the engine says."""

    lines: list[str] = field(default_factory=list)

    def info(self, text: str) -> None:
        self.lines.append(text)

    warn = error = info


@dataclass
class Witness:
    """An observer that remembers fills and ends."""

    fills: list[Fill] = field(default_factory=list)
    ends: list[tuple[int, int]] = field(default_factory=list)

    def on_fill(self, fill: Fill, grid: Instrument, bid: int, ask: int) -> None:
        self.fills.append(fill)

    def on_done(self, client_id: int, state: Any, reason: str, ts_us: int) -> None:
        self.ends.append((client_id, int(state)))


@dataclass
class Ring:
    """One run and what is left of it."""

    world: World
    session: Session
    venue: MemoryVenue
    witness: Witness
    notes: Notes
    start_us: int
    trace: str = ""

    def state_hash(self) -> str:
        """The money state, as numbers."""
        parts = [str(self.world.table.state_hash())]
        parts += [str(desk.position.state_hash()) for desk in self.world.desks]
        parts += [f"{asset}={amount}" for asset, amount
                  in sorted(self.world.ledger.balances_e10.items())]
        return hashlib.blake2b(" ".join(parts).encode(), digest_size=16).hexdigest()


Script = Callable[[Ring], None]


def run_ring(seed: int, seconds: float, *, strategy: Strategy | None = None,
             script: Script | None = None, **told: Any) -> Ring:
    """Run bot and exchange for ``seconds`` of virtual time.

    ``script`` is called once trading can begin, to plan mischief with loop.call_later.
    """
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        with tempfile.TemporaryDirectory() as folder:
            return loop.run_until_complete(
                _run(loop, pathlib.Path(folder), seed, seconds, strategy, script, told))
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def _run(loop: VirtualLoop, folder: pathlib.Path, seed: int, seconds: float,
               strategy: Strategy | None, script: Script | None, told: dict[str, Any]) -> Ring:
    settings = Settings(**{"busy_poll": "off", **told.pop("bot", {})})
    venue = MemoryVenue(loop, ExchangeSettings(
        state_dir=folder / "exchange", seed=seed, symbols=settings.symbols, **told), seed)
    notes = Notes()
    instruments = await discover(PUBLIC, venue.connect, settings.symbols, 0, 0)
    journal = Journal(str(folder / "journal"), 1 << 20, b"ring")
    world = World(settings, instruments, venue.clock, notes, journal, 1)
    world.add_strategy(strategy or build_strategy(settings))
    witness = Witness()
    world.engine.observers.append(witness)
    gate = venue.face.gate
    tokens = TokenSource(venue, REST, Secret(gate.api_key), Secret(gate.api_secret), venue.clock)
    session = Session(world, tokens.fetch, settings.loop_interval_us, settings.order_deadline_us)
    ring = Ring(world, session, venue, witness, notes, venue.clock.now_us())
    links = _links(session, venue, seed)
    if script is not None:
        script(ring)
    try:
        await session.run(seconds)
    finally:
        for link, task in links:
            link.stop()
            task.cancel()
        await asyncio.gather(*(task for _, task in links), return_exceptions=True)
        journal.close()
    ring.trace = venue.hash.hexdigest()
    return ring


def _links(session: Session, venue: MemoryVenue, seed: int) -> list[tuple[Link, Any]]:
    rng = random.Random(seed)
    public = Link(PUBLIC, rng, on_open=session.public_up, on_frame=session.public_frame,
                  on_close=session.public_down, connect=venue.connect,
                  clock_ns=venue.clock.mono_ns)
    private = Link(PRIVATE, rng, on_open=session.private_up, on_frame=session.private_frame,
                   on_close=session.private_down, prepare=session.private_prepare,
                   connect=venue.connect, clock_ns=venue.clock.mono_ns)
    return [(link, asyncio.ensure_future(link.run())) for link in (public, private)]
