"""hftbot top without a terminal, and what it says of a bot that is gone."""

from __future__ import annotations

import json
import pathlib

import pytest

from hftbot.app import top
from hftbot.app.cli import main
from hftbot.watch.alarms import PROVED


def test_top_without_a_bot_says_how_to_start_one(tmp_path: pathlib.Path,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", "--state", str(tmp_path)]) == 1
    assert "start one with `hftbot run`" in capsys.readouterr().err


@pytest.mark.parametrize(("told", "said"), [
    ({"state": "stopped", "verified_none_open": True}, PROVED),
    ({"state": "stopped", "verified_none_open": False}, "orders may be open"),
    ({"state": "running", "pid": 4711}, "pid 4711 is gone without a word")])
def test_top_tells_how_the_bot_ended(tmp_path: pathlib.Path, told: dict[str, object],
                                     said: str) -> None:
    (tmp_path / "status.json").write_text(json.dumps(told))
    assert said in top._last_words(tmp_path)


def test_top_of_a_directory_that_was_taken_away(tmp_path: pathlib.Path) -> None:
    assert "it is gone" in top._last_words(tmp_path / "nowhere")


@pytest.mark.parametrize("term", ["", "dumb"])
def test_top_does_not_draw_on_a_terminal_without_a_cursor(monkeypatch: pytest.MonkeyPatch,
                                                          term: str) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert top.can_draw()
    monkeypatch.setenv("TERM", term)
    assert not top.can_draw()
