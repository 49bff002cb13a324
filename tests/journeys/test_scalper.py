"""The scalper as its user meets it: fees of the account, the seed's config.json, many markets."""

from __future__ import annotations

import json
import pathlib

import pytest

from journeys.bot import run

pytestmark = pytest.mark.usefixtures("nothing_stays")
BLOCK = {"fee_free_scalping": {
    "enabled": True, "profit_target": 0.002, "stop_loss": 0.001, "max_hold_time_seconds": 300,
    "rapid_fire_mode": True, "target_daily_trades": 100, "max_concurrent_positions": 10}}
TEN = ("BTC/USD,ETH/USD,SOL/USD,XRP/USD,ADA/USD,DOGE/USD,LTC/USD,DOT/USD,LINK/USD,EUR/USD")


def test_fees_are_the_account_s_own_and_stand_beside_base_fees(tmp_path: pathlib.Path) -> None:
    """A tier below base: asked from the venue, paid on fills, compared in banner and summary."""
    done = run(tmp_path, "run", "--profile", "hft", "--duration", "5", "--json", "--fees", "10m",
               "--symbols", "BTC/USD,ETH/USD", "--set", "PROFIT_TARGET_PCT=0.5")
    assert done.returncode == 0, done.stderr
    assert "the venue tells 0 % maker and 0.1 % taker" in done.stderr
    assert ("base fees  0.4 % + 0.4 % = 0.8 % a round trip: a target of 0.5 % would end at -0.3 %"
            in done.stderr)
    told = json.loads(done.stdout)
    assert told["fills"] > 0
    assert told["base_fees_usd"] == pytest.approx(4 * told["fees_usd"], rel=0.01)
    assert told["pnl_usd_at_base_fees"] == pytest.approx(
        told["pnl_usd"] + told["fees_usd"] - told["base_fees_usd"])
    assert "USD net would be left of the same trades at the venue's base fees" in done.stderr


@pytest.mark.long
def test_a_post_only_entry_may_pay_where_an_ioc_cannot(tmp_path: pathlib.Path) -> None:
    flags = ("run", "--profile", "hft", "--duration", "2", "--fees", "kraken", "--set",
             "PROFIT_TARGET_PCT=0.7")
    refused = run(tmp_path, *flags)
    assert refused.returncode == 2
    assert "or enter as a maker with ENTRY_ORDER=post_only, which pays 0.25 % + 0.4 % = 0.65 %" \
        in refused.stderr
    done = run(tmp_path, *flags, "--set", "ENTRY_ORDER=post_only")
    assert done.returncode == 0, done.stderr


@pytest.mark.long
def test_the_seed_s_block_runs_on_ten_markets(tmp_path: pathlib.Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(BLOCK, indent=4))
    done = run(tmp_path, "run", "--config", "config.json", "--symbols", TEN, "--duration", "15",
               "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["strategy"]["micro_scalper"]
    assert 2 <= told["pace"]["opened_day"] <= 8
    assert told["pace"]["target_day"] == 100
    assert told["open_positions"] + told["trades"] >= 2
    assert told["orders_most"] <= 5
