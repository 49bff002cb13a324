"""What a journey leaves behind: nothing, however it ended."""

from __future__ import annotations

import shutil

import pytest

from hftbot.store.state_dir import hot_folder
from journeys.bot import clean_up, stop_exchange


@pytest.fixture
def nothing_stays(tmp_path):
    """Afterwards ends the processes, the lingering exchange and the hot journal of a test."""
    yield
    clean_up()
    state = tmp_path / "hftbot-state"
    stop_exchange(state)
    hot = hot_folder(state)
    if hot is not None:
        shutil.rmtree(hot)
