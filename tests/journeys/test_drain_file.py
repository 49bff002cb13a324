"""``touch DRAIN`` with real processes: everything cancelled, code 0, and the next start trades."""

from __future__ import annotations

import pytest

from journeys.bot import run, start, status, wait_condition

pytestmark = pytest.mark.usefixtures("nothing_stays")


def test_drain_file_ends_a_run_in_order_and_is_no_halt(tmp_path) -> None:
    state = tmp_path / "hftbot-state"
    bot = start(tmp_path, "run", "--profile", "hft")
    wait_condition(lambda: status(state)["pid"] == bot.pid and status(state)["orders_sent"] > 0)
    shown = run(tmp_path, "status").stdout
    assert "BTC/USD: " in shown
    assert "of 125 points (-2.34 a second, 31 kept for cancels)" in shown
    assert "tier intermediate; rest " in shown
    links = status(state)["links"]
    assert [links[name]["up"] for name in ("market", "trading")] == [True, True]
    assert all(0 <= links[name]["silent_s"] < 5 for name in links)
    (state / "DRAIN").touch()
    out, err = bot.communicate(timeout=60)
    assert bot.returncode == 0, err
    assert "drain file" in out
    assert not (state / "DRAIN").exists()
    assert status(state)["verified_none_open"] is True
    limits = status(state)["limits"]
    assert limits["trading"]["BTC/USD"]["max"] == 125
    assert limits["connections"]["used"] >= 2
    assert limits["rest"]["max"] == 19
    again = run(tmp_path, "run", "--profile", "hft", "--duration", "1")
    assert again.returncode == 0, again.stderr
