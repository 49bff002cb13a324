"""The spread maker as its user meets it: a run that rests, is filled and ends with nothing open."""

from __future__ import annotations

import json
import pathlib

import pytest

from journeys.bot import clean_up, run, stop_exchange


@pytest.fixture(autouse=True)
def _no_process_stays(tmp_path):
    yield
    clean_up()
    stop_exchange(tmp_path / "hftbot-state")


def test_a_run_makes_a_market_and_takes_its_quotes_back(tmp_path: pathlib.Path) -> None:
    done = run(tmp_path, "run", "--strategy", "spread_maker", "--duration", "4", "--json",
               "--set", "MAKER_EDGE_BPS=0.2")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    figures = told["strategy"]["spread_maker"]
    assert figures["placed"] >= 2
    assert told["fills"] == figures["buys"] + figures["sells"]
    assert told["open_orders_at_exit"] == 0


def test_fees_that_the_widest_spread_cannot_pay_are_refused(tmp_path: pathlib.Path) -> None:
    done = run(tmp_path, "run", "--strategy", "spread_maker", "--duration", "5", "--fees",
               "kraken", "--set", "MAKER_HALF_SPREAD_MAX_BPS=20")
    assert done.returncode == 2, done.stdout
    assert "must stand 0.257 % away, more than the widest half spread of 20 bps" in done.stderr
    assert "Traceback" not in done.stderr
