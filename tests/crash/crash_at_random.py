"""kill -9 at any moment, again and again on one account; then the truth."""

from __future__ import annotations

import os
import pathlib
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from crash.scene import Scene
from journeys.bot import DEADLINE_S, wait_condition

KILLS = int(os.environ.get("HFTBOT_KILLS", "10"))


def killed(scene: Scene, times: int, chance: random.Random) -> list[str]:
    """So many deaths of bots that trade, one after another; what does not agree at the end."""
    for _ in range(times):
        done = sum("trade" in line for line in scene.lines())
        bot = scene.start()
        more = chance.randrange(1, 25)
        wait_condition(lambda bot=bot, wanted=done + more: scene.traded(wanted)
                       or bot.poll() is not None)
        assert bot.poll() is None, bot.communicate()[1]
        bot.kill()
        bot.communicate(timeout=DEADLINE_S)
    return scene.wrong(scene.again())


@pytest.mark.fault("P1")
@pytest.mark.law(2)
@pytest.mark.law(3)
def test_kill_in_the_middle_of_trading(tmp_path: pathlib.Path) -> None:
    scene = Scene(tmp_path)
    try:
        assert killed(scene, 1, random.Random(1)) == []
    finally:
        scene.close()


@pytest.mark.long
@pytest.mark.timeout(KILLS * 20 + 60)
@pytest.mark.fault("P1")
def test_kill_many_times(tmp_path: pathlib.Path) -> None:
    """HFTBOT_KILLS deaths, ten on each account, two accounts at a time."""
    def account(number: int) -> list[str]:
        folder = tmp_path / str(number)
        folder.mkdir()
        scene = Scene(folder)
        try:
            return killed(scene, min(10, KILLS - 10 * number), random.Random(KILLS + number))
        finally:
            scene.close()

    with ThreadPoolExecutor(2) as pool:
        for wrong in pool.map(account, range(-(-KILLS // 10))):
            assert wrong == []
    print(f"kill -9: {KILLS} at random, 0 lost, 0 doubled, 0 sent twice")
