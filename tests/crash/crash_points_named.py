"""Death at each named place, then a second run: nothing is lost, doubled or sent twice."""

from __future__ import annotations

import os
import pathlib
import re
import signal
from collections.abc import Iterator

import pytest

from crash.scene import Scene
from hftbot.app.dying import MID_SEND
from hftbot.words import crash_points
from hftbot.words.crash_points import POINTS
from journeys import bot as program
from journeys.bot import DEADLINE_S, run, wait_condition

# Passed once a run, or at its end.
ONCE = ("mid_reconcile", "mid_recover")
AT_THE_END = ("during_drain", "after_cancel_all_before_verify")
EVERYDAY = ("after_send_before_ack",)
SEVERAL = [3, 11, 29][:int(os.environ.get("HFTBOT_PASSES", "3"))]
CASES = [(name, passes) for name in POINTS
         for passes in ([1] if name in ONCE + AT_THE_END else SEVERAL)]


@pytest.fixture
def scene(tmp_path: pathlib.Path) -> Iterator[Scene]:
    opened = Scene(tmp_path)
    yield opened
    opened.close()


def die_and_return(scene: Scene, name: str, passes: int) -> list[str]:
    """One death and one return; what does not agree afterwards."""
    if name == "mid_recover":
        # There is something to recover only after a death.
        first = scene.start("after_send_before_ack:5")
        first.communicate(timeout=DEADLINE_S)
    bot = scene.start(f"{name}:{passes}")
    if name in AT_THE_END:
        wait_condition(lambda: scene.traded(5))
        bot.send_signal(signal.SIGINT)
    _out, err = bot.communicate(timeout=DEADLINE_S)
    assert bot.returncode == -signal.SIGKILL, (bot.returncode, err)
    return scene.wrong(scene.again())


@pytest.mark.fault("P2")
@pytest.mark.law(1)
@pytest.mark.law(2)
@pytest.mark.parametrize("name", EVERYDAY)
def test_death_at_a_named_place(scene: Scene, name: str) -> None:
    assert die_and_return(scene, name, 7) == []


@pytest.mark.long
@pytest.mark.fault("P2")
@pytest.mark.law(3)
@pytest.mark.law(4)
@pytest.mark.parametrize(("name", "passes"), CASES)
def test_death_at_every_named_place(scene: Scene, name: str, passes: int) -> None:
    assert die_and_return(scene, name, passes) == []


@pytest.mark.parametrize(("text", "words"), [
    ("nowhere", "there is no such place"), ("mid_send:0", "whole number from 1"),
    ("mid_send:x", "whole number from 1")])
def test_a_place_that_is_none_is_refused(tmp_path, monkeypatch, text, words) -> None:
    told = program.environment()
    monkeypatch.setattr(program, "environment", lambda: {**told, "HFTBOT_CRASH_AT": text})
    done = run(tmp_path, "run", "--profile", "hft", "--duration", "1")
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_places_are_those_of_the_code() -> None:
    """A place that is added to the code is added to the names, and so to the deaths above."""
    source = pathlib.Path(crash_points.__file__).parents[1]
    found = {name or MID_SEND for path in source.rglob("*.py") if path.name != "crash_points.py"
             for name in re.findall(r'pass_by\((?:"(\w+)"|MID_SEND)\)', path.read_text())}
    assert found == set(POINTS)
