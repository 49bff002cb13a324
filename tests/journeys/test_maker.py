"""The spread maker as its user meets it: a recorded run, its parity with a backtest, refusals."""

from __future__ import annotations

import json
import pathlib

import pytest

from journeys.bot import run, start, status, wait_condition

pytestmark = pytest.mark.usefixtures("nothing_stays")


def test_a_run_makes_a_market_and_the_backtest_explains_it(tmp_path: pathlib.Path) -> None:
    """On real sockets: quotes rest and are taken back; its recording gives its fills again."""
    done = run(tmp_path, "run", "--strategy", "spread_maker", "--duration", "3", "--json",
               "--set", "MAKER_EDGE_BPS=0.1", "--record", "market.raw")
    assert done.returncode == 0, done.stderr
    assert "frames of the market in market.raw" in done.stderr
    told = json.loads(done.stdout)
    figures = told["strategy"]["spread_maker"]
    assert figures["placed"] >= 2
    assert told["fills"] == figures["buys"] + figures["sells"]
    assert told["open_orders_at_exit"] == 0
    compared = run(tmp_path, "parity", "--market", "market.raw", "--json")
    assert compared.returncode == 0, compared.stderr
    found = json.loads(compared.stdout)
    assert found["venue"]["fills"] == told["fills"]
    assert found["orders"] == figures["placed"]
    assert all(pair["why"] for pair in found["pairs"] if pair["cause"] != "equal")
    again = run(tmp_path, "run", "--strategy", "spread_maker", "--duration", "5",
                "--record", "market.raw")
    assert again.returncode == 2
    assert "--record market.raw: something is there already" in again.stderr


def test_fees_that_the_widest_spread_cannot_pay_are_refused(tmp_path: pathlib.Path) -> None:
    done = run(tmp_path, "run", "--strategy", "spread_maker", "--duration", "5", "--fees",
               "kraken", "--set", "MAKER_HALF_SPREAD_MAX_BPS=20")
    assert done.returncode == 2, done.stdout
    assert "must stand 0.257 % away, more than the widest half spread of 20 bps" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_what_a_killed_run_recorded_is_compared_too(tmp_path: pathlib.Path) -> None:
    state = tmp_path / "hftbot-state"
    bot = start(tmp_path, "run", "--strategy", "spread_maker", "--set", "MAKER_EDGE_BPS=0.1",
                "--record", "market.raw", "--plain")
    wait_condition(lambda: status(state)["fills"] > 1)
    bot.kill()
    bot.wait()
    compared = run(tmp_path, "parity", "--market", "market.raw", "--json")
    assert compared.returncode == 0, compared.stderr
    found = json.loads(compared.stdout)
    assert found["orders"] > 1
    assert found["rows"] > 10
