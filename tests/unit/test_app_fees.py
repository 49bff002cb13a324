"""What the banner and the summary say of fees."""

from __future__ import annotations

from dataclasses import replace

from hftbot.app.fees import base_rates, base_text, rates_text
from hftbot.config.schema import Settings
from hftbot.watch import report

FREE = {"BTC/USD": (0, 0)}


def test_rates_are_told_once_for_all_symbols_that_share_them() -> None:
    assert rates_text({"BTC/USD": (2500, 4000), "ETH/USD": (2500, 4000)}) == (
        "0.25 % maker and 0.4 % taker")
    assert rates_text({"BTC/USD": (2500, 4000), "ETH/USD": (-100, 800)}) == (
        "0.25 % maker and 0.4 % taker for BTC/USD; -0.01 % maker and 0.08 % taker for ETH/USD")


def test_base_fees_are_compared_with_the_target() -> None:
    assert base_rates("BTC/USD") == (2500, 4000)
    assert base_text(Settings(), FREE) == (
        "0.4 % + 0.4 % = 0.8 % a round trip: a target of 0.2 % would end at -0.6 %")
    assert base_text(Settings(entry_order="post_only", profit_target_e6=10_000), FREE) == (
        "0.25 % + 0.4 % = 0.65 % a round trip: a target of 1 % would end at 0.35 %")
    assert base_text(Settings(), {"BTC/USD": (2500, 4000)}) == ""


def test_the_banner_says_what_is_paid_and_what_base_fees_mean() -> None:
    facts = report.BannerFacts(mode=report.MODE_SIMULATED, market="m", latency="l", state_dir="s",
                               fees="the venue tells 0 % maker and 0 % taker",
                               base_fees="0.8 % a round trip")
    text = report.banner(Settings(), facts)
    assert "(--fees kraken); the venue tells 0 % maker and 0 % taker\n" in text
    assert "\n  base fees  0.8 % a round trip\n" in text
    assert "base fees" not in report.banner(Settings(), replace(facts, base_fees=""))


def test_the_summary_has_the_same_trades_at_base_fees() -> None:
    totals = report.Totals(mode=report.MODE_SIMULATED, venues=("kraken",), duration_s=1.0, fills=2,
                           realised_usd=0.5, base_fees_usd=0.8)
    text = report.summary(totals)
    assert "Base fees  -0.300000 USD net would be left of the same trades" in text
    assert "0.800000 in all" in text
    assert "Base fees" not in report.summary(replace(totals, fees_usd=0.800012))
    assert "Base fees" not in report.summary(replace(totals, fills=0))
