"""A plan of faults over real sockets: ``hftbot run --faults seed:N``."""

from __future__ import annotations

import json
import pathlib

import pytest

from hftbot.exchange.faults import draw, plan_of
from journeys.bot import clean_up, run, stop_exchange


@pytest.fixture(autouse=True)
def _nothing_stays(tmp_path: pathlib.Path):
    yield
    clean_up()
    stop_exchange(tmp_path / "hftbot-state")


@pytest.mark.fault("W6", "W7")
@pytest.mark.law(12)
def test_run_under_a_plan_says_so_and_ends_in_order(tmp_path: pathlib.Path) -> None:
    """Seed 3 hangs up the trading link first: it is told, survived, and nothing stays open."""
    first = draw(3, 60_000_000)[0]
    assert (first.what, first.detail) == ("hang_up", "private")
    done = run(tmp_path, "run", "--profile", "hft", "--faults", "seed:3", "--duration", "8",
               "--json")
    assert done.returncode == 0, done.stderr
    assert "faulty on purpose: seed:3" in done.stderr
    assert json.loads(done.stdout)["open_orders_at_exit"] == 0
    state = tmp_path / "hftbot-state"
    assert f"fault: {first}" in (state / "exchange.log").read_text()
    assert "trading link lost" in (state / "bot_hft.log").read_text()


@pytest.mark.parametrize(("arguments", "words"), [
    (("--faults", "7"), "expected seed:N"), (("--faults", "seed:-1"), "expected seed:N"),
    (("--faults", "seed:1", "--exchange", "http://127.0.0.1:1"), "exclude each other")])
def test_plan_that_cannot_be_is_refused(tmp_path: pathlib.Path, arguments: tuple[str, ...],
                                        words: str) -> None:
    done = run(tmp_path, "run", "--profile", "hft", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_plan_of_minutes_begins_with_the_seeds_own() -> None:
    plan = plan_of(5, 3)
    own = draw(5, 60_000_000)
    assert plan[:len(own)] == own
    assert plan[-1].at_us > 60_000_000
