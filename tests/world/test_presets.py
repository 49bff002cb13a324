"""What the seeds tell people to run is never held up by a rule that means somebody else."""

from __future__ import annotations

import json
import pathlib

import pytest

from hftbot.app.load import Loaded, load
from hftbot.engine.breaker import CLOSED
from hftbot.engine.guard import ACTIVE
from world.ring import Ring, run_ring

# Rules that a preset must never meet. Position, gross and open orders may say no: they are sizes
# that the user chose.
FALSE = ("DENY_REPEATED_FILLS", "DENY_DUPLICATE", "DENY_MESSAGE_RATE", "DENY_ORDER_VALUE",
         "DENY_ORDER_LOTS", "DENY_STALE_BOOK", "DENY_STALE_REF", "DENY_BREAKER",
         "DENY_EXPIRED_INTENT", "DENY_PRICE_COLLAR", "DENY_PRICE_DRIFT", "DENY_VENUE_RATE")
# Seed 000's .env.hft as printed there, seed 003's config.json section, and the flags that the
# README's examples use; the copy trader and the batching maker of 002 and 004 come with their
# strategies, and their keys that exist already are tried on the scalper.
ENV_000 = ("LOOP_INTERVAL_MS=50\nQUOTE_REFRESH_TTL_MS=500\nMAKER_HALF_SPREAD=0.003\n"
           "TAKER_EDGE_THRESHOLD=0.01\nMAX_ORDERS_PER_MIN=100\nDRY_RUN=1\n")
ENV_002 = "TRADE_COOLDOWN_MS=10\nMAX_CONSECUTIVE_FAILURES=5\nORDER_SIZE_USD=10\n"
CONFIG_003 = {"fee_free_scalping": {
    "enabled": True, "rapid_fire_mode": True, "profit_target": 0.002, "stop_loss": 0.001,
    "max_hold_time_seconds": 300, "target_daily_trades": 100, "max_concurrent_positions": 10}}


def preset(name: str, folder: pathlib.Path) -> Loaded:
    """The settings of one seed, read as a user's files are."""
    if name == "000 printed":
        (folder / ".env").write_text(ENV_000)
    if name == "002":
        (folder / ".env").write_text(ENV_002)
    if name == "003":
        (folder / "config.json").write_text(json.dumps(CONFIG_003))
    return load(profile="hft" if name == "000 profile" else None,
                config=str(folder / "config.json") if name == "003" else None,
                environment={}, here=folder)


NAMES = ("plain", "000 profile", "000 printed", "002", "003")


def play(name: str, folder: pathlib.Path, seconds: float, seed: int, symbols: str,
         **changed: object) -> Ring:
    settings = preset(name, folder).settings
    told = {field: getattr(settings, field) for field in settings.__dataclass_fields__
            if field not in ("busy_poll", "symbols")}
    # On the account with the lowest limits.
    return run_ring(seed, seconds, bot={**told, "symbols": tuple(symbols.split(",")), **changed},
                    rate_tier="starter")


def judge(ring: Ring, entries: int) -> None:
    assert {rule: count for rule, count in ring.world.engine.rows.denials.items()
            if rule in FALSE} == {}
    assert ring.world.guard.state == ACTIVE, ring.world.guard.reason
    assert not ring.world.guard.sticky
    assert (ring.world.router.breaker.state, ring.world.router.breaker.trips) == (CLOSED, 0)
    assert ring.world.feed.contradictions == ring.world.feed.resyncs == 0
    # It did trade: a preset that is never heard of passes for nothing.
    assert ring.world.router.orders_sent >= entries
    assert ring.session.stop_reason == "duration reached"
    assert ring.session.open_at_exit == 0


@pytest.mark.parametrize("name", NAMES)
def test_preset_runs_three_minutes_without_a_false_denial(name: str, tmp_path) -> None:
    judge(play(name, tmp_path, 180.0, 1, "BTC/USD"), 3)


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("symbols", ["BTC/USD", "BTC/USD,ETH/USD"])
@pytest.mark.parametrize("name", NAMES)
def test_preset_runs_thirty_minutes_without_a_false_denial(name: str, symbols: str,
                                                           tmp_path) -> None:
    # Without its pace of eight trades an hour: the more orders, the more a rule could be false.
    judge(play(name, tmp_path, 1800.0, 2, symbols, target_daily_trades=0), 30)


def test_the_preset_of_seed_003_keeps_its_pace_and_its_word(tmp_path) -> None:
    """Two markets at once for two minutes: eight trades an hour at most, five orders at once,
    no position older than its limit, and every reason to leave has its name."""
    ring = play("003", tmp_path, 120.0, 3, "BTC/USD,ETH/USD", max_hold_us=30_000_000)
    judge(ring, 8)
    told = ring.world.engine.voices[0][0].statistics()
    assert 1 <= told["pace"]["opened_hour"] == told["pace"]["opened_day"] <= 8
    assert told["orders_most"] <= 5
    assert set(told["symbols"]) == {"BTC/USD", "ETH/USD"}
    assert sum(row["trades"] for row in told["symbols"].values()) == told["trades"] > 0
    assert sum(row["trades"] for row in told["exits_by"].values()) == told["trades"]
    assert "other" not in told["exits_by"]
    assert told["held_max_us"] <= 31_000_000
    assert told["late_orders"] == 0
    assert told["executions"]["order"]["p99_us"] < 100_000
