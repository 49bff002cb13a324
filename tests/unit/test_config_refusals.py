"""Rows H1, H2: wrong configurations are refused with their place; nothing is live by accident."""

from __future__ import annotations

import json
import pathlib

import pytest

from hftbot.app.load import load, packaged_profiles
from hftbot.app.options import RunOptions, check_run
from hftbot.config.schema import Settings
from hftbot.errors import ConfigError

LIMITS = ("LOSS_USD_DAY_MAX", "ORDER_VALUE_USD_MAX", "POSITION_USD_MAX", "GROSS_USD_MAX",
          "OPEN_ORDERS_MAX", "FILLS_IN_ROW_MAX", "COLLAR_BPS", "MAX_ORDERS_PER_MIN",
          "STOP_LOSS_PCT", "ORDER_SIZE_USD")
# What was written, and what is said about it; the first are unknown keys and their nearest.
UNKNOWN = (
    ("LOOP_INTERVAL_US", "50000", "LOOP_INTERVAL_MS"), ("LOOP_INTERVAL", "50", "LOOP_INTERVAL_MS"),
    ("QUOTE_REFRESH_TTL_S", "1", "QUOTE_REFRESH_TTL_MS"), ("MAX_HOLD_MS", "1000", "MAX_HOLD_S"),
    ("MAX_ORDER_PER_MIN", "5", "MAX_ORDERS_PER_MIN"), ("SYMBOL", "BTC/USD", "SYMBOLS"),
    ("ORDER_SIZE_USDT", "5", "ORDER_SIZE_USD"), ("STOP_LOS_PCT", "1", "STOP_LOSS_PCT"),
    ("PROFIT_TARGET", "1", "PROFIT_TARGET_PCT"), ("DRYRUN", "0", "DRY_RUN"),
    ("DRY-RUN", "0", ""), ("VENU", "live", "VENUE"), ("GROSS_USD", "5", "GROSS_USD_MAX"),
    ("LOSS_USD_DAY", "5", "LOSS_USD_DAY_MAX"), ("KRAKEN_KEY", "k", "KRAKEN_API_KEY"),
    ("KRAKEN_API_SECRT", "k", "KRAKEN_API_SECRET"), ("COLLAR", "5", "COLLAR_BPS"),
)
VALUES = (
    *((name, "-1", "must be") for name in LIMITS), *((name, "NaN", "must be") for name in LIMITS),
    ("LOOP_INTERVAL_MS", "50ms", "must be a number from 1 to 60000 ms"),
    ("LOOP_INTERVAL_MS", "0.05s", "must be"), ("ORDER_SIZE_USD", "$5", "must be"),
    ("ORDER_SIZE_USD", "5 USD", "must be"), ("STOP_LOSS_PCT", "0.1%", "must be"),
    ("STOP_LOSS_PCT", "1e9", "must be"), ("GROSS_USD_MAX", "1_000,5", "must be"),
    ("GROSS_USD_MAX", "inf", "must be"), ("OPEN_ORDERS_MAX", "2.5", "must be"),
    ("OPEN_ORDERS_MAX", "0x10", "must be"), ("COLLAR_BPS", "3%", "must be"),
    ("MAX_ORDERS_PER_MIN", "999999", "must be"), ("DRY_RUN", "2", "must be"),
    ("DRY_RUN", "off course", "must be"), ("VENUE", "production", "must be"),
    ("SYMBOLS", "BTC-USD", "must be"), ("STATE_DIR", "", "must be"), ("SEED", "one", "must be"),
)


def refusal(here: pathlib.Path, config: pathlib.Path | None = None) -> str:
    with pytest.raises(ConfigError) as error:
        load(here=here, environment={}, config=str(config) if config else None)
    message = str(error.value)
    assert "\n" not in message
    assert error.value.exit_code == 2
    return message


def messages(here: pathlib.Path, name: str, text: str) -> dict[str, str]:
    """What is said about a key on line 3 of each kind of file, by the place that must be named."""
    found = {}
    for file, content in (
            (".env", f"# mine\nFEES=free\n{name}={text}\n"),
            ("c.toml", f'# mine\nfees = "free"\n{json.dumps(name.lower())} = {json.dumps(text)}\n'),
            ("c.json", f'{{\n"fees": "free",\n{json.dumps(name)}: {json.dumps(text)}\n}}\n')):
        path = here / file
        path.write_text(content)
        path.chmod(0o600)
        place = f"{file if file == '.env' else path}:3"
        found[place] = refusal(here, None if file == ".env" else path)
        path.unlink()
    return found


def test_fifty_cases_and_more() -> None:
    assert len({(name, text) for name, text, _ in (*UNKNOWN, *VALUES)}) >= 50


@pytest.mark.fault("H1")
@pytest.mark.parametrize(("name", "text", "nearest"), UNKNOWN)
def test_an_unknown_key_is_refused_with_the_nearest(tmp_path: pathlib.Path, name: str, text: str,
                                                    nearest: str) -> None:
    for place, message in messages(tmp_path, name, text).items():
        assert place in message
        assert f"did you mean {nearest}?" in message or not nearest


@pytest.mark.fault("H1")
@pytest.mark.parametrize(("name", "text", "words"), VALUES)
def test_an_impossible_value_is_refused_with_its_range(tmp_path: pathlib.Path, name: str,
                                                       text: str, words: str) -> None:
    for place, message in messages(tmp_path, name, text).items():
        assert f"{name}={text}" in message
        assert f"({place})" in message
        assert words in message


@pytest.mark.fault("H2")
def test_nothing_is_live_by_accident(tmp_path: pathlib.Path) -> None:
    """No profile and no default trades live or wet, and the venue alone is not consent."""
    for profile in (None, *packaged_profiles()):
        settings = load(here=tmp_path, environment={}, profile=profile).settings
        assert (settings.venue, settings.dry_run) == ("sim", True)
    for wet in ({}, {"DRY_RUN": "0"}):
        live = load(here=tmp_path, environment={"VENUE": "live", **wet}).settings
        with pytest.raises(ConfigError, match="risks real money and needs --live"):
            check_run(live, RunOptions())
        with pytest.raises(ConfigError, match="needs KRAKEN_API_KEY"):
            check_run(live, RunOptions(live=True))
    with pytest.raises(ConfigError, match="--live needs VENUE=live"):
        check_run(Settings(dry_run=False), RunOptions(live=True))
    assert load(here=tmp_path, environment={"VENUE": "live"}).settings.dry_run


def test_a_market_that_the_embedded_exchange_does_not_list_is_refused_before_it_starts() -> None:
    odd = Settings(symbols=("BTC/USD", "BTC/USB"))
    with pytest.raises(ConfigError, match=r"does not list BTC/USB; did you mean BTC/USD\? \(`hft"):
        check_run(odd, RunOptions())
    check_run(odd, RunOptions(exchange_url="http://127.0.0.1:8080"))


def test_a_recording_without_a_place_is_refused_before_anything_starts(
        tmp_path: pathlib.Path) -> None:
    nowhere = tmp_path / "none" / "market.raw"
    with pytest.raises(ConfigError, match=r"--record .*market\.raw: there is no directory .*none"):
        check_run(Settings(), RunOptions(record=str(nowhere)))
    check_run(Settings(), RunOptions(record=str(tmp_path / "market.raw")))
