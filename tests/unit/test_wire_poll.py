"""wire.poll: spinning keeps the loop awake, and stops."""

from __future__ import annotations

import asyncio

import pytest
from canned_ws import run

from hftbot.errors import ConfigError
from hftbot.wire import poll


def turns(busy, count=50):
    """Loop turns during which it span, out of count."""
    async def main():
        note = busy.start()
        busy.touch(poll.mono_ns() + 60_000_000_000)
        spinning = 0
        for _ in range(count):
            await asyncio.sleep(0)
            spinning += busy.spinning
        busy.stop()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return note, spinning
    return run(main())


def test_off_never_spins():
    assert turns(poll.BusyPoll("off", 2)) == ("", 0)


@pytest.mark.parametrize("mode", ["on", "adaptive"])
def test_on_and_adaptive_spin(mode):
    assert turns(poll.BusyPoll(mode, 2)) == ("", 50)


def test_adaptive_sleeps_once_the_time_after_a_frame_is_over():
    async def main():
        busy = poll.BusyPoll("adaptive", 2)
        busy.start()
        busy.touch(poll.mono_ns() - poll.SPIN_NS)
        assert busy.spinning
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not busy.spinning
        busy.touch(poll.mono_ns() + 1_000_000_000)
        assert busy.spinning
        busy.stop()
    run(main())


@pytest.mark.parametrize("mode", ["on", "adaptive"])
def test_one_processor_refuses_to_spin_and_says_so(mode):
    busy = poll.BusyPoll(mode, 1)
    assert busy.mode == "off"
    note, spinning = turns(busy)
    assert mode in note
    assert "two processors" in note
    assert spinning == 0


def test_an_unknown_mode_is_refused():
    with pytest.raises(ConfigError, match="off, on, adaptive"):
        poll.BusyPoll("maybe")


def test_processors_is_at_least_one():
    assert poll.processors() >= 1
