"""The door ``hftbot.timing``: the handbook's own Python runs with only its import line changed.

The handbook's text is read where it is present; equivalents of its snippets are kept here.
"""

from __future__ import annotations

import ast
import io
import logging
import os
import pathlib
import re
import sys

import pytest

import hftbot.timing as door
from hftbot.words.intent import Intent
from hftbot.words.market import BookTop, RefPrice
from hftbot.words.order import OpenOrder, OrderState, Tif

SHARED = pathlib.Path(os.environ.get(
    "HFTBOT_SHARED", pathlib.Path(__file__).resolve().parents[2].parent / "shared"))
HANDBOOK = SHARED / "seeds" / "000_7d92e3f056a18b4a.txt"
TIMING_NAMES = {"now_us", "Stopwatch", "LATENCY_TRACKERS", "track_latency",
                "print_latency_report", "get_all_latency_stats"}
WORDS = {"Intent", "BookTop", "RefPrice", "OpenOrder"}

# Each snippet is known by a line that only it has.
KEPT = {
    "elapsed = sw.elapsed_us()": """
from src.utils.timing import now_us, Stopwatch
timestamp = now_us()
sw = Stopwatch()
sw.start()
elapsed = sw.elapsed_us()
""",
    "stats = get_all_latency_stats()": """
from src.utils.timing import get_all_latency_stats
stats = get_all_latency_stats()
for name, stat in stats.items():
    if stat['p95_us'] > 10_000:
        print(f"SLOW: {name} = {stat['p95_us']}µs")
""",
    "price = calculate_price()": """
for i in range(1000):
    timestamp = now_us()
    price = calculate_price()
timestamp = 0
price = 0.0
for i in range(1000):
    timestamp = now_us()
    price = calculate_price()
""",
    "_cache_time = {}": """
_cache = {}
_cache_time = {}
def get_fair_price(market):
    now = now_us()
    if market.slug in _cache:
        if now - _cache_time[market.slug] < 100_000:
            return _cache[market.slug]
    result = expensive_calculation(market)
    _cache[market.slug] = result
    _cache_time[market.slug] = now
    return result
""",
    "def critical_function():": """
from src.utils.timing import Stopwatch, track_latency
def critical_function():
    sw = Stopwatch()
    sw.start()
    latency = sw.elapsed_us()
    track_latency('critical_function', latency)
    if latency > 5000:
        logger.warning(f"Slow execution: {latency}µs")
""",
    "ttl_ms=1000": """
intent = Intent(
    ...,
    ttl_ms=1000,
    created_ts=1704798000123
)
intent = Intent(
    ...,
    ttl_us=1_000_000,
    created_ts=1704798000123456
)
""",
}

REPORT = """\
================================================================================
LATENCY REPORT (microseconds)
================================================================================

loop_iteration:
  Count: 1,000 samples (1,000 total ops)
  Min:   1,234µs
  Avg:   2,567µs
  p50:   2,345µs
  p95:   4,123µs
  p99:   5,678µs
  Max:   8,901µs

intent_generation:
  Count: 1,000 samples
  Min:   345µs
  Avg:   678µs
"""


def blocks():
    return re.findall(r"^```\w*\n(.*?)^```$", HANDBOOK.read_text(), re.M | re.S)


def names_used(source):
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)} | {
        alias.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)
        for alias in node.names}


def parses(source):
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


@pytest.fixture(params=["handbook", "kept"])
def snippet(request):
    """Gives the snippet that has a line; from the handbook, or the one kept here."""
    if request.param == "kept":
        return KEPT.__getitem__
    if not HANDBOOK.exists():
        pytest.skip(f"{HANDBOOK.name} is not here")

    def find(line):
        (found,) = (block for block in blocks() if line in block and parses(block))
        return found
    return find


def run(source, **supplied):
    """Run a snippet with its import line changed and the names that it leaves undefined."""
    changed = source.replace("from src.utils.timing import", "from hftbot.timing import")
    supplied["__builtins__"] = __builtins__
    exec(compile(changed, "snippet", "exec"), supplied)
    return supplied


@pytest.fixture(autouse=True)
def _empty_trackers():
    door.LATENCY_TRACKERS.trackers.reset()
    yield
    door.LATENCY_TRACKERS.trackers.reset()


def test_stopwatch_snippet(snippet):
    before = door.now_us()
    seen = run(snippet("elapsed = sw.elapsed_us()"))
    assert before <= seen["timestamp"] <= door.now_us()
    assert len(str(seen["timestamp"])) == 16
    assert type(seen["elapsed"]) is int
    assert 0 <= seen["elapsed"] <= door.now_us() - before + 1000


def test_slow_operations_snippet(snippet, capsys):
    door.track_latency("order_placement", 12_500)
    door.track_latency("book_update", 180)
    seen = run(snippet("stats = get_all_latency_stats()"))
    assert capsys.readouterr().out == "SLOW: order_placement = 12500.0µs\n"
    assert seen["stats"]["book_update"]["p95_us"] == 180.0


def test_reuse_snippet(snippet):
    calls = []
    seen = run(snippet("price = calculate_price()"), now_us=door.now_us,
               calculate_price=lambda: calls.append(1) or 0.5)
    assert len(calls) == 2000
    assert seen["price"] == 0.5
    assert abs(seen["timestamp"] - door.now_us()) < 60_000_000


def test_cache_snippet(snippet):
    class Market:
        slug = "btc-up"

    computed = []
    seen = run(snippet("_cache_time = {}"), now_us=door.now_us,
               expensive_calculation=lambda market: computed.append(market.slug) or len(computed))
    assert seen["get_fair_price"](Market) == 1
    seen["_cache_time"]["btc-up"] = door.now_us() + 50_000
    assert seen["get_fair_price"](Market) == 1
    seen["_cache_time"]["btc-up"] -= 1_000_000
    assert seen["get_fair_price"](Market) == 2
    assert computed == ["btc-up", "btc-up"]


def test_measure_everything_snippet(snippet, caplog):
    seen = run(snippet("def critical_function():"), logger=logging.getLogger("snippet"))
    for _ in range(3):
        seen["critical_function"]()
    assert door.get_all_latency_stats()["critical_function"]["count"] == 3
    assert "critical_function" in door.LATENCY_TRACKERS
    # A step of 6 ms is slow: the snippet's stopwatch is replaced by one that says so.
    slow = type("SlowWatch", (), {"start": lambda self: self, "elapsed_us": lambda self: 6000})
    seen["Stopwatch"] = slow
    with caplog.at_level(logging.WARNING):
        seen["critical_function"]()
    assert "Slow execution: 6000µs" in caplog.text
    assert door.LATENCY_TRACKERS["critical_function"].max == 6_000_000


def test_intent_snippet(snippet):
    old, new = ast.parse(snippet("ttl_ms=1000")).body
    with pytest.raises(TypeError, match="ttl_ms"):
        run(ast.unparse(old), Intent=Intent)
    intent = run(ast.unparse(new), Intent=Intent)["intent"]
    assert (intent.ttl_us, intent.created_ts) == (1_000_000, 1704798000123456)
    assert not hasattr(intent, "ttl_ms")
    assert not intent.expired(1704798000123456 + 1_000_000)
    assert intent.expired(1704798000123456 + 1_000_001)


def test_no_snippet_of_the_handbook_is_left_out():
    if not HANDBOOK.exists():
        pytest.skip(f"{HANDBOOK.name} is not here")
    relevant = [block for block in blocks()
                if parses(block) and names_used(block) & (TIMING_NAMES | WORDS)]
    assert len(relevant) == len(KEPT)
    for line, kept in KEPT.items():
        (block,) = (block for block in relevant if line in block)
        assert names_used(kept) == names_used(block)


def test_list_of_trackers():
    kept = ["loop_iteration", "intent_generation", "risk_check", "order_placement", "book_update",
            "fair_price_calc"]
    assert list(door.LATENCY_TRACKERS)[:6] == kept
    assert all(name in door.LATENCY_TRACKERS for name in kept)
    assert "loop_iteration" in repr(door.LATENCY_TRACKERS)
    if HANDBOOK.exists():
        (block,) = (block for block in blocks() if "LATENCY_TRACKERS" in block)
        assert re.findall(r"^- (\w+):", block, re.M) == kept
        assert "print_latency_report()" in block


def test_report_has_the_handbooks_layout():
    row = {"count": 1000, "min_us": 1234.2, "avg_us": 2566.6, "p50_us": 2345.0, "p95_us": 4123.0,
           "p99_us": 5678.0, "max_us": 8901.0}
    stats = {"loop_iteration": row, "intent_generation": {**row, "min_us": 345.0, "avg_us": 678.0}}
    report = door.latency_report(stats)
    assert report.startswith(REPORT)
    if HANDBOOK.exists():
        (block,) = (block for block in blocks() if "LATENCY REPORT" in block)
        assert block == REPORT + "  ...\n"


def test_small_values_get_two_decimals_and_large_ones_commas():
    values = [0.0, 0.004, 2.345, 9.994, 9.996, 10.4, 1234.5]
    row = dict(zip(("min_us", "avg_us", "p50_us", "p95_us", "p99_us", "max_us"), values[1:],
                   strict=True), count=7)
    report = door.latency_report({"book_update": row})
    assert re.findall(r"(\S+)µs", report) == ["0.00", "2.35", "9.99", "10", "10", "1,234"]


def test_tracker_without_samples_says_so_and_nothing_else():
    report = door.latency_report(door.Trackers(("risk_check",)).statistics())
    assert report.endswith("\nrisk_check:\n  Count: 0 samples (0 total ops)\n")


def test_report_is_printed_where_it_is_asked_for(capsys):
    door.track_latency("loop_iteration", 1500.25)
    door.print_latency_report()
    printed = capsys.readouterr().out
    assert "  Max:   1,500µs\n" in printed
    stream = io.StringIO()
    door.print_latency_report(stream)
    assert stream.getvalue() == printed


def test_terminal_without_the_micro_sign_still_gets_the_report(monkeypatch):
    door.track_latency("loop_iteration", 1500)
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    door.print_latency_report()
    sys.stdout.flush()
    assert b"  Max:   1,500us\n" in raw.getvalue()


@pytest.mark.parametrize(("us", "max_ns"), [
    (12, 12_000), (0.25, 250), (-3, 0), (float("inf"), 3_600_000_000_000),
    (10**30, 3_600_000_000_000), (float("-inf"), 0)])
def test_any_duration_can_be_tracked(us, max_ns):
    door.track_latency("risk_check", us)
    assert door.LATENCY_TRACKERS["risk_check"].max == max_ns


def test_not_a_number_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        door.track_latency("risk_check", float("nan"))
    assert door.LATENCY_TRACKERS["risk_check"].count == 0


def test_words_carry_the_handbooks_fields():
    assert BookTop(0, 1, 2, 3, 4, 1704798000123456).ts == 1704798000123456
    assert RefPrice("BTC", 97_000.5, 1704798000123456).ts == 1704798000123456
    order = OpenOrder(1, 0, 0, 100, 5, 0, OrderState.LIVE, Tif.GTC, 1704798000123456)
    assert order.ts == 1704798000123456
    intent = Intent(0, ttl_us=5, created_ts=7)
    assert (intent.created_ts, intent.created_us, intent.ts, intent.ttl_us) == (7, 7, 7, 5)
    with pytest.raises(TypeError):
        Intent(0, ttl_ms=1)
    assert not any(hasattr(word, "ttl_ms") for word in (BookTop, RefPrice, OpenOrder, Intent))
