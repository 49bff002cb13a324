"""What a run prints, for people and as JSON."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from hftbot.config.schema import Settings
from hftbot.watch import report
from hftbot.watch.markouts import Markout

LATENCY = {"loop_iteration": {"count": 3, "min_us": 0.5, "avg_us": 1.0, "p50_us": 1.25,
                              "p95_us": 2.0, "p99_us": 2.5, "max_us": float("inf")}}
TOTALS = report.Totals(
    mode=report.MODE_SIMULATED, venues=("kraken",), duration_s=60.5, orders_sent=1_234, fills=56,
    rejects=1, doubts=2, denied={"DENY_DUPLICATE": 3, "DENY_MESSAGE_RATE": 40},
    positions=(report.PositionLine("BTC/USD", -0.0015, 60_000.5, 60_001.0, -0.00075),),
    realised_usd=1.5, unrealised_usd=-0.00075, fees_usd=0.25, open_orders=0, ended="duration",
    strategy={"micro_scalper": {"entries": 5, "exits_by": {"target": 2}, "win_rate": 0.4,
                                "lost": 0, "refused": ""}, "other": {"entries": 0}})
ISSUE_KEYS = ["mode", "venues", "duration_s", "orders_sent", "fills", "rejects", "doubts",
              "positions", "pnl_usd", "fees_usd", "open_orders_at_exit", "latency"]


def facts(**changes: object) -> report.BannerFacts:
    return replace(report.BannerFacts(
        mode=report.MODE_SIMULATED, market="embedded Kraken, synthetic, seed 1",
        latency="modelled: network 1,500 µs each way", state_dir="hftbot-state",
        urls=("ws://127.0.0.1:1/v2",), notes=("remember",)), **changes)


def test_a_position_without_a_price_is_worth_what_it_cost() -> None:
    """A run that lost its market must not say that nothing is held."""
    blind = replace(TOTALS, positions=(report.PositionLine("BTC/USD", 0.002, 60_000, 0, 0),))
    text = report.summary(blind, (), ())
    assert "+0.002 BTC/USD at 60,000, now not known, the book is empty" in text
    assert "120.00 USD held" in text


def test_the_banner_of_the_simulator_hides_nothing() -> None:
    text = report.banner(Settings(), facts())
    assert "SIMULATED: no key, no network, no real money" in text
    assert re.search(r"fees +0: the embedded account trades free", text)
    assert "--fees kraken" in text
    assert "network 1,500 µs each way" in text
    assert "micro_scalper on BTC/USD" in text
    assert "embedded Kraken, synthetic, seed 1" in text
    assert Settings().digest() in text
    assert "note       remember" in text
    assert "Ctrl-C" in text
    assert all(len(line) < 140 for line in text.splitlines())


def test_the_banner_of_other_modes() -> None:
    assert "recorded data" in report.banner(Settings(), facts(mode=report.MODE_REPLAY))
    assert "0.40 % taker" in report.banner(Settings(fees="kraken"), facts())
    live = report.banner(Settings(), facts(mode=report.MODE_LIVE))
    assert "REAL MONEY" in live
    assert "SIMULATED" not in live
    assert "the account's own" in live
    assert "none is sent" in report.banner(Settings(), facts(mode=report.MODE_DRY))


def test_a_progress_line_has_a_microsecond_stamp() -> None:
    line = report.progress_line(1_700_000_000_123_456, TOTALS, [("BTC/USD", "60000.5", "60000.6")],
                                LATENCY)
    assert line.startswith("2023-11-14 22:13:20.123456  60.5 s  BTC/USD 60000.5/60000.6  ")
    assert "orders 1234, fills 56" in line
    assert "rejects 1, doubts 2" in line
    assert "position -0.0015 BTC" in line
    assert "pnl +1.249250 synthetic" in line
    assert "latency p50 1.2µs p99 2.5µs" in line
    assert "\n" not in line
    quiet = report.progress_line(0, report.Totals(mode="live", venues=(), duration_s=0.0))
    assert quiet.endswith("position flat  pnl +0.000000")


def test_the_summary_calls_simulated_profit_synthetic() -> None:
    markouts = [Markout(0, 56, -0.5, -0.0003), Markout(1, 50, 1.25, 0.0007), Markout(60, 0, 0, 0)]
    text = report.summary(TOTALS, markouts, ["hftbot-state/bot_hft.db", "hftbot-state/x.log"])
    assert "1,234 sent, 56 fills, 1 rejected, 2 in doubt, 0 open at exit" in text
    assert "Profit     +1.249250 USD net of fees, synthetic" in text
    assert re.search(r"Markout +1 s later +\+1\.250 bps, \+0\.000700 USD a fill \(50 fills\)", text)
    assert re.search(r"Markout +60 s later +no fill is that old", text)
    assert "Markout    at the fill" in text
    assert text.index("Profit") < text.index("Markout")
    assert "-0.0015 BTC/USD at 60,000.5, now 60,001" in text
    assert "DENY_MESSAGE_RATE 40, DENY_DUPLICATE 3" in text
    assert "micro_scalper: entries 5, exits_by {target 2}, win_rate 0.4\n" in text
    assert "other: all figures are zero" in text
    assert "Files      hftbot-state/bot_hft.db\n           hftbot-state/x.log" in text
    assert "60.5 s: duration" in text


def test_the_summary_of_live_and_of_a_halt() -> None:
    text = report.summary(replace(TOTALS, mode=report.MODE_LIVE, halted="daily loss", positions=()))
    assert "synthetic" not in text
    assert "simulated" not in text
    assert "HALTED     daily loss" in text
    assert "Positions  flat" in text
    assert "simulated fills" in report.summary(replace(TOTALS, mode=report.MODE_REPLAY))


def test_json_has_the_keys_of_the_issue_and_no_nan() -> None:
    text = report.run_json(replace(TOTALS, fees_usd=float("nan")), LATENCY)
    assert "\n" not in text
    content = json.loads(text, parse_constant=pytest.fail)
    assert list(content) == ISSUE_KEYS
    assert content["venues"] == ["kraken"]
    assert content["open_orders_at_exit"] == 0
    assert content["fees_usd"] is None
    assert content["positions"][0]["symbol"] == "BTC/USD"
    assert set(content["latency"]["loop_iteration"]) == {
        "count", "min_us", "avg_us", "p50_us", "p95_us", "p99_us", "max_us"}
    assert content["latency"]["loop_iteration"]["max_us"] is None
    assert content["latency"]["loop_iteration"]["p50_us"] == 1.25


def test_extra_keys_never_replace_ours() -> None:
    content = json.loads(report.run_json(TOTALS, {}, {"fills": 0, "markouts": []}))
    assert content["fills"] == 56
    assert content["markouts"] == []


def test_profit_is_net_of_fees() -> None:
    assert TOTALS.pnl_usd == pytest.approx(1.5 - 0.00075 - 0.25)
    assert TOTALS.synthetic
    assert not replace(TOTALS, mode=report.MODE_LIVE).synthetic


def test_groups_of_figures_have_a_line_each_and_hints_follow() -> None:
    lines = report.strategy_lines("mine", {
        "trades": 3, "exits_by": {"target": {"trades": 2, "net": 0.5}, "stop": {"trades": 0}},
        "hints": ["trade less", "sleep more"]})
    assert lines == ["Strategy   mine: trades 3",
                     "           exits_by target: trades 2, net 0.5",
                     "Hint       trade less", "Hint       sleep more"]


def test_sizes_have_no_exponent() -> None:
    dust = replace(TOTALS, positions=(report.PositionLine("BTC/USD", 7e-08, 6e4, 6e4, 0.0),
                                      report.PositionLine("A/USD", 1e7, 1.0, 1.0, 0.0)))
    assert "Positions  +0.00000007 BTC/USD at" in report.summary(dust)
    assert "position +0.00000007 BTC, +10000000 A" in report.progress_line(0, dust)


def test_one_fill_is_one_and_without_a_fill_there_is_no_markout() -> None:
    rows = [Markout(0, 1, 0.5, 0.01), Markout(30, 0, 0.0, 0.0)]
    totals = replace(TOTALS, orders_sent=1, fills=1)
    text = report.summary(totals, rows)
    assert "Orders     1 sent, 1 fill, 1 rejected" in text
    assert text.count("Markout") == 2
    assert "Markout" not in report.summary(replace(totals, fills=0), rows)
