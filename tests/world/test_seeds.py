"""Bot and exchange under plans of faults drawn from seeds, with the laws on."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from hftbot.exchange.faults import draw, parse
from world.trial import SECONDS, try_seed

HERE = pathlib.Path(__file__).parent
SEEDS = int(os.environ.get("HFTBOT_SEEDS", "500"))
FIRST = 1_000
MESSAGES_A_SECOND = 50
CHUNK = 10


def kept_seeds() -> list[int]:
    """Seeds that failed once: they are tried for ever."""
    lines = (HERE / "seeds.txt").read_text().splitlines()
    return [int(line.split("#")[0]) for line in lines if line.split("#")[0].strip()]


@pytest.mark.fault("W7", "V2")
@pytest.mark.law(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
@pytest.mark.parametrize("seed", [*range(1, 7), *kept_seeds()])
def test_seed_keeps_the_laws(seed: int) -> None:
    trial = try_seed(seed)
    assert not trial.broken, trial.text()
    assert trial.watch.events > SECONDS * MESSAGES_A_SECOND


def tried(first: int) -> tuple[int, int, float, list[str]]:
    """A chunk of seeds in a process of its own: seeds, events, CPU seconds, what broke."""
    events, broken = 0, []
    started_s = time.process_time()
    for seed in range(first, first + CHUNK):
        trial = try_seed(seed)
        events += trial.watch.events
        if trial.broken:
            broken.append(trial.text())
    return CHUNK, events, time.process_time() - started_s, broken


@pytest.mark.long
@pytest.mark.timeout(SEEDS * 4 + 120)
def test_many_seeds_keep_the_laws() -> None:
    """HFTBOT_SEEDS runs of a virtual minute each, over all processors."""
    firsts = range(FIRST, FIRST + SEEDS, CHUNK)
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        results = list(pool.map(tried, firsts))
    seeds, events, cpu_s = (sum(result[part] for result in results) for part in range(3))
    broken = [text for result in results for text in result[3]]
    print(f"seeds: {seeds} x {SECONDS:.0f} s, {events:,} events, {events / cpu_s:,.0f} a CPU "
          f"second, {len(broken)} broke a law")
    assert not broken, "\n".join(broken[:5])


def test_plan_is_the_same_for_a_seed_and_readable() -> None:
    plan = draw(7, 60_000_000)
    assert plan == draw(7, 60_000_000) != draw(8, 60_000_000)
    assert all(fault.at_us >= 5_000_000 for fault in plan)
    assert [fault.at_us for fault in plan] == sorted(fault.at_us for fault in plan)
    assert all(str(fault).split(" s ")[0] for fault in plan)
    assert parse("seed:12") == 12


def test_a_failing_seed_says_how_to_replay_it() -> None:
    """The line that is printed works as it stands."""
    line = try_seed(4, 10.0).text().splitlines()[0]
    words = line.removeprefix("replay: ").split()
    assert words[0] == "PYTHONPATH=tests"
    assert words[1] == "python"
    root = HERE.parent.parent
    done = subprocess.run([sys.executable, *words[2:]], cwd=root, text=True, timeout=100,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(
                              ["tests", *os.environ.get("PYTHONPATH", "").split(os.pathsep)])},
                          capture_output=True)
    assert done.returncode == 0, done.stderr
    assert line in done.stdout
    assert "events" in done.stdout
