"""Fifty symbols at depth 10, 5,000 messages a second: all accounted, at a quarter of a core.

HFTBOT_MANY_BOOKS_S seconds (60; 600 in the long run). The everyday test is the same for a moment,
without the bars of processor time and memory: those want a machine that is left alone.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest
from many_books_server import CYCLE

import fastcore

HERE = pathlib.Path(__file__).resolve().parent
# The children run what is tested here: the tree's own sources, or what was installed.
SOURCES = pathlib.Path(fastcore.__file__).resolve().parents[1]
BOOKS, RATE = 50, 5_000
SECONDS = float(os.environ.get("HFTBOT_MANY_BOOKS_S", "60"))
CORE_SHARE_MAX, MEMORY_KB_MAX, GROWTH_KB_MAX = 0.25, 100 * 1024, 5 * 1024
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def streamed(folder: pathlib.Path, count: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the venue and the bot say after ``count`` updates."""
    seconds = count / RATE
    path = os.pathsep.join((str(SOURCES), str(HERE.parent), str(HERE)))
    venue = subprocess.Popen(
        [sys.executable, str(HERE / "many_books_server.py"), str(RATE), str(count), str(BOOKS)],
        stdout=subprocess.PIPE, text=True)
    try:
        assert venue.stdout is not None
        port = int(venue.stdout.readline())
        done = subprocess.run(
            [sys.executable, str(HERE / "many_books_bot.py"), str(port), str(BOOKS),
             str(seconds), str(folder)], capture_output=True, text=True, check=False,
            timeout=120 + 6 * seconds, env={**os.environ, "PYTHONPATH": path})
        assert done.returncode == 0, done.stderr
        return json.loads(venue.stdout.readline()), json.loads(done.stdout)
    finally:
        venue.kill()
        venue.communicate()


def accounted(venue: dict[str, Any], bot: dict[str, Any], count: int) -> None:
    """Every frame was applied to its book, and every book woke somebody or is counted."""
    assert venue["sent"] == count
    assert bot["frames"] == count + BOOKS + 1, "with the snapshots and the last word"
    assert (bot["bad"], bot["resyncs"], bot["unknown"]) == (0, 0, 1)
    assert bot["wakes"] + bot["skipped"] == count + BOOKS
    assert bot["seen"] == bot["wakes"] > 0
    assert bot["crossed"] == 0
    assert bot["trusted"] == BOOKS
    assert bot["back_again"], "each book ends where it began"


@linux
@pytest.mark.law(8)
def test_many_books_every_frame_is_accounted(tmp_path: pathlib.Path) -> None:
    count = 2 * BOOKS * CYCLE
    venue, bot = streamed(tmp_path, count)
    accounted(venue, bot, count)


@linux
@pytest.mark.long
@pytest.mark.law(8)
@pytest.mark.timeout(8 * SECONDS + 180)
def test_many_books_for_long_at_a_quarter_of_a_core(tmp_path: pathlib.Path) -> None:
    """Memory is taken after a quarter of the time; from there it may not grow."""
    whole = BOOKS * CYCLE
    count = max(1, round(RATE * SECONDS / whole)) * whole
    venue, bot = streamed(tmp_path, count)
    accounted(venue, bot, count)
    share = bot["busy_s"] / bot["took_s"]
    memory = bot["memory_kb"]
    growth_kb = max(memory[len(memory) // 4:]) - memory[len(memory) // 4]
    late, frame = bot["loop_late_us"], bot["frame_us"]
    print(f"{BOOKS} books, {count} frames of {venue['frame_bytes']:.0f} bytes in "
          f"{venue['took_s']:.1f} s (venue at most {venue['behind_s'] * 1e3:.1f} ms behind): "
          f"{share:.1%} of a core, {bot['peak_kb'] / 1024:.1f} MB at most, {growth_kb} KB more "
          f"than after a quarter, {bot['skipped']} wakes skipped; a frame p50 "
          f"{frame['50']:.1f} us, p99 {frame['99']:.1f} us; loop late p50 "
          f"{late['50']:.0f} us, p99 {late['99']:.0f} us, most {bot['loop_late_most_us']:.0f} us")
    assert venue["took_s"] < 1.05 * count / RATE, "the rate was not held"
    assert share <= CORE_SHARE_MAX
    assert bot["peak_kb"] <= MEMORY_KB_MAX
    assert growth_kb < GROWTH_KB_MAX
