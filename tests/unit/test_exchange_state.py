"""The embedded exchange's folder: state and history, whole after any death."""

import json

import pytest

from hftbot.errors import StoreError
from hftbot.exchange import state_file
from hftbot.exchange.accounts import Movement
from hftbot.exchange.history import History
from hftbot.exchange.state_file import StateFolder


def note(history, number):
    history.booked(Movement("USD", number, 0, number), f"L{number}", "T", "2026-01-01T00:00:00Z")


def ids(rows):
    return [row["ledger_id"] for row in rows]


@pytest.fixture
def folder(tmp_path):
    folder = StateFolder(tmp_path)
    yield folder
    folder.close(withdraw=False)


def test_rows_are_appended_and_read_back(folder):
    history = History()
    for number in range(3):
        note(history, number)
        folder.prepared({"version": 1}, history)()
    saved = folder.load()
    assert saved["history"] == {"number": 0, "rows": 3}
    assert ids(folder.history(saved)) == ["L0", "L1", "L2"]


def test_rows_that_the_state_does_not_know_of_are_not_seen(folder):
    history = History()
    note(history, 0)
    folder.prepared({"version": 1}, history)()
    note(history, 9)
    folder.append("history-0.jsonl", history.drain())
    saved = folder.load()
    assert ids(folder.history(saved)) == ["L0"]
    note(history, 1)
    folder.prepared({"version": 1}, history)()
    assert ids(folder.history(folder.load())) == ["L0", "L1"]


def test_a_long_file_is_written_anew(folder, monkeypatch):
    monkeypatch.setattr(state_file, "HISTORY_ROWS_MAX", 5)
    history = History()
    for number in range(8):
        note(history, number)
        folder.prepared({"version": 1}, history)()
    saved = folder.load()
    assert saved["history"]["number"] > 0
    assert ids(folder.history(saved)) == [f"L{number}" for number in range(8)]
    assert [path.name for path in sorted(folder.path.glob("history-*"))] == [
        f"history-{saved['history']['number']}.jsonl"]


def test_what_a_death_in_the_middle_of_that_left_is_not_read(folder, monkeypatch):
    monkeypatch.setattr(state_file, "HISTORY_ROWS_MAX", 2)
    history = History()
    note(history, 9)
    folder.append("history-1.jsonl", history.drain())
    history = History()
    for number in range(3):
        note(history, number)
        folder.prepared({"version": 1}, history)()
    saved = folder.load()
    assert saved["history"] == {"number": 1, "rows": 3}
    assert ids(folder.history(saved)) == ["L0", "L1", "L2"]


def test_a_state_without_history_and_a_broken_history(folder):
    assert folder.history({"version": 1}) == []
    (folder.path / "history-0.jsonl").write_text(json.dumps({"kind": "ledger"}) + "\n{\n")
    with pytest.raises(StoreError, match=r"history-0\.jsonl cannot be read"):
        folder.history({"history": {"number": 0, "rows": 2}})
