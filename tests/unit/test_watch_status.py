"""status.json and latency.hlog: written whole, read with care."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

from fastcore.probe.histogram_codec import LogReader
from fastcore.probe.trackers import BOOK_UPDATE, LOOP_ITERATION, Trackers
from hftbot.errors import HftbotError, StoreError
from hftbot.watch import latency_log, status

CONTENT = {"pid": os.getpid(), "updated_us": 1_700_000_000_000_000, "state": "running",
           "symbols": ["BTC/USD"], "fills": 3, "pnl_usd": 0.125, "positions": [],
           "latency": {"loop_iteration": {"count": 1, "p50_us": 1.0, "p95_us": 2.0, "p99_us": 3.0,
                                          "max_us": 4.0}, "quiet": {"count": 0}}}
NOW_US = 1_700_000_000_000_000


def test_what_is_written_is_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / status.STATUS_FILE
    status.write(path, {"state": "starting"})
    status.write(path, CONTENT)
    assert status.read(path) == CONTENT
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == [status.STATUS_FILE]


def test_a_reader_never_sees_half_a_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / status.STATUS_FILE
    status.write(path, CONTENT)
    with open(path, encoding="utf-8") as reader:
        status.write(path, {"state": "stopped"})
        assert '"running"' in reader.read()
    assert status.read(path) == {"state": "stopped"}


def test_there_may_be_nothing_to_read(tmp_path: pathlib.Path) -> None:
    with pytest.raises(HftbotError, match="no bot has run here yet") as refusal:
        status.read(tmp_path / "status.json")
    assert refusal.value.exit_code == 1
    for text in ("", "{", "[1]", "[" * 100_000):
        (tmp_path / "status.json").write_text(text)
        with pytest.raises(StoreError, match="damaged"):
            status.read(tmp_path / "status.json")
    with pytest.raises(StoreError, match="cannot read"):
        status.read(tmp_path)
    with pytest.raises(StoreError, match="cannot write"):
        status.write(tmp_path / "status.json" / "below", {})


def test_latencies_of_a_run_that_wrote_no_report_yet(tmp_path: pathlib.Path) -> None:
    path = tmp_path / status.STATUS_FILE
    row = dict.fromkeys(status.FIGURES, 2.0)
    status.write(path, {"latency": {"book_update": row, "risk_check": {**row, "count": 0},
                                    "torn": {"count": 3}}})
    assert status.latencies(path) == {"book_update": row}
    for content in ({}, {"latency": 3}, {"latency": {"torn": {"count": 3}}}):
        status.write(path, content)
        with pytest.raises(HftbotError, match="the last run has measured none"):
            status.latencies(path)


def test_positions_are_shown_as_the_summary_shows_them() -> None:
    held = [{"symbol": "BTC/USD", "size": 0.00166651}, {"symbol": "ETH/USD", "size": -2.5}]
    told = status.text({**CONTENT, "positions": held}, True, NOW_US)
    assert "  positions        +0.00166651 BTC/USD, -2.5 ETH/USD\n" in told
    assert "positions        none" in status.text(CONTENT, True, NOW_US)
    assert "size=x" in status.text({"positions": [{"symbol": "A", "size": "x"}]}, True, NOW_US)


def test_alive_is_what_the_system_says() -> None:
    assert status.is_alive(CONTENT)
    assert not status.is_alive({**CONTENT, "state": "stopped"})
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for pid in (gone.pid, None, "1", -1, 0, 1 << 40, 1.5):
        assert not status.is_alive({**CONTENT, "pid": pid})


def test_the_text_for_people() -> None:
    text = status.text(CONTENT, True, NOW_US + 1_500_000)
    assert text.startswith(f"running, pid {os.getpid()}; last state: running, "
                           "2023-11-14 22:13:20.000000 UTC (1.5 s ago)")
    assert "fills            3" in text
    assert "positions        none" in text
    assert "loop_iteration: p50 1.00µs p95 2.00µs p99 3.00µs max 4.00µs" in text
    assert "quiet" not in text
    assert status.text({}, False, NOW_US).startswith("not running; last state: unknown")


def test_the_latency_log_holds_every_sample_once(tmp_path: pathlib.Path) -> None:
    path = tmp_path / status.LATENCY_LOG
    trackers = Trackers()
    log = latency_log.LatencyLog(path, trackers, NOW_US)
    trackers.record(LOOP_ITERATION, 1_000)
    trackers.record(LOOP_ITERATION, 5_000_000)
    log.append(NOW_US + 1_000_000)
    trackers.record(LOOP_ITERATION, 1_000)
    trackers.record(BOOK_UPDATE, 250)
    log.append(NOW_US + 2_000_000)
    log.append(NOW_US + 3_000_000)
    trackers.record_named("my step", 42)
    log.close(NOW_US + 4_000_000)
    log.close(NOW_US + 5_000_000)
    assert not log.failed
    statistics = latency_log.read(path)
    assert {name: row["count"] for name, row in statistics.items()} == {
        "loop_iteration": 3, "book_update": 1, "my_step": 1}
    assert statistics["loop_iteration"]["max_us"] == pytest.approx(5_000, rel=1e-3)
    assert statistics["loop_iteration"]["p50_us"] == pytest.approx(1.0, rel=1e-3)
    with open(path, encoding="ascii") as file:
        entries = [(entry.tag, entry.start_us - NOW_US, entry.histogram.count)
                   for entry in LogReader(file)]
    assert entries == [("loop_iteration", 0, 2), ("loop_iteration", 1_000_000, 1),
                       ("book_update", 1_000_000, 1), ("my_step", 3_000_000, 1)]
    assert trackers.get("loop_iteration").count == 3


def test_other_tools_read_the_latency_log(tmp_path: pathlib.Path) -> None:
    hdrh = pytest.importorskip("hdrh.log", reason="the hdrhistogram package is not installed")
    histogram = pytest.importorskip("hdrh.histogram")
    trackers = Trackers()
    log = latency_log.LatencyLog(tmp_path / "latency.hlog", trackers, NOW_US)
    for ns in range(1_000, 2_000):
        trackers.record(LOOP_ITERATION, ns)
    log.close(NOW_US + 1)
    reader = hdrh.HistogramLogReader(str(tmp_path / "latency.hlog"),
                                     histogram.HdrHistogram(1, 3_600_000_000_000, 3))
    read = reader.get_next_interval_histogram()
    reader.close()
    assert read.get_total_count() == 1_000


def test_a_damaged_latency_log(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "latency.hlog"
    with pytest.raises(HftbotError, match="no latencies yet") as refusal:
        latency_log.read(path)
    assert refusal.value.exit_code == 1
    path.write_text("Tag=x,1.0,1.0,1.0,####\n")
    with pytest.raises(StoreError, match=r"damaged: line 1"):
        latency_log.read(path)
    trackers = Trackers()
    trackers.record(LOOP_ITERATION, 1)
    log = latency_log.LatencyLog(path, trackers, NOW_US)
    log.close(NOW_US + 1)
    whole = path.read_text()
    path.write_text(whole + whole.splitlines()[-1][:-30])
    assert latency_log.read(path)["loop_iteration"]["count"] == 1
    with pytest.raises(StoreError, match="cannot write"):
        latency_log.LatencyLog(path / "below", trackers, NOW_US)


def test_limits_are_shown_a_line_for_each_pair() -> None:
    limits = {"tier": "pro", "trading": {
        "BTC/USD": {"used": 12.25, "max": 180, "decay_per_s": 3.75, "cancel_reserve": 45.0,
                    "open_orders": 3, "open_orders_max": 225}},
              "rest": {"used": 1, "max": 19}, "connections": {"used": 2, "max": 150},
              "messages": {"used": 7, "max": 100, "cancel_reserve": 25}}
    text = status.text({**CONTENT, "limits": limits}, True, NOW_US)
    assert ("  limits           BTC/USD: 12.25 of 180 points (-3.75 a second, 45 kept for cancels),"
            " 3 of 225 orders\n") in text
    assert ("  limits           tier pro; rest 1 of 19; connections 2 of 150; "
            "messages 7 of 100\n") in text


@pytest.mark.parametrize("limits", [{}, {"trading": 5}, {"trading": {"BTC/USD": None}, "rest": 3},
                                    {"trading": {"X": {}}}, 7, None, []])
def test_limits_of_a_strange_status_file_are_no_error(limits: object) -> None:
    assert "limits" in status.text({**CONTENT, "limits": limits}, True, NOW_US)


def test_links_are_shown_with_their_silence() -> None:
    links = {"market": {"up": True, "silent_s": 0.26}, "trading": {"up": False, "silent_s": None}}
    text = status.text({**CONTENT, "links": links}, True, NOW_US)
    assert "  links            market up (silent for 0.3 s), trading DOWN\n" in text
    assert "  links            \n" in status.text({**CONTENT, "links": {"x": 1}}, True, NOW_US)
def test_the_strategy_has_lines_of_its_own() -> None:
    text = status.text({**CONTENT, "strategy": {"mine": {"trades": 3, "hints": ["rest"]}}}, True,
                       NOW_US)
    assert "Strategy   mine: trades 3" in text
    assert "Hint       rest" in text
