"""An exchange that ends and comes back on its old port, under a bot that has an order out."""

from __future__ import annotations

import json
import signal

import pytest

from journeys.bot import RESTER, clean_up, finish, sim, start, wait_condition


@pytest.fixture(autouse=True)
def _no_process_stays():
    yield
    clean_up()


@pytest.mark.long
@pytest.mark.fault("W7")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_bot_goes_on_with_an_exchange_that_comes_back(tmp_path, number) -> None:
    """The order that rested is neither lost nor doubled, and the bot trades on by itself."""
    (tmp_path / "rester.py").write_text(RESTER)
    venue = start(tmp_path, "exchange", "--state", "venue", "--json")
    facts = json.loads(venue.stdout.readline())
    url = facts["rest_url"]
    bot = start(tmp_path, "run", "--exchange", url, "--strategy", "rester.py:Rester", "--plain")
    wait_condition(lambda: sim(url)["open_orders"] == 1)
    # The account is on disk every second.
    saved = tmp_path / "venue" / "exchange" / "state.json"
    wait_condition(lambda: json.loads(saved.read_text())["desk"]["orders"])
    venue.send_signal(number)
    venue.communicate()
    start(tmp_path, "exchange", "--state", "venue", "--port", url.rpartition(":")[2], "--json")
    wait_condition(lambda: sim(url)["runs"] == 2)
    wait_condition(lambda: sim(url)["connections"] == 2)
    assert sim(url)["open_orders"] == 1
    out, err = finish(bot)
    assert bot.returncode == 0, err
    assert "0 in doubt, 0 open at exit" in out
    assert sim(url)["open_orders"] == 0
