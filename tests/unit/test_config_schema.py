"""Settings: declared once, converted exactly, refused clearly."""

from __future__ import annotations

import contextlib
from dataclasses import FrozenInstanceError, fields
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hftbot.config import presets, schema
from hftbot.config.kinds import Choice, Flag, Money, Number, SecretText, Symbols, Url, is_loopback
from hftbot.config.schema import Settings, check, find, keys, nearest, parse, unknown
from hftbot.errors import ConfigError

SECRET = "bm90LWEtcmVhbC1rZXktYnV0LWxvbmctZW5vdWdo"


def test_every_field_is_a_key_and_every_name_is_unique() -> None:
    names = [name for key in keys().values() for name in (key.name, *key.aliases)]
    assert len(names) == len(set(names))
    assert {key.attribute for key in keys().values()} | {"secrets_later"} == {
        item.name for item in fields(Settings)}
    assert all(key.help and key.kind.expects() for key in keys().values())


def test_every_default_is_within_its_own_range_and_reads_back() -> None:
    settings = Settings()
    for key in keys().values():
        value = getattr(settings, key.attribute)
        assert key.secret or key.kind.parse(key.kind.text(value)) == value, key.name


def test_the_issue_and_the_seed_name_these_keys() -> None:
    for name in ("LOOP_INTERVAL_MS", "QUOTE_REFRESH_TTL_MS", "MAX_ORDERS_PER_MIN", "DRY_RUN",
                 "MAKER_HALF_SPREAD", "TAKER_EDGE_THRESHOLD", "SYMBOLS", "KRAKEN_API_KEY",
                 "KRAKEN_API_SECRET", "KRAKEN_SPOT_API_KEY", "KRAKEN_SPOT_API_SECRET",
                 "KRAKEN_REST_URL", "KRAKEN_WS_URL", "KRAKEN_WS_AUTH_URL", "BUSY_POLL"):
        assert find(name) is not None, name


def test_units_are_converted_at_this_door() -> None:
    settings = Settings()
    assert settings.loop_interval_us == 50_000
    assert settings.quote_refresh_ttl_us == 500_000
    assert settings.profit_target_e6 == 2_000
    assert settings.stop_loss_e6 == 1_000
    assert settings.maker_half_spread_e6 == 3_000
    assert settings.max_hold_us == 300_000_000
    assert settings.order_size_usd == Decimal(100)
    assert settings.symbols == ("BTC/USD",)
    assert settings.loss_usd_day_max == 25


def test_settings_are_frozen_and_equal_by_content() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().seed = 2  # type: ignore[misc]
    assert Settings() == Settings()
    assert hash(Settings()) == hash(Settings())
    assert Settings(seed=2) != Settings()


def test_the_digest_names_the_configuration_and_not_the_secrets() -> None:
    secret = SecretText().parse(SECRET)
    assert Settings().digest() == Settings(kraken_api_key=secret).digest()
    assert Settings().digest() != Settings(seed=2).digest()
    assert len(Settings().digest()) == 16
    assert SECRET not in repr(Settings(kraken_api_key=secret))
    assert Settings(kraken_api_key=secret).texts()["KRAKEN_API_KEY"] == "***"
    assert Settings(kraken_api_key=secret, secrets_later=(secret,)).secrets() == [secret, secret]


def test_a_child_gets_everything_but_secrets() -> None:
    child = Settings(kraken_api_key=SecretText().parse(SECRET)).environment()
    assert child["HFTBOT__LOOP_INTERVAL_MS"] == "50"
    assert not [name for name in child if "_API_" in name]
    assert SECRET not in str(child)


@pytest.mark.fault("H1")
@pytest.mark.parametrize(("name", "text", "expected"), [
    ("LOOP_INTERVAL_MS", "0", "from 1 to 60000 ms"),
    ("LOOP_INTERVAL_MS", "-50", "from 1 to 60000 ms"),
    ("LOOP_INTERVAL_MS", "60001", "from 1 to 60000 ms"),
    ("LOOP_INTERVAL_MS", "fast", "a number from 1 to 60000 ms"),
    ("LOOP_INTERVAL_MS", "", "a number from 1 to 60000 ms"),
    ("LOOP_INTERVAL_MS", "nan", "a number"),
    ("LOOP_INTERVAL_MS", "sNaN", "a number"),
    ("LOOP_INTERVAL_MS", "inf", "a number"),
    ("LOOP_INTERVAL_MS", "1e999999999999", "from 1 to 60000"),
    ("LOOP_INTERVAL_MS", "1e99999999", "from 1 to 60000"),
    ("LOOP_INTERVAL_MS", "9" * 5000, "a number"),
    ("LOOP_INTERVAL_MS", "٥", "a number"),
    ("LOOP_INTERVAL_MS", "1.0001", "a whole multiple of 0.001 ms"),
    ("SEED", "1.5", "a whole multiple of 1"),
    ("SEED", "-1", "from 0 to"),
    ("DRY_RUN", "maybe", "1 or 0"),
    ("FEES", "cheap", "one of free, kraken"),
    ("BUSY_POLL", "always", "one of off, on, adaptive"),
    ("VENUE", "papers", "one of sim, paper, live"),
    ("SYMBOLS", "", "markets such as BTC/USD"),
    ("SYMBOLS", "BTCUSD", "'BTCUSD' is not a market"),
    ("SYMBOLS", "BTC/USD,BTC/USD", "twice"),
    ("SYMBOLS", "XBT/USD", "BTC/USD"),
    ("ORDER_SIZE_USD", "0", "from 0.5 to"),
    ("ORDER_SIZE_USD", "1.00000000001", "finer"),
    ("MAKER_HALF_SPREAD", "0.51", "from 0 to 0.5"),
    ("STATE_DIR", " ", "a directory"),
    ("STATE_DIR", "a\nb", "a directory"),
    ("KRAKEN_REST_URL", "ftp://x", "an address such as https://"),
    ("KRAKEN_WS_URL", "ws://ws.kraken.com/v2", "keys travel on it"),
    ("KRAKEN_WS_URL", "ws://127.0.0.1.evil.example/v2", "keys travel on it"),
    ("KRAKEN_REST_URL", "https://user:password@host", "an address"),
    ("KRAKEN_REST_URL", "http://127.0.0.1:99999", "port"),
])
def test_impossible_values_name_key_value_source_and_range(name: str, text: str,
                                                           expected: str) -> None:
    key = find(name)
    assert key is not None
    with pytest.raises(ConfigError) as refusal:
        parse(key, text, ".env:7")
    message = str(refusal.value)
    assert message.startswith(f"{name}=")
    assert "(.env:7)" in message
    assert expected in message
    assert "\n" not in message
    assert len(message) < 300


@pytest.mark.parametrize("text", ["ws://127.0.0.1:8080/v2", "ws://localhost/v2", "ws://[::1]:80/v2",
                                  "wss://beta-ws.kraken.com/v2"])
def test_this_machine_needs_no_tls(text: str) -> None:
    assert Url("ws", "wss").parse(text) == text


@pytest.mark.parametrize(("host", "ours"), [
    ("127.0.0.1", True), ("127.9.9.9", True), ("localhost", True), ("[::1]", True),
    ("127.0.0.1.example.com", False), ("127.0.0", False), ("10.0.0.1", False),
    ("127.0.0.256", False), ("", False)])
def test_loopback(host: str, ours: bool) -> None:
    assert is_loopback(host) is ours


def test_a_secret_is_never_repeated_by_a_refusal() -> None:
    key = find("KRAKEN_API_SECRET")
    assert key is not None
    for text in ("hunter2 hunter2", "not-base64!", "hünter"):
        with pytest.raises(ConfigError) as refusal:
            parse(key, text, ".env:1")
        assert "***" in str(refusal.value)
        assert text not in str(refusal.value)
    assert parse(key, SECRET, ".env:1").reveal() == SECRET


@pytest.mark.fault("H1")
def test_unknown_keys_name_the_nearest_and_not_the_value() -> None:
    assert "did you mean LOOP_INTERVAL_MS?" in str(unknown("LOOP_INTERVALL_MS", ".env:3"))
    assert "(.env:3)" in str(unknown("LOOP_INTERVALL_MS", ".env:3"))
    assert "did you mean KRAKEN_API_SECRET?" in str(unknown("kraken_api_secrt", "x"))
    assert "config keys" in str(unknown("QQQQ", "x"))
    assert nearest("hfft", ["hft", "slow"]) == "hft"


@pytest.mark.parametrize(("changes", "names"), [
    ({"order_size_usd": Decimal(2000)}, ("ORDER_SIZE_USD", "ORDER_VALUE_USD_MAX")),
    ({"position_usd_max": Decimal(50)}, ("ORDER_SIZE_USD", "POSITION_USD_MAX")),
    ({"gross_usd_max": Decimal(50)}, ("ORDER_SIZE_USD", "GROSS_USD_MAX")),
    ({"min_hold_us": 400_000_000}, ("MIN_HOLD_S", "MAX_HOLD_S")),
    ({"min_profit_e6": 3_000}, ("MIN_PROFIT_PCT", "PROFIT_TARGET_PCT")),
])
def test_contradictions_name_both_sides(changes: dict[str, object],
                                        names: tuple[str, str]) -> None:
    check(Settings(), {})
    with pytest.raises(ConfigError) as refusal:
        check(Settings(**changes), {names[0]: ".env:9"})
    assert all(name in str(refusal.value) for name in names)
    assert ".env:9" in str(refusal.value)
    assert "default" in str(refusal.value)


def test_presets_name_known_keys_with_values_in_range() -> None:
    for name, lines in presets.PRESETS.items():
        for key_name, text in lines.items():
            parse(presets.preset_key(key_name), text, name)
    scalper = presets.preset("micro_scalper")
    assert scalper["PROFIT_TARGET_PCT"] == "0.2"
    assert scalper["STOP_LOSS_PCT"] == "0.1"
    assert (scalper["MIN_PROFIT_PCT"], scalper["MIN_HOLD_S"]) == ("0.1", "30")
    assert scalper["MAX_HOLD_S"] == "300"
    assert presets.preset("my.py:Mine") == {}
    for ours, _ in presets.SCALPING_SECTION.values():
        assert find(ours) is not None


@given(st.integers(1, 60_000_000))
def test_numbers_convert_exactly(us: int) -> None:
    kind = Number(Decimal("0.001"), Decimal(60_000), "ms", 1_000)
    assert kind.parse(kind.text(us)) == us


@given(st.decimals("0.01", "999999", places=8, allow_nan=False))
def test_money_keeps_every_digit(amount: Decimal) -> None:
    assert Money(Decimal(0), Decimal(10**6)).parse(str(amount)) == amount


@given(st.text(max_size=40))
def test_no_text_brings_a_kind_down(text: str) -> None:
    for key in schema.keys().values():
        with contextlib.suppress(ValueError):
            key.kind.text(key.kind.parse(text))


def test_small_kinds() -> None:
    assert [Flag().parse(word) for word in ("1", "TRUE", " yes ", "on")] == [True] * 4
    assert [Flag().parse(word) for word in ("0", "false", "No", "OFF")] == [False] * 4
    assert Choice(("a", "b")).parse(" A ") == "a"
    assert Symbols().parse(" btc/usd , ETH/USD,") == ("BTC/USD", "ETH/USD")


@pytest.mark.parametrize(("values", "words"), [
    ({"LOOP_INTERVAL_MS": "3000"}, "LOOP_INTERVAL_MS=3000 (default) and GUARDIAN_LIMIT_S=10"),
    ({"KRAKEN_GUARDIAN_API_KEY": "abcdefgh"}, "belong together"),
    ({"KRAKEN_GUARDIAN_API_SECRET": "YWJjZGVmZ2g="}, "belong together")])
def test_guardian_settings_that_cannot_be(values: dict[str, str], words: str) -> None:
    parsed = {keys()[name].attribute: parse(keys()[name], text, "test")
              for name, text in values.items()}
    with pytest.raises(ConfigError) as refused:
        check(Settings(**parsed), {})
    assert words in str(refused.value)
    assert "abcdefgh" not in str(refused.value)
    check(Settings(guardian=False, loop_interval_us=3_000_000), {})
