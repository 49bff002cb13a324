"""Row L7: hours of virtual time in one process; memory, tasks, descriptors and tables stay flat."""

from __future__ import annotations

import asyncio
import gc
import os
import pathlib
import statistics
import sys
from collections import deque
from dataclasses import dataclass
from typing import Any

import pytest

from fastcore.money.journal import Journal
from hftbot.app.strategies import build_strategy
from hftbot.config.schema import Settings
from hftbot.engine import ledger
from hftbot.exchange import history
from world import ring as rings
from world.ring import Ring
from world.tamper import GENEROUS, Tamper, Trader, play, wrong

SOAK_H = float(os.environ.get("HFTBOT_SOAK_H", "1"))
HOUR_S = 3600.0
SEEN_MAX = 1_000
PRICES_MAX = 1_000
TASKS_MAX = 10
KB_PER_H_MAX = 1024
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@dataclass(frozen=True)
class Sample:
    """What must not grow, at one moment."""

    at_s: float
    anonymous_kb: int
    tasks: int
    descriptors: int
    rows: int
    seen: int
    objects: int


class FewPrices(dict[int, str]):
    """The exchange's cache of price texts, whose own bound no hour of this market reaches."""

    def __setitem__(self, ticks: int, text: str) -> None:
        if len(self) >= PRICES_MAX:
            self.clear()
        super().__setitem__(ticks, text)


class CountedEnds(list[tuple[int, int]]):
    """How many orders ended; remembers the last ones only."""

    count = 0

    def append(self, end: tuple[int, int]) -> None:
        assert end[0] not in [client_id for client_id, _ in self]
        self.count += 1
        super().append(end)
        del self[:-50]


def sample(ring: Ring) -> Sample:
    gc.collect()
    memory = pathlib.Path("/proc/self/status").read_text()
    anonymous = next(line for line in memory.splitlines() if line.startswith("RssAnon"))
    return Sample(ring.venue.loop.time(), int(anonymous.split()[1]),
                  len(asyncio.all_tasks(ring.venue.loop)), len(os.listdir("/proc/self/fd")),
                  ring.world.table.used, len(ring.world.ledger._seen), len(gc.get_objects()))


def soaked(monkeypatch: pytest.MonkeyPatch, seconds: float,
           every_s: float) -> tuple[Ring, Tamper, list[Sample]]:
    """Two strategies trade; each link is cut now and then; the samples, in order.

    The bound of caches that have one is lowered, so that what still grows is a leak.
    What the test itself remembers is bounded too.
    """
    samples: list[Sample] = []
    journal_bytes = (4 << 20) + round(seconds * 4096)
    monkeypatch.setattr(rings, "Journal", lambda path, size, header: Journal(
        path, journal_bytes, header))
    monkeypatch.setattr(ledger, "SEEN_MAX", SEEN_MAX)
    monkeypatch.setattr(history, "KEPT", 200)

    def plan(ring: Ring, tamper: Tamper) -> None:
        loop = ring.venue.loop
        ring.notes.lines = deque(maxlen=10)  # type: ignore[assignment]
        ring.venue.face.texts[0].prices = FewPrices()
        ring.witness.ends = CountedEnds()
        ring.world.add_strategy(build_strategy(Settings()))

        def look() -> None:
            del tamper.sent[:-10], ring.witness.fills[:-10]
            samples.append(sample(ring))
            loop.call_later(every_s, look)

        def cut(kind: str, other: str) -> None:
            tamper.cut(kind)
            del tamper._known[:-4]
            if loop.time() < seconds - 4 * every_s:
                loop.call_later(every_s / 2, cut, other, kind)
        loop.call_later(every_s, look)
        # Never at the moment of a look: both links are up then.
        loop.call_later(every_s / 4, cut, "private", "public")
    ring, tamper = play(seconds, Trader(gap_us=1_000_000), plan, bot=GENEROUS)
    return ring, tamper, samples


def flat(samples: list[Sample], **bounds: int) -> None:
    """After the first quarter nothing grows; a bounded thing stays in its bound."""
    warm = samples[len(samples) // 4:]
    assert len(warm) >= 3
    assert len({one.descriptors for one in warm}) == 1, [one.descriptors for one in warm]
    # A link that waits for its next attempt has a task less or more than one that is up.
    assert max(one.tasks for one in warm) <= TASKS_MAX
    half = len(warm) // 2
    assert max(o.tasks for o in warm[half:]) <= max(o.tasks for o in warm[:half])
    for name, most in bounds.items():
        assert max(getattr(one, name) for one in samples) <= most, name


def sound(ring: Ring, tamper: Tamper) -> None:
    assert ring.session.stop_reason == "duration reached"
    assert ring.world.guard.state == 0
    assert isinstance(ring.witness.ends, CountedEnds)
    assert ring.world.router.orders_sent == ring.witness.ends.count
    assert ring.world.ledger.fills == ring.venue.face.desk.counts["fills"]
    # The lists of orders and fills are cut short by the test: what is said of money counts.
    assert [problem for problem in wrong(ring, tamper)
            if " orders, " not in problem and " fills, " not in problem] == []


@linux
@pytest.mark.long
def test_soak_five_minutes_of_cut_links_leave_nothing_behind(
        monkeypatch: pytest.MonkeyPatch) -> None:
    ring, tamper, samples = soaked(monkeypatch, 300.0, 20.0)
    assert len(samples) >= 14
    assert len([one for one in samples if one.at_s > 220]) >= 3, "the last cuts are mended"
    flat(samples, rows=200, seen=SEEN_MAX)
    sound(ring, tamper)
    assert ring.world.ledger.fills > 100


@linux
@pytest.mark.long
@pytest.mark.law(8, 12)
@pytest.mark.timeout(300 + 120 * SOAK_H)
def test_soak_for_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """HFTBOT_SOAK_H virtual hours (1; 24 in the long run): under 1 MB an hour after warming up."""
    ring, tamper, samples = soaked(monkeypatch, SOAK_H * HOUR_S, 60.0)
    warm = samples[max(10, len(samples) // 4):]

    def per_hour(name: str) -> float:
        line: Any = statistics.linear_regression([one.at_s for one in warm],
                                                 [getattr(one, name) for one in warm])
        return float(line.slope) * HOUR_S
    print(f"{SOAK_H:g} h, {ring.venue.frames} frames, {ring.world.ledger.fills} fills: "
          f"{per_hour('anonymous_kb'):+.0f} KB and {per_hour('objects'):+.0f} objects an hour, "
          f"{warm[-1].tasks} tasks, {warm[-1].descriptors} descriptors, at most "
          f"{max(one.rows for one in samples)} rows")
    flat(samples, rows=200, seen=SEEN_MAX)
    assert samples[-1].seen == SEEN_MAX, "more fills than are remembered"
    assert per_hour("anonymous_kb") < KB_PER_H_MAX
    sound(ring, tamper)
