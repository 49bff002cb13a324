"""Kills a bot in the middle of a Ring and starts another one on the same exchange."""

from __future__ import annotations

import asyncio
import json
import pathlib
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastcore.codec.text import client_id_parse
from fastcore.lane.desk import KIND_ORDER
from fastcore.money.journal import Journal
from hftbot.config.schema import Settings
from hftbot.engine.recover import Carried, Replay, carry, row_records, state_hash
from hftbot.exchange.settings import ExchangeSettings
from hftbot.live.connect import TokenSource, discover
from hftbot.live.session import Session
from hftbot.live.world import World
from hftbot.store.journal_reader import read_copy
from hftbot.words.ports import Strategy
from hftbot.words.secret import Secret
from world.ring import PUBLIC, REST, MemoryVenue, Notes, Ring, Witness, _links
from world.tamper import GENEROUS
from world.virtual_loop import VirtualLoop

WAYS = ("between frames", "before the order leaves", "after the order left", "deaf before it dies")
DEAF_S = 0.5


@dataclass
class Life:
    """One bot, from its start to its end or its kill."""

    ring: Ring
    journal: pathlib.Path
    carried: Carried | None
    rows: list[tuple[int, Sequence[int]]] = field(default_factory=list)
    error: BaseException | None = None


@dataclass
class Lives:
    """All bots on one exchange, in order."""

    venue: MemoryVenue
    all: list[Life] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)

    @property
    def last(self) -> Life:
        return self.all[-1]


def live_and_die(seed: int, deaths: int, strategy: Callable[[int], Strategy],
                 script: Callable[[Ring], None] = lambda ring: None, **told: Any) -> Lives:
    """``deaths`` bots are killed one after the other, the last one runs to its end."""
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        with tempfile.TemporaryDirectory() as folder:
            return loop.run_until_complete(_lives(loop, pathlib.Path(folder), seed, deaths,
                                                  strategy, script, told))
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def _lives(loop: VirtualLoop, folder: pathlib.Path, seed: int, deaths: int,
                 strategy: Callable[[int], Strategy], script: Callable[[Ring], None],
                 told: dict[str, Any]) -> Lives:
    chance = random.Random(seed)
    settings = Settings(**{"busy_poll": "off", **GENEROUS, **told.pop("bot", {})})
    venue = MemoryVenue(loop, ExchangeSettings(
        state_dir=folder / "exchange", seed=seed, symbols=settings.symbols, **told), seed)
    lives = Lives(venue)
    _listen(lives)
    for number in range(deaths + 1):
        killer = _Killer(chance, 0.0 if number else 1.0) if number < deaths else None
        life = await _live(venue, settings, folder, number + 1, lives, strategy(seed), killer,
                           script)
        lives.all.append(life)
        await asyncio.sleep(chance.choice([0.0, 0.3, 3.0, 40.0]))
    return lives


async def _live(venue: MemoryVenue, settings: Settings, folder: pathlib.Path, run: int,
                lives: Lives, strategy: Strategy, killer: _Killer | None,
                script: Callable[[Ring], None]) -> Life:
    instruments = await discover(PUBLIC, venue.connect, settings.symbols, 0, 0)
    symbols = [grid.symbol for grid in instruments]
    carried = None
    if lives.all:
        carried = carry(replay_of(lives.last), run - 1, symbols, instruments)
    path = folder / f"run-{run:05d}.journal"
    journal = Journal(str(path), 1 << 21, b"ring")
    world = World(settings, instruments, venue.clock, Notes(), journal, run)
    world.add_strategy(strategy)
    witness = Witness()
    world.engine.observers.append(witness)
    gate = venue.face.gate
    tokens = TokenSource(venue, REST, Secret(gate.api_key), Secret(gate.api_secret), venue.clock)
    session = Session(world, tokens.fetch, settings.loop_interval_us, settings.order_deadline_us,
                      carried)
    ring = Ring(world, session, venue, witness, world.notes, venue.clock.now_us())
    life = Life(ring, path, carried)
    links = _links(session, venue, run)
    script(ring)
    if killer is not None:
        killer.aim(life)
    try:
        await session.run(6.0 if killer is None else None)
    except Exception as error:
        life.error = error
    finally:
        for link, task in links:
            link.stop()
            task.cancel()
        await asyncio.gather(*(task for _, task in links), return_exceptions=True)
        journal.close()
        life.rows = list(row_records(read_copy(life.journal).rows()))
    return life


def _listen(lives: Lives) -> None:
    """Remember the cl_ord_id of every order that reaches the venue."""
    turn = lives.venue._turn
    known: list[Any] = []

    def hear() -> None:
        for wire in lives.venue.wires:
            if wire not in known:
                known.append(wire)
                _tap(wire, lives.sent)
        turn()
    lives.venue._turn = hear


def _tap(wire: Any, sent: list[str]) -> None:
    leave = wire.connection.on_text

    def on_text(text: str) -> None:
        message = json.loads(text)
        if message.get("method") == "add_order":
            sent.append(message["params"]["cl_ord_id"])
        leave(text)
    wire.connection.on_text = on_text


class _Killer:
    """Ends a bot at a random moment: nothing of it runs, sends or writes any more.

    Not before ``least_s``; 0 lets it die while it recovers.
    """

    def __init__(self, chance: random.Random, least_s: float) -> None:
        self.way = chance.choice(WAYS)
        self.after_s = least_s + chance.random() * 5.0
        self.nth = chance.randrange(1, 12)
        self.life: Life | None = None
        self.dead = False

    def aim(self, life: Life) -> None:
        self.life = life
        session, loop = life.ring.session, life.ring.venue.loop
        # Whoever trades too little to be hit on the way is hit between two frames.
        timed = self.way in (WAYS[0], WAYS[3])
        loop.call_later(self.after_s if timed else 15.0, self.kill)
        if self.way == WAYS[3]:
            loop.call_later(max(0.0, self.after_s - DEAF_S), self.deafen)
        if timed:
            return
        restore = session._restore_sight

        def restored() -> None:
            restore()
            send = session.engine.router._send
            if send is not None:
                session.engine.router.attach(lambda frame: self.pass_by(send, frame))
        session._restore_sight = restored

    def deafen(self) -> None:
        """Orders still leave, but their answers and fills are lost on the way."""
        if self.life is not None and not self.dead:
            for wire in self.life.ring.venue.wires:
                if wire.connection.kind == "private":
                    wire.on_frame = lambda *frame: None

    def pass_by(self, send: Callable[[Any], None], frame: Any) -> None:
        if self.dead:
            return
        if b'"add_order"' in bytes(frame):
            self.nth -= 1
        if self.nth > 0:
            send(frame)
            return
        if self.way == WAYS[2]:
            send(frame)
        self.kill()

    def kill(self) -> None:
        """As kill -9: the journal as it is now is all that stays."""
        if self.dead or self.life is None:
            return
        self.dead = True
        life = self.life
        left = life.journal.with_suffix(".left")
        shutil.copy(life.journal, left)
        life.journal = left
        session, venue = life.ring.session, life.ring.venue
        for wire in tuple(venue.wires):
            venue.wires.remove(wire)
            wire.connection.close()
        session._private = session._public = None
        session._send = lambda wire, frames: None
        session.engine.router.detach()
        session.engine.voices.clear()
        session.lose_venue("killed")


def replay_of(life: Life) -> Replay:
    """The state that the journal of a bot gives."""
    replay = Replay(len(life.ring.world.instruments))
    for kind, words in life.rows:
        replay.feed(kind, words)
    return replay


def disagreements(lives: Lives) -> list[str]:
    """What is wrong after the last bot has ended; empty if nothing is."""
    found = []
    last, face = lives.last.ring, lives.venue.face
    named: set[int] = set()
    for life in lives.all:
        replay = replay_of(life)
        if replay.mismatch or not replay.first:
            found.append(f"record {replay.mismatch} of a journal does not agree")
        named |= {words[0] for kind, words in life.rows if kind == KIND_ORDER}
    if len(lives.sent) != len(set(lives.sent)):
        found.append("an order was sent twice")
    unnamed = [name for name in lives.sent if client_id_parse(name) not in named]
    if unnamed:
        found.append(f"not in any journal: {unnamed}")
    for grid, position in zip(last.world.instruments, last.world.ledger.positions, strict=True):
        held = position.lots * grid.lot_units * 10**10 // 10**grid.qty_precision
        if held != face.account.balances[grid.base]:
            found.append(f"position {held}, the venue has {face.account.balances[grid.base]}")
    if face.desk.orders or last.session.open_at_exit != 0:
        found.append(f"open: {len(face.desk.orders)}, verified {last.session.open_at_exit}")
    if last.session.reconciler.report.differences:
        found.append(f"adopted without a fill: {last.session.reconciler.report.differences}")
    held_lots = sum(gate.exposure.open_lots(side) for gate in last.world.gates for side in (0, 1))
    if held_lots or last.world.account.open_orders:
        found.append("exposure is held after all is done")
    fates = last.session.reconciler.report.fates.values()
    if any(fate.state is None for fate in fates):
        found.append(f"not explained: {fates}")
    for life in lives.all:
        if life.error is not None:
            found.append(f"a bot failed: {life.error}")
    final = replay_of(lives.last)
    if final.state_hash() != state_hash(last.world.table, last.world.ledger.positions):
        found.append("the last journal does not give the last state")
    if not final.clean:
        found.append("the last journal does not end cleanly")
    return found
