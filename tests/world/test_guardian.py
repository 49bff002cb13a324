"""Bot, exchange and guardian in one process on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from hftbot.errors import Timeout
from hftbot.live.dead_man import SECOND_NS, DeadMan
from hftbot.live.guardian import CancelDoor, Guardian
from hftbot.venue.kraken import cancels, rules
from hftbot.words.events import OrderDone
from hftbot.words.market import Side
from hftbot.words.ports import Strategy
from hftbot.words.secret import Secret
from world.ring import REST, Notes, Ring, run_ring

LIMIT_S, SETTLE_S = 10.0, 5.0


class Rester(Strategy):
    """Keeps one order resting far below the market, and remembers when it placed one."""

    name = "rester"

    def __init__(self) -> None:
        super().__init__()
        self.placed: list[int] = []

    def on_book(self, book) -> None:
        if not self.desk.open_orders():
            self.rest()

    def rest(self) -> None:
        book = self.desk.book(0)
        handle = self.desk.place(0, Side.BUY, book.best_bid() - 500, 10_000, 0)
        if handle > 0:
            self.placed.append(handle)


class Eager(Rester):
    """Places the next order the moment that the last one is over."""

    def on_order(self, event) -> None:
        if type(event) is OrderDone:
            self.rest()


@dataclass
class Guarded:
    """A ring with a guardian that hears the session's timer."""

    ring: Ring
    guardian: Guardian
    dead_man: DeadMan
    notes: Notes
    told: list[tuple[str, str]] = field(default_factory=list)
    beating: bool = True
    ended_s: float = 0.0
    code: int = -1

    @property
    def face(self):
        return self.ring.venue.face

    @property
    def at_s(self) -> float:
        return self.ring.venue.loop.time()


def guarded(seconds: float, plan: Callable[[Guarded], None], http=None, strategy=None,
            own_key: bool = True) -> Guarded:
    found: list[Guarded] = []

    def script(ring: Ring) -> None:
        clock, gate = ring.venue.clock, ring.venue.face.gate
        key, secret = ((gate.guardian_key, gate.guardian_secret) if own_key
                       else (gate.api_key, gate.api_secret))
        nonce = [clock.now_us() * 1000]

        def nonces() -> int:
            nonce[0] += 1
            return nonce[0]
        told: list[tuple[str, str]] = []
        notes = Notes()
        dead_man = DeadMan(int(LIMIT_S * SECOND_NS), int(SETTLE_S * SECOND_NS), 0,
                           clock.mono_ns())
        door = CancelDoor(http(ring.venue) if http else ring.venue, REST, Secret(key),
                          Secret(secret), nonces)
        guardian = Guardian(door, dead_man, clock, notes,
                            lambda word, text: told.append((word, text)))
        case = Guarded(ring, guardian, dead_man, notes, told)
        found.append(case)

        def tick(now_us: int) -> None:
            if case.beating:
                guardian.hear(b"t")
        ring.session.on_tick = tick

        def ended(task: asyncio.Task[int]) -> None:
            if not task.cancelled():
                case.code, case.ended_s = task.result(), case.at_s
        work = asyncio.ensure_future(guardian.run())
        work.add_done_callback(ended)
        live = ring.session.run

        async def run(duration_s: float | None) -> None:
            try:
                await live(duration_s)
            finally:
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
        ring.session.run = run
        plan(case)
    run_ring(1, seconds, strategy=strategy or Rester(), script=script)
    return found[0]


def at(case: Guarded, second: float, what: Callable[[], object]) -> None:
    case.ring.venue.loop.call_later(second, what)


@pytest.mark.fault("V13")
def test_world_a_beating_bot_keeps_its_orders_for_five_minutes() -> None:
    seen: list[int] = []

    def plan(case: Guarded) -> None:
        for second in range(10, 300, 10):
            at(case, second, lambda: seen.append(len(case.face.desk.orders)))
    case = guarded(300, plan)
    assert seen == [1] * 29
    assert case.face.dead_man.fired == 0
    assert case.told.count(("beat", "")) > 1000
    assert 300 / 30 <= sum(word == "armed" for word, _ in case.told) <= 300 / 15


@pytest.mark.fault("P7", "V13")
def test_world_silence_cancels_everything_within_a_second_of_the_limit() -> None:
    open_at: dict[float, int] = {}

    def plan(case: Guarded) -> None:
        def freeze() -> None:
            case.beating = False
            # A bot that is stopped sees nothing and places nothing.
            case.ring.session.engine.stop()
        at(case, 30, freeze)
        for second in (30, 39, 41):
            at(case, second + 0.01, lambda second=second: open_at.update(
                {second: len(case.face.desk.orders)}))
    case = guarded(60, plan)
    assert open_at == {30: 1, 39: 1, 41: 0}
    assert case.code == 6
    assert case.ended_s < 30 + LIMIT_S + 1
    assert case.face.dead_man.due_us == 0
    assert any("proved: no order is open" in line for line in case.notes.lines)
    assert [word for word, _ in case.told if word == "fired"] == ["fired"]


@pytest.mark.fault("P7")
def test_world_a_guardian_that_dies_too_leaves_it_to_the_venues_switch() -> None:
    def plan(case: Guarded) -> None:
        def both_die() -> None:
            case.beating = False
            case.ring.session.engine.stop()
            for task in asyncio.all_tasks():
                if "Guardian.run" in repr(task.get_coro()):
                    task.cancel()
        at(case, 30, both_die)
        at(case, 79, lambda: case.told.append(("open", str(len(case.face.desk.orders)))))
        at(case, 91, lambda: case.told.append(("open", str(len(case.face.desk.orders)))))
    case = guarded(100, plan)
    assert [text for word, text in case.told if word == "open"] == ["1", "0"]
    assert case.face.dead_man.fired == 1


def test_world_goodbye_disarms_and_leaves_what_is_open() -> None:
    def plan(case: Guarded) -> None:
        def leave() -> None:
            case.beating = False
            case.guardian.hear(b"tg")
            case.guardian.lose()
        at(case, 30, leave)
        at(case, 59, lambda: case.told.append(("open", str(len(case.face.desk.orders)))))
    case = guarded(60, plan)
    assert case.code == 0
    assert case.ended_s < 30.1
    assert ("open", "1") in case.told
    assert case.face.dead_man.due_us == 0
    assert case.face.dead_man.fired == 0


class Moody:
    """A venue whose REST side answers late, breaks, or refuses; then recovers."""

    def __init__(self, venue, bad_from_s: float, bad_until_s: float, how: str) -> None:
        self.venue, self.how = venue, how
        self.bad = (bad_from_s, bad_until_s)
        self.paths: list[str] = []

    async def request(self, method, url, headers, body, deadline_s):
        self.paths.append(url.removeprefix(REST))
        if not self.bad[0] <= self.venue.loop.time() < self.bad[1]:
            return await self.venue.request(method, url, headers, body, deadline_s)
        if self.how == "hangs":
            await asyncio.sleep(deadline_s)
            raise Timeout("planted")
        if self.how == "lost answer":
            await self.venue.request(method, url, headers, body, deadline_s)
            raise Timeout("planted")
        if self.how.isdigit():
            return int(self.how), b"busy"
        if self.how == "not json":
            return 200, b"<html>"
        return 200, b'{"error":["%s"]}' % self.how.encode()


@pytest.mark.fault("P7", "K2")
@pytest.mark.parametrize("how", ["hangs", "lost answer", "503", "not json",
                                 "EAPI:Rate limit exceeded", "EService:Unavailable",
                                 "EAPI:Invalid nonce", "EGeneral:Permission denied"])
def test_world_whatever_the_venue_answers_it_goes_on_until_nothing_is_open(how: str) -> None:
    doors: list[Moody] = []

    def plan(case: Guarded) -> None:
        def die() -> None:
            case.beating = False
            case.ring.session.engine.stop()
            case.guardian.lose()
        at(case, 31, die)

    def http(venue):
        doors.append(Moody(venue, 30, 50, how))
        return doors[0]
    case = guarded(90, plan, http)
    assert case.code == 6
    assert not case.face.desk.orders
    assert case.ended_s < 50 + 6 + SETTLE_S
    assert set(doors[0].paths) <= cancels.ALLOWED
    # The venue's own limit for one key: 15 at once, and a third of one each second.
    assert len(doors[0].paths) <= 15 + 60 / 3


@pytest.mark.fault("V13")
def test_world_a_refresh_that_hangs_does_not_delay_the_cancel() -> None:
    def plan(case: Guarded) -> None:
        def die() -> None:
            case.beating = False
            case.ring.session.engine.stop()
            case.guardian.lose()
        at(case, 41, die)
        at(case, 41.5, lambda: case.told.append(("open", str(len(case.face.desk.orders)))))
    case = guarded(60, plan, lambda venue: Moody(venue, 39.9, 40.9, "hangs"))
    assert ("open", "0") in case.told


@pytest.mark.fault("V14")
@pytest.mark.parametrize("how", ["401", "EAPI:Invalid key", "EGeneral:Permission denied"])
def test_world_a_refused_refresh_is_told_at_once(how: str) -> None:
    case = guarded(60, lambda case: None, lambda venue: Moody(venue, 15, 1000, how))
    refused = [text for word, text in case.told if word == "refused"]
    assert refused
    assert how in refused[0]


def test_world_the_bots_own_key_does_as_well() -> None:
    def plan(case: Guarded) -> None:
        def die() -> None:
            case.beating = False
            case.ring.session.engine.stop()
            case.guardian.lose()
        at(case, 10, die)
    case = guarded(40, plan, own_key=False)
    assert case.code == 6
    assert not case.face.desk.orders


def test_world_an_order_on_its_way_when_the_bot_died_is_found() -> None:
    """It reaches the engine after CancelAll, within its own deadline."""
    def plan(case: Guarded) -> None:
        trader = []

        def die() -> None:
            case.beating = False
            case.ring.session.engine.stop()
            case.guardian.lose()

        def arrive() -> None:
            wire = next(wire for wire in case.ring.venue.wires
                        if wire.connection.kind == "private")
            token = case.ring.session._token.reveal()
            wire.send(b'{"method":"add_order","req_id":1,"params":{"order_type":"limit",'
                      b'"side":"buy","symbol":"BTC/USD","order_qty":0.001,"limit_price":50000,'
                      b'"cl_ord_id":"late","token":"' + token.encode() + b'"}}')
            trader.append(1)
        at(case, 10, die)
        at(case, 13, arrive)
        at(case, 14, lambda: case.told.append(("open", str(len(case.face.desk.orders)))))
    case = guarded(40, plan)
    assert ("open", "1") in case.told
    assert case.code == 6
    assert not case.face.desk.orders


def test_world_the_door_sends_nothing_but_its_three_requests() -> None:
    sent: list[str] = []

    class Port:
        async def request(self, method, url, headers, body, deadline_s):
            sent.append(url)
            return 200, b'{"error":[],"result":{"count":0}}'
    key, secret = Secret("key"), Secret("c2VjcmV0")
    door = CancelDoor(Port(), REST, key, secret, lambda: 1)
    for path in ("/0/private/AddOrder", "/0/private/AmendOrder", "/0/private/GetWebSocketsToken",
                 "/0/private/WithdrawFunds", "/0/private/CancelAll/../AddOrder", ""):
        with pytest.raises(PermissionError, match="does not send"):
            asyncio.run(door.send(rules.private_request(path, {}, key, secret, 1)))
    assert not sent
    assert asyncio.run(door.cancel_all()) == 0
    assert sent == [REST + cancels.ALL]
    assert {name for name in vars(CancelDoor) if not name.startswith("_")} == {
        "arm", "cancel_all", "open_orders", "send"}


@pytest.mark.fault("T2", "V13")
@pytest.mark.parametrize("kind", ["public", "private"])
def test_world_a_bot_that_was_stopped_places_nothing_before_it_reconciled(kind: str) -> None:
    """The clock jumps while frames wait: the first one of them must not bring an order."""
    strategy = Rester() if kind == "public" else Eager()
    record: list[tuple[str, int]] = []

    def plan(case: Guarded) -> None:
        session, venue = case.ring.session, case.ring.venue

        def stop_and_go() -> None:
            # Everything of ours is cancelled, then we are stopped, and wake up with a frame.
            case.face.cancel_everything(case.face.now_us)
            wire = next(wire for wire in venue.wires if wire.connection.kind == kind)
            jump_ns, before, deliver = 12 * SECOND_NS, venue.clock.mono_ns, wire.on_frame

            def wake(view: memoryview, padding: int, recv_ns: int) -> None:
                frame = bytes(view)
                if not (b"canceled" in frame if kind == "private" else
                        b'"book"' in frame and not strategy.desk.open_orders()):
                    deliver(view, padding, recv_ns)
                    return
                wire.on_frame = deliver
                venue.clock.mono_ns = lambda: before() + jump_ns
                record.append(("placed", len(strategy.placed)))
                deliver(view, padding, recv_ns + jump_ns)
            wire.on_frame = wake
        at(case, 10, stop_and_go)
        reconcile = session.reconciler.on_orders

        def reconciled(seen) -> None:
            record.append(("reconciled", len(strategy.placed)))
            reconcile(seen)
        session.reconciler.on_orders = reconciled
    case = guarded(20, plan, strategy=strategy)
    [at_jump] = [index for index, (word, _) in enumerate(record) if word == "placed"]
    assert record[at_jump + 1] == ("reconciled", record[at_jump][1])
    assert any("was stopped for" in line for line in case.ring.notes.lines)
    assert len(strategy.placed) > record[at_jump][1], "and then it trades again"


@pytest.mark.fault("V14")
def test_world_without_a_guardian_no_order_leaves_and_cancels_do() -> None:
    strategy, record = Rester(), []

    def plan(case: Guarded) -> None:
        session = case.ring.session

        def note() -> None:
            record.append((len(strategy.placed), len(case.face.desk.orders)))

        def lose() -> None:
            session.set_guarded(False)
            session.engine.cancel_everything()
            note()
        at(case, 10, lose)
        # A reconnect on the way must not open the door again.
        at(case, 12, lambda: session.doubt_everything("planted"))
        at(case, 20, note)
        at(case, 20.1, lambda: session.set_guarded(True))
        at(case, 22, note)
    guarded(25, plan, strategy=strategy)
    [(before, _), (without, open_without), (again, open_again)] = record
    assert without == before
    assert open_without == 0
    assert again > before
    assert open_again == 1
