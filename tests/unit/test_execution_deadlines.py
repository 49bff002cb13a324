"""Time limits of the execution door's waits, on a loop whose time moves only when it must."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hftbot.execution.deadlines import SHARED_S_MAX, Deadlines
from world.virtual_loop import VirtualLoop

WAITS = st.lists(st.tuples(
    st.integers(0, 40), st.sampled_from([0.5, 1.0, 3.0, SHARED_S_MAX * 2]),
    st.none() | st.integers(0, 60)), min_size=1, max_size=30)


def on_virtual_time(work: Coroutine[Any, Any, Any]) -> Any:
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(work)
    finally:
        asyncio.set_event_loop(None)
        loop.close()


@given(WAITS)
def test_each_wait_ends_at_its_answer_or_at_its_limit(waits: list[Any]) -> None:
    """Tenths of a second: when it begins, how long it may last, when the answer comes."""
    async def one(deadlines: Deadlines, begins: int, limit_s: float,
                  answer: int | None) -> tuple[bool, float]:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(begins / 10)
        future: asyncio.Future[bool] = loop.create_future()
        if answer is not None:
            loop.call_later(answer / 10 + 0.05, lambda: future.done() or future.set_result(True))
        began_s = loop.time()
        return await deadlines.wait(future, limit_s), loop.time() - began_s

    async def work() -> list[tuple[bool, float]]:
        deadlines = Deadlines()
        return list(await asyncio.gather(*(one(deadlines, *each) for each in waits)))

    for (_, limit_s, answer), (answered, took_s) in zip(waits, on_virtual_time(work()),
                                                        strict=True):
        due_s = limit_s if answer is None else min(limit_s, answer / 10 + 0.05)
        assert answered is (answer is not None and answer / 10 + 0.05 < limit_s)
        assert abs(took_s - due_s) < 1e-6


def test_what_is_over_is_not_kept() -> None:
    async def work() -> None:
        deadlines = Deadlines()
        loop = asyncio.get_running_loop()
        for _ in range(500):
            future: asyncio.Future[bool] = loop.create_future()
            loop.call_soon(future.set_result, True)
            assert await deadlines.wait(future, 5.0)
            assert len(deadlines._waits[5.0]) == 1
        await asyncio.sleep(6.0)
        assert not deadlines._waits
    on_virtual_time(work())
