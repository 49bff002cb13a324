"""wire.link: reconnects, backs off, watches for silence, keeps within the venue's limit."""

from __future__ import annotations

import asyncio
import random

import pytest
from canned_ws import Client, run, serving

from hftbot.errors import Denied, Disconnected, TransportError, VenueReject
from hftbot.wire.link import Backoff, ConnectBudget, Link


class Zero:
    """A Rng whose jitter is always nothing."""

    def random(self):
        return 0.0

    def getrandbits(self, k):
        return 0

    def randrange(self, start, stop):
        return start


class FakeWire:
    def __init__(self, on_close, clock_ns=lambda: 0):
        self.last_recv_ns = clock_ns()
        self.close_code = 0
        self.failure = None
        self.sent = []
        self.on_close = on_close

    def send(self, frame):
        self.sent.append(bytes(frame))

    def close(self, reason="closed by us", *, abort=False):
        self.close_code = self.close_code or 1006
        self.on_close(reason)


class FakeConnect:
    """Wires on demand; ``plan`` says what each attempt does."""

    def __init__(self, plan):
        self.plan = list(plan)
        self.wires = []
        self.times = []

    async def __call__(self, url, on_frame, on_close):
        self.times.append(asyncio.get_running_loop().time())
        step = self.plan.pop(0) if self.plan else "stay"
        if isinstance(step, Exception):
            raise step
        wire = FakeWire(on_close)
        self.wires.append(wire)
        if step == "drop":
            asyncio.get_running_loop().call_soon(wire.close, "dropped")
        elif isinstance(step, int):
            wire.close_code = step
            asyncio.get_running_loop().call_soon(wire.close, f"peer closed: {step}")
        return wire


def link_of(connect, client, **keys):
    opened = []
    keys.setdefault("clock_ns", lambda: 0)
    link = Link("ws://127.0.0.1:1/", Zero(), on_open=opened.append, on_frame=client.on_frame,
                on_close=client.on_close, connect=connect, **keys)
    return link, opened


@pytest.mark.fault("W10")
def test_it_reconnects_after_drops_and_failed_attempts():
    async def main():
        client = Client()
        connect = FakeConnect(["drop", Disconnected("refused"), "drop", "stay"])
        link, opened = link_of(connect, client)
        task = asyncio.create_task(link.run())
        await client.until(lambda: len(client.reasons) == 3)
        while link.state != "open":
            await asyncio.sleep(0)
        assert client.reasons == ["dropped", "refused", "dropped"]
        assert len(opened) == 3
        assert link.attempts == 4
        link.send(b"hello")
        assert connect.wires[-1].sent == [b"hello"]
        link.stop()
        await task
        assert client.reasons[-1] == "stopped"
        assert link.state == "closed"
        with pytest.raises(Disconnected):
            link.send(b"late")
    run(main())


def test_stop_ends_a_link_that_is_waiting():
    async def main():
        client = Client()
        link, _ = link_of(FakeConnect([Disconnected("no")] * 9), client,
                          backoff=Backoff(random.Random(1), first_s=3600.0, cap_s=3600.0))
        task = asyncio.create_task(link.run())
        await client.until(lambda: bool(client.reasons))
        link.stop()
        await task
        assert link.attempts == 1
    run(main())


@pytest.mark.fault("W3")
def test_silence_closes_and_reconnects():
    async def main():
        async def handler(_request, socket):
            await socket.send_str("one frame, then nothing")
            await socket.receive()

        client = Client()
        async with serving(handler) as url:
            link = Link(url, Zero(), on_open=lambda wire: None, on_frame=client.on_frame,
                        on_close=client.on_close, silence_s=0.05)
            task = asyncio.create_task(link.run())
            await client.until(lambda: len(client.frames) == 2)
            assert "silent" in client.reasons[0]
            assert link.silences == 1
            link.stop()
            await task
    run(main())


def test_frames_reset_the_silence(monkeypatch):
    """On a clock of its own: ten checks with a frame before each, then one without."""
    now_ns, checks = [0], []
    client, sleep = Client(), asyncio.sleep
    connect = FakeConnect(["stay"])
    link, _ = link_of(connect, client, clock_ns=lambda: now_ns[0], silence_s=5.0)

    async def passing(delay_s):
        checks.append(delay_s)
        now_ns[0] += 4_900_000_000 if len(checks) <= 10 else 5_000_000_000
        if len(checks) <= 10:
            connect.wires[0].last_recv_ns = now_ns[0] - 1
        await sleep(0)

    async def main():
        monkeypatch.setattr(asyncio, "sleep", passing)
        task = asyncio.create_task(link.run())
        assert "silent" in await client.gone()
        link.stop()
        await task
    run(main())
    assert len(checks) == 11


def test_a_policy_violation_is_not_retried():
    async def main():
        client = Client()
        link, _ = link_of(FakeConnect([1008]), client)
        with pytest.raises(Denied, match="policy"):
            await link.run()
        assert link.attempts == 1
        assert client.reasons == ["peer closed: 1008"]
    run(main())


def test_a_defect_in_the_frame_handler_ends_the_link():
    async def main():
        async def handler(_request, socket):
            await socket.send_str("x")
            await socket.receive()

        def broken(_view, _padding, _recv_ns):
            raise ZeroDivisionError("defect")

        async with serving(handler) as url:
            link = Link(url, Zero(), on_open=lambda wire: None, on_frame=broken,
                        on_close=lambda reason: None)
            with pytest.raises(ZeroDivisionError):
                await link.run()
    run(main())


def test_prepare_may_fail_and_is_retried_unless_it_is_denied():
    async def main():
        client = Client()
        answers = [TransportError("no route"), VenueReject("busy"), Denied("EAPI:Invalid key")]

        async def prepare():
            raise answers.pop(0)

        link, opened = link_of(FakeConnect([]), client, prepare=prepare)
        with pytest.raises(Denied, match="Invalid key"):
            await link.run()
        assert client.reasons == ["no route", "busy"]
        assert opened == []
        assert link.attempts == 0
    run(main())


def test_cancelling_closes_the_wire():
    async def main():
        client = Client()
        connect = FakeConnect(["stay"])
        link, _ = link_of(connect, client)
        task = asyncio.create_task(link.run())
        while link.state != "open":
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert connect.wires[0].close_code == 1006
    run(main())


@pytest.mark.fault("W6")
def test_backoff_is_full_jitter_below_a_doubling_ceiling():
    backoff = Backoff(random.Random(7), first_s=0.5, cap_s=8.0)
    assert backoff.next_s() == 0.0
    for failures in range(1, 60):
        backoff.failures = failures
        ceiling = min(8.0, 0.5 * 2 ** (failures - 1))
        waits = [backoff.next_s() for _ in range(200)]
        assert 0 <= min(waits) < 0.1 * ceiling
        assert 0.9 * ceiling < max(waits) <= ceiling


@pytest.mark.fault("W6")
def test_the_budget_allows_150_attempts_in_any_ten_minutes():
    budget = ConnectBudget()
    now_s, taken = 1000.0, []
    for _ in range(500):
        now_s += budget.wait_s(now_s)
        budget.take(now_s)
        taken.append(now_s)
        now_s += 0.01
    for first, later in zip(taken, taken[150:], strict=False):
        assert later - first >= 600.0
    assert budget.wait_s(now_s + 600) == 0.0


def test_links_share_a_budget():
    async def main():
        client = Client()
        budget = ConnectBudget(limit=3, window_s=3600.0)
        first, _ = link_of(FakeConnect([Disconnected("no")] * 9), client, budget=budget)
        task = asyncio.create_task(first.run())
        await client.until(lambda: len(client.reasons) == 3)
        await asyncio.sleep(0)
        assert first.state == "waiting"
        assert first.attempts == 3
        first.stop()
        await task
    run(main())


def test_a_connection_that_lived_resets_the_backoff():
    async def main():
        client = Client()
        link, _ = link_of(FakeConnect(["drop", "drop", "drop"]), client, stable_s=0.0)
        task = asyncio.create_task(link.run())
        await client.until(lambda: len(client.reasons) == 3)
        assert link.backoff.failures == 1
        link.stop()
        await task
    run(main())


def test_reconnect_drops_the_connection_and_comes_back():
    async def main():
        async def handler(_request, socket):
            await socket.send_str("hello")
            await socket.receive()

        client = Client()
        async with serving(handler) as url:
            link = Link(url, Zero(), on_open=lambda wire: None, on_frame=client.on_frame,
                        on_close=client.on_close)
            task = asyncio.create_task(link.run())
            await client.until(lambda: len(client.frames) == 1)
            while link.state != "open":
                await asyncio.sleep(0)
            link.reconnect("proxy restarting")
            await client.until(lambda: len(client.frames) == 2)
            assert client.reasons == ["proxy restarting"]
            link.stop()
            await task
    run(main())
