"""Whose account a run goes on with: one that traded at other prices begins anew."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator

import pytest

from hftbot.app.options import FLATTEN, LIVETEST, RunOptions
from hftbot.app.venue import archive, other_market
from hftbot.config.schema import Settings
from hftbot.store.halt_file import Halt, HaltFile
from hftbot.store.state_dir import StateDir

DAY = "/data/day.npz"


@pytest.fixture
def state(tmp_path: pathlib.Path) -> Iterator[StateDir]:
    with StateDir(tmp_path / "s") as state:
        state.exchange.mkdir(exist_ok=True)
        yield state


def traded(state: StateDir, mode: str, source: str) -> None:
    (state.exchange / "state.json").write_text(json.dumps({"mode": mode, "source": source}))


@pytest.mark.parametrize(("mode", "source", "replay", "anew"), [
    ("synthetic", "", None, False), ("replay", DAY, DAY, False), ("synthetic", "", DAY, True),
    ("replay", DAY, None, True), ("replay", DAY, "/data/night.npz", True),
    ("paper", "ws.kraken.com", DAY, False)])
def test_an_account_belongs_to_the_data_it_traded_on(state: StateDir, mode: str, source: str,
                                                     replay: str | None, anew: bool) -> None:
    traded(state, mode, source)
    said = other_market(Settings(), RunOptions(replay=replay), state)
    assert bool(said) is anew
    assert other_market(Settings(), RunOptions(replay=replay, job=LIVETEST), state) == said
    # What is held is closed where it is, whatever that is.
    assert other_market(Settings(), RunOptions(replay=replay, job=FLATTEN), state) == []
    if anew:
        assert f"traded on {source or 'the synthetic market'}: it and its journals" in said[0]
        archive(state)
        assert other_market(Settings(), RunOptions(replay=replay), state) == []


def test_an_account_with_a_halt_is_for_a_human_first(state: StateDir) -> None:
    traded(state, "synthetic", "")
    HaltFile(state.path).add(Halt(reason="killed", ts_us=1, account="sim:x", own=True))
    assert other_market(Settings(), RunOptions(replay=DAY), state) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"mode": "replay"}', "[" * 100_000])
def test_a_state_that_says_nothing_of_it_is_left_to_the_exchange(state: StateDir,
                                                                 text: str) -> None:
    (state.exchange / "state.json").write_text(text)
    assert other_market(Settings(), RunOptions(replay=DAY), state) == []
