"""Row H3 with real processes: two state directories, one account."""

from __future__ import annotations

import json

import pytest

from journeys.bot import finish, run, sim, start, status, wait_condition

pytestmark = pytest.mark.usefixtures("nothing_stays")


@pytest.mark.fault("H3")
def test_two_bots_on_one_account_the_second_is_refused(tmp_path) -> None:
    venue = start(tmp_path, "exchange", "--state", "venue", "--json")
    url = json.loads(venue.stdout.readline())["rest_url"]
    bot = start(tmp_path, "run", "--profile", "hft", "--exchange", url)
    wait_condition(lambda: status(tmp_path / "hftbot-state")["pid"] == bot.pid)
    again = ("run", "--profile", "hft", "--exchange", url, "--duration", "1", "--state", "other")
    second = run(tmp_path, *again)
    assert second.returncode == 3
    assert "another bot trades on the account sim:" in second.stderr
    assert f"pid {bot.pid}" in second.stderr
    assert second.stderr.count("\n") == 1
    _, err = finish(bot)
    assert bot.returncode == 0, err
    after = run(tmp_path, *again)
    assert after.returncode == 0, after.stderr
    assert sim(url)["open_orders"] == 0
    finish(venue)
