"""The log file: stamps, levels, JSON, secrets, forged lines, full queues."""

from __future__ import annotations

import json
import logging
import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

from hftbot.errors import StoreError
from hftbot.watch import logs
from hftbot.words.secret import Secret

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} (DEBUG|INFO|WARN|ERROR) .*")
SEED_GREP = re.compile("(µs|latency|elapsed)")
KEY = "top+secret/key=="


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "bot_hft.log"


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    before = logging.getLogger().handlers[:]
    yield
    assert logging.getLogger().handlers == before


def written(path: pathlib.Path, **how: Any) -> list[str]:
    """What is in the file after one line of each level and a traceback."""
    log = logs.setup(path, **how)
    log.info("loop latency 12µs")
    log.warn(f"with {KEY}")
    log.error("bad")
    logging.getLogger("hftbot.wire").debug("detail %s", 1)
    try:
        raise ValueError(f"key {KEY}")
    except ValueError:
        logging.getLogger("elsewhere").exception("caught")
    logging.getLogger("elsewhere").info("chatter")
    log.close()
    log.close()
    return path.read_text(encoding="utf-8").splitlines()


def test_lines_have_microsecond_stamps_and_levels(path: pathlib.Path) -> None:
    lines = written(path)
    assert [line.split()[2] for line in lines if LINE.fullmatch(line)] == [
        "INFO", "WARN", "ERROR", "ERROR"]
    assert LINE.fullmatch(lines[0])
    assert SEED_GREP.search(lines[0])
    assert not any("chatter" in line for line in lines)
    assert path.stat().st_mode & 0o777 == 0o600


def test_levels_are_kept_as_asked(path: pathlib.Path) -> None:
    assert any("detail 1" in line for line in written(path, level="debug"))
    path.unlink()
    assert not any("latency" in line for line in written(path, level="error"))


@pytest.mark.fault("S1")
@pytest.mark.law(10)
def test_secrets_are_taken_out_of_text_and_tracebacks(path: pathlib.Path) -> None:
    content = "\n".join(written(path, secrets=[Secret(KEY)]))
    assert KEY not in content
    assert "with ***" in content
    assert "ValueError: key ***" in content


def test_json_lines(path: pathlib.Path) -> None:
    lines = [json.loads(line) for line in written(path, json_lines=True, secrets=[Secret(KEY)])]
    assert [line["level"] for line in lines] == ["INFO", "WARN", "ERROR", "ERROR"]
    assert lines[0]["message"] == "loop latency 12µs"
    assert lines[1]["message"] == "with ***"
    assert "ValueError: key ***" in lines[3]["traceback"]
    assert lines[0]["time"] == logs.stamp(lines[0]["ts_us"])
    assert all(set(line) >= {"ts_us", "time", "level", "logger", "message"} for line in lines)


def test_a_message_cannot_forge_a_line(path: pathlib.Path) -> None:
    log = logs.setup(path)
    log.info("venue says\n2026-01-01 00:00:00.000000 ERROR forged\x1b[2J\r\x00")
    log.close()
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("    2026-01-01")
    assert "\x1b" not in lines[1]


def test_a_secret_that_becomes_known_later(path: pathlib.Path) -> None:
    log = logs.setup(path)
    log.redactor.add(Secret("session-token"))
    log.info("got session-token")
    log.close()
    assert "got ***" in path.read_text()


def test_percent_signs_and_strange_text_are_harmless(path: pathlib.Path,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    # What pytest captures it may have to send to another process, as UTF-8.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    log = logs.setup(path)
    log.info("100 %s %d \ud800")
    log.close()
    assert r"100 %s %d \ud800" in path.read_text(encoding="utf-8")


@pytest.mark.law(8)
def test_a_full_queue_drops_lines_and_says_so(path: pathlib.Path,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "QUEUE_MAX", 3)
    log = logs.setup(path)
    log._listener.stop()
    for number in range(10):
        log.info(f"line {number}")
    assert log.dropped == 7
    log._listener.start()
    log._listener.queue.join()
    log.close()
    assert "log overflow: 7 lines were dropped" in path.read_text()


def test_appends_to_what_was_there(path: pathlib.Path) -> None:
    for text in ("first", "second"):
        log = logs.setup(path)
        log.info(text)
        log.close()
    assert [line.split()[-1] for line in path.read_text().splitlines()] == ["first", "second"]


def test_a_log_that_cannot_be_written_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="cannot write the log"):
        logs.setup(tmp_path / "file" / "bot_hft.log")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError, match="cannot write the log"):
        logs.setup(tmp_path / "pipe")


@pytest.mark.parametrize(("ts_us", "text"), [
    (1_700_000_000_123_456, "2023-11-14 22:13:20.123456"),
    (1, "1970-01-01 00:00:00.000001"),
    (10**30, f"{10**30} us")])
def test_stamps(ts_us: int, text: str) -> None:
    assert logs.stamp(ts_us) == text
