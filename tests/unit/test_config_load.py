"""Loading: who wins, where a value came from, and what is refused."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hftbot
from hftbot.app.load import Loaded, load, packaged_profiles
from hftbot.config.schema import keys
from hftbot.errors import ConfigError

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA=="


def read(here: pathlib.Path, **how: Any) -> Loaded:
    how.setdefault("environment", {})
    return load(here=here, **how)


def write(path: pathlib.Path, text: str | bytes, mode: int = 0o600) -> pathlib.Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def refusal(here: pathlib.Path, **how: Any) -> str:
    with pytest.raises(ConfigError) as error:
        read(here, **how)
    message = str(error.value)
    assert "\n" not in message
    assert error.value.exit_code == 2
    return message


@pytest.mark.fault("H2")
def test_nothing_at_all_is_enough(tmp_path: pathlib.Path) -> None:
    loaded = read(tmp_path)
    assert loaded.settings.venue == "sim"
    assert loaded.settings.strategy == "micro_scalper"
    assert loaded.settings.symbols == ("BTC/USD",)
    assert loaded.settings.dry_run
    assert loaded.origin() == "defaults"
    assert set(loaded.sources) == set(keys())


def test_the_packaged_profile_needs_nothing_else(tmp_path: pathlib.Path) -> None:
    loaded = read(tmp_path, profile="hft")
    settings = loaded.settings
    assert settings.strategy == "micro_scalper"
    assert settings.loop_interval_us == 50_000
    assert settings.quote_refresh_ttl_us == 500_000
    assert settings.maker_half_spread_e6 == 3_000
    assert settings.taker_edge_threshold_e6 == 10_000
    assert settings.max_orders_per_min == 100
    assert settings.dry_run
    assert loaded.sources["LOOP_INTERVAL_MS"].startswith("packaged profile hft:")
    assert loaded.sources["PROFIT_TARGET_PCT"] == "preset micro_scalper"
    assert any("MAKER_HALF_SPREAD" in note and "later" in note for note in loaded.notes)


def test_the_packaged_profile_is_the_one_at_the_top() -> None:
    top = ROOT / ".env.hft"
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("not run from a source tree")
    assert top.read_bytes() == packaged_profiles()["hft"].read_bytes()
    inside = pathlib.Path(hftbot.__file__).parent / "config" / "profiles" / "hft.env"
    assert top.read_bytes() == inside.read_bytes()


def test_the_profile_has_the_seed_keys_and_comments() -> None:
    text = packaged_profiles()["hft"].read_text(encoding="utf-8")
    for comment, line in (
            ("# Loop: Check every 50ms (20x per second!)", "LOOP_INTERVAL_MS=50"),
            ("# Quotes: Update every 500ms", "QUOTE_REFRESH_TTL_MS=500"),
            ("# Spreads: Minimum possible", "MAKER_HALF_SPREAD=0.003"),
            ("# Edge: Take almost anything", "TAKER_EDGE_THRESHOLD=0.01"),
            ("# Orders: Up to 100/minute", "MAX_ORDERS_PER_MIN=100")):
        assert f"{comment}\n{line}\n" in text
    assert "\nDRY_RUN=1\n" in text
    assert "comes later" in text


def test_a_profile_here_wins_over_the_packaged_one(tmp_path: pathlib.Path) -> None:
    write(tmp_path / ".env.hft", "SEED=4\n")
    loaded = read(tmp_path, profile="hft")
    assert loaded.settings.seed == 4
    assert loaded.sources["SEED"] == ".env.hft:1"
    assert loaded.sources["LOOP_INTERVAL_MS"] == "default"


def test_dot_env_is_read_without_a_profile_only(tmp_path: pathlib.Path) -> None:
    write(tmp_path / ".env", "SEED=5\n")
    assert read(tmp_path).settings.seed == 5
    assert read(tmp_path, profile="hft").settings.seed == 1


def test_the_seeds_copy_command_works(tmp_path: pathlib.Path) -> None:
    write(tmp_path / ".env", packaged_profiles()["hft"].read_bytes(), 0o644)
    assert read(tmp_path).settings == read(tmp_path, profile="hft").settings


def test_precedence_from_preset_to_command_line(tmp_path: pathlib.Path) -> None:
    name, source = "PROFIT_TARGET_PCT", "preset micro_scalper"
    how: dict[str, Any] = {}
    assert read(tmp_path).sources[name] == source

    config = write(tmp_path / "c.toml", "[strategy]\nprofit_target_pct = 0.3\n")
    how["config"] = str(config)
    loaded = read(tmp_path, **how)
    assert (loaded.settings.profit_target_e6, loaded.sources[name]) == (3_000, f"{config}:2")

    write(tmp_path / ".env", "# comment\n\nexport PROFIT_TARGET_PCT=0.4   # inline\n")
    loaded = read(tmp_path, **how)
    assert (loaded.settings.profit_target_e6, loaded.sources[name]) == (4_000, ".env:3")

    how["environment"] = {name: "0.5"}
    loaded = read(tmp_path, **how)
    assert (loaded.settings.profit_target_e6, loaded.sources[name]) == (
        5_000, f"environment: {name}")

    how["environment"] = {name: "0.5", f"HFTBOT__{name}": "0.6"}
    assert read(tmp_path, **how).settings.profit_target_e6 == 6_000

    how["flags"] = [(name, "0.7", "--set")]
    loaded = read(tmp_path, **how)
    assert (loaded.settings.profit_target_e6, loaded.sources[name]) == (
        7_000, "command line: --set")
    assert loaded.origin() == f".env, {config}, command line"


def test_a_strategy_of_ones_own_has_no_preset(tmp_path: pathlib.Path) -> None:
    loaded = read(tmp_path, flags=[("STRATEGY", "mine.py:Mine", "--strategy")])
    assert loaded.sources["PROFIT_TARGET_PCT"] == "default"


def test_a_child_process_gets_the_same_settings(tmp_path: pathlib.Path) -> None:
    first = read(tmp_path, profile="hft", flags=[("SYMBOLS", "ETH/USD,BTC/USD", "--symbols"),
                                                 ("ORDER_SIZE_USD", "12.5", "--set")])
    again = read(tmp_path, environment=first.settings.environment())
    assert again.settings == first.settings
    assert again.settings.digest() == first.settings.digest()


def test_a_child_process_gets_a_size_in_per_cent_and_no_other(tmp_path: pathlib.Path) -> None:
    first = read(tmp_path, flags=[("ORDER_SIZE_PCT", "0.5", "--set")])
    again = read(tmp_path, environment=first.settings.environment())
    assert again.settings == first.settings
    assert again.settings.order_size_pct_e6 == 5_000


@pytest.mark.fault("H1")
def test_sections_in_the_environment(tmp_path: pathlib.Path) -> None:
    loaded = read(tmp_path, environment={"HFTBOT__RISK__COLLAR_BPS": "200"})
    assert loaded.settings.collar_bps == 200
    assert "belongs to section risk" in refusal(
        tmp_path, environment={"HFTBOT__SIM__COLLAR_BPS": "200"})
    assert "unknown section rsk" in refusal(
        tmp_path, environment={"HFTBOT__RSK__COLLAR_BPS": "200"})
    assert "did you mean COLLAR_BPS?" in refusal(
        tmp_path, environment={"HFTBOT__COLAR_BPS": "200"})
    assert read(tmp_path, environment={"COLAR_BPS": "2", "PATH": "x", "SEED": ""}).settings


@pytest.mark.fault("H1")
@pytest.mark.parametrize(("text", "expected"), [
    ("LOOP_INTERVALL_MS=50\n", "unknown key LOOP_INTERVALL_MS (.env:1); did you mean "
                               "LOOP_INTERVAL_MS?"),
    ("\n# x\nSEED=1\nLOOP_INTERVAL_MS=0\n", "LOOP_INTERVAL_MS=0 (.env:4) is not allowed: must be "
                                            "from 1 to 60000 ms"),
    ("SEED=1\nSEED=2\n", "SEED is set twice: .env:1 and .env:2"),
    ("SEED=1\nseed=2\n", "SEED is set twice"),
    ("hunter2\n", ".env:1: this line is not KEY=VALUE"),
    ("SEED='1\n", ".env:1: the quotes do not match"),
    ("=5\n", ".env:1: this line is not KEY=VALUE"),
    ("SEED=\n", "SEED= (.env:1) is not allowed"),
    (b"SEED=\xff\n", "not UTF-8 text (byte 5)"),
    (b"SEED=1\0\n", "zero byte"),
])
def test_bad_lines_are_refused_with_their_place(tmp_path: pathlib.Path, text: str | bytes,
                                                expected: str) -> None:
    write(tmp_path / ".env", text)
    message = refusal(tmp_path)
    assert expected in message
    assert "hunter2" not in message


def test_the_lines_that_are_understood(tmp_path: pathlib.Path) -> None:
    write(tmp_path / ".env",
          b"\xef\xbb\xbfSEED = 3\r\n  STATE_DIR=\"a # b\" # c\r\nFEES='kraken'\n")
    settings = read(tmp_path).settings
    assert (settings.seed, settings.state_dir, settings.fees) == (3, "a # b", "kraken")


def test_flags_are_refused_like_files(tmp_path: pathlib.Path) -> None:
    assert "did you mean ORDER_SIZE_USD?" in refusal(
        tmp_path, flags=[("ORDER_SIZ_USD", "5", "--set")])
    message = refusal(tmp_path, flags=[("SEED", "x", "--seed")])
    assert "SEED=x (command line: --seed)" in message
    message = refusal(tmp_path, flags=[("KRAKEN_API_SECRET", SECRET, "--set")])
    assert "command line" in message
    assert SECRET not in message


@pytest.mark.fault("S4")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
def test_a_secret_that_others_may_read_is_refused(tmp_path: pathlib.Path, mode: int) -> None:
    path = write(tmp_path / ".env", f"KRAKEN_API_SECRET={SECRET}\n", mode)
    message = refusal(tmp_path)
    assert f"run: chmod 600 {path}" in message
    assert f"{mode:04o}" in message
    assert SECRET not in message
    path.chmod(0o600)
    assert read(tmp_path).settings.kraken_api_secret.reveal() == SECRET


def test_the_chmod_line_can_be_pasted(tmp_path: pathlib.Path) -> None:
    here = tmp_path / "my bots"
    here.mkdir()
    path = write(here / ".env", "KRAKEN_API_KEY=abcdef\n", 0o644)
    line = refusal(here).partition("run: ")[2]
    assert os.system(line) == 0
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_secret_no_mode_to_keep(tmp_path: pathlib.Path) -> None:
    write(tmp_path / ".env", "KRAKEN_API_SECRET=\nSEED=2\n", 0o644)
    assert read(tmp_path).settings.seed == 2


@pytest.mark.fault("S4")
def test_secrets_in_config_files_are_guarded_too(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "c.json", json.dumps({"kraken": {"kraken_api_key": "abcdef"}}), 0o644)
    assert f"chmod 600 {path}" in refusal(tmp_path, config=str(path))


def test_secrets_of_later_venues_are_kept_and_guarded(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / ".env", f"POLYMARKET_PK={SECRET}\n", 0o644)
    assert "chmod 600" in refusal(tmp_path)
    path.chmod(0o600)
    other = write(tmp_path / "c.toml", "seed = 2\n", 0o644)
    loaded = read(tmp_path, config=str(other))
    assert [secret.reveal() for secret in loaded.settings.secrets()] == [SECRET]
    assert SECRET not in str(loaded)


def test_aliases_of_secret_names(tmp_path: pathlib.Path) -> None:
    environment = {"KRAKEN_SPOT_API_KEY": "second"}
    assert read(tmp_path, environment=environment).settings.kraken_api_key.reveal() == "second"
    environment["KRAKEN_API_KEY"] = "first"
    assert read(tmp_path, environment=environment).settings.kraken_api_key.reveal() == "first"
    write(tmp_path / ".env", "KRAKEN_API_KEY=first\nKRAKEN_SPOT_API_KEY=second\n")
    assert read(tmp_path).settings.kraken_api_key.reveal() == "first"
    write(tmp_path / ".env", "KRAKEN_SPOT_API_KEY=second\nKRAKEN_API_KEY=first\n")
    assert read(tmp_path).settings.kraken_api_key.reveal() == "first"


def test_the_older_json_section_is_accepted(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "config.json", json.dumps({"fee_free_scalping": {
        "enabled": True, "profit_target": 0.003, "stop_loss": 0.001,
        "max_hold_time_seconds": 240, "rapid_fire_mode": True, "target_daily_trades": 100,
        "max_concurrent_positions": 7}}, indent=4))
    loaded = read(tmp_path, config=str(path))
    settings = loaded.settings
    assert settings.strategy == "micro_scalper"
    assert (settings.profit_target_e6, settings.stop_loss_e6) == (3_000, 1_000)
    assert (settings.max_hold_us, settings.max_positions) == (240_000_000, 7)
    assert loaded.sources["PROFIT_TARGET_PCT"] == f"{path}:4"
    assert (settings.target_daily_trades, settings.rapid_fire_mode) == (100, True)
    assert loaded.sources["TARGET_DAILY_TRADES"] == f"{path}:8"
    assert loaded.notes == ()


# The block as the design prints it, letter by letter.
PRINTED = """{
    "fee_free_scalping": {
        "enabled": true,
        "profit_target": 0.002,
        "stop_loss": 0.001,
        "max_hold_time_seconds": 300,
        "rapid_fire_mode": true,
        "target_daily_trades": 100,
        "max_concurrent_positions": 10
    }
}
"""


def test_the_printed_block_says_what_the_preset_says(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "config.json", PRINTED)
    loaded = read(tmp_path, config=str(path))
    assert loaded.settings == read(tmp_path).settings
    assert loaded.notes == ()
    for line, name in enumerate(("STRATEGY", "PROFIT_TARGET_PCT", "STOP_LOSS_PCT", "MAX_HOLD_S",
                                 "RAPID_FIRE_MODE", "TARGET_DAILY_TRADES", "MAX_POSITIONS"), 3):
        assert loaded.sources[name] == f"{path}:{line}"


@pytest.mark.parametrize(("key", "text", "attribute", "value"), [
    ("profit_target", "0.0031", "profit_target_e6", 3_100),
    ("stop_loss", "0.0007", "stop_loss_e6", 700),
    ("max_hold_time_seconds", "61", "max_hold_us", 61_000_000),
    ("rapid_fire_mode", "false", "rapid_fire_mode", False),
    ("target_daily_trades", "64", "target_daily_trades", 64),
    ("max_concurrent_positions", "3", "max_positions", 3)])
def test_every_key_of_the_block_has_its_effect(tmp_path: pathlib.Path, key: str, text: str,
                                               attribute: str, value: object) -> None:
    lines = [f'        "{key}": {text},' if f'"{key}"' in line else line
             for line in PRINTED.splitlines()]
    changed = "\n".join(lines).replace(",\n    }", "\n    }")
    path = write(tmp_path / "config.json", changed)
    assert getattr(read(tmp_path, config=str(path)).settings, attribute) == value


@pytest.mark.fault("H1")
@pytest.mark.parametrize(("name", "text", "expected"), [
    ("c.json", '{"fee_free_scalping": {"profit_targt": 1}}', "did you mean profit_target?"),
    ("c.json", '{"fee_free_scalping": {"profit_target": "a"}}', "must be a number"),
    ("c.json", '{"fee_free_scalping": {"profit_target": 1e999999}}', "PROFIT_TARGET_PCT"),
    ("c.json", '{"fee_free_scalping": {"enabled": 3}}', "true or false"),
    ("c.json", '{"fee_free_scalping": {"rapid_fire_mode": 1}}', "true or false"),
    ("c.json", '{"fee_free_scalping": {"target_daily_trades": 1.5}}', "TARGET_DAILY_TRADES"),
    ("c.json", '{\n "seed": 1,\n "loop_interval_ms": 0}', "c.json:3) is not allowed"),
    ("c.json", '{"seed": NaN}', "NaN is not a number"),
    ("c.json", '{"seed": 1, "seed": 2}', "'seed' is there twice"),
    ("c.json", '{"seed": 1, "SEED": 2}', "SEED is set twice"),
    ("c.json", '{"seed": null}', "must be a text, a number"),
    ("c.json", '{"seed": true}', "SEED=true"),
    ("c.json", "[1]", "must be a table of keys"),
    ("c.json", '{"seed": ', "c.json: Expecting value"),
    ("c.json", "[" * 100_000, "nested too deeply"),
    ("c.toml", "seed = \n", "c.toml: Invalid value"),
    ("c.toml", "seed = nan\n", "SEED=NaN"),
    ("c.toml", "# x\n\nsed = 1\n", "c.toml:3); did you mean SEED?"),
    ("c.toml", "[rsk]\ncollar_bps = 1\n", "unknown section rsk"),
    ("c.toml", "[sim]\ncollar_bps = 100\n", "COLLAR_BPS (", ),
    ("c.toml", "[risk.deep]\ncollar_bps = 100\n", "must be a text, a number"),
    ("c.toml", "[risk]\ncollar_bps = 9999\n", "c.toml:2) is not allowed: must be from 1 to 5000"),
    ("c.toml", "seed = 2026-01-01\n", "must be a text, a number"),
    ("c.yaml", "seed: 1\n", "ends in .toml or .json"),
])
def test_bad_config_files(tmp_path: pathlib.Path, name: str, text: str, expected: str) -> None:
    path = write(tmp_path / name, text)
    assert expected in refusal(tmp_path, config=str(path))


def test_lists_and_types_of_toml(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path / "c.toml", 'symbols = ["BTC/USD", "ETH/USD"]\ndry_run = false\n'
                 "[strategy]\norder_size_usd = 20.50\nmomentum_threshold = '0.3'\n")
    settings = read(tmp_path, config=str(path)).settings
    assert settings.symbols == ("BTC/USD", "ETH/USD")
    assert not settings.dry_run
    assert str(settings.order_size_usd) == "20.5"
    assert settings.momentum_threshold_e6 == 300_000


@pytest.mark.parametrize("profile", ["../hft", "", "a/b", ".", "a b", "x" * 65])
def test_a_profile_is_a_word_not_a_path(tmp_path: pathlib.Path, profile: str) -> None:
    assert "--profile" in refusal(tmp_path, profile=profile)


def test_an_unknown_profile_names_the_nearest(tmp_path: pathlib.Path) -> None:
    assert "did you mean hft?" in refusal(tmp_path, profile="hfft")
    assert "packaged: hft" in refusal(tmp_path, profile="zzz")


def test_files_that_are_none(tmp_path: pathlib.Path) -> None:
    assert "No such file" in refusal(tmp_path, config=str(tmp_path / "none.toml"))
    assert "not a regular file" in refusal(tmp_path, config=str(tmp_path))
    assert "not a regular file" in refusal(tmp_path, config=os.devnull)
    os.mkfifo(tmp_path / ".env.pipe")
    assert "not a regular file" in refusal(tmp_path, profile="pipe")
    write(tmp_path / "big.json", " " * ((1 << 20) + 1))
    assert "longer than" in refusal(tmp_path, config=str(tmp_path / "big.json"))
    assert "null" in refusal(tmp_path, config="a\0b")


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode), st.lists(
    st.tuples(st.sampled_from(["SEED", "SYMBOLS", "sed", "KRAKEN_API_SECRET", "[risk]", "{"]),
              st.sampled_from(["=", " = ", ":", ""]), st.text(max_size=12)).map("".join),
    max_size=6).map(lambda lines: "\n".join(lines).encode())))
def test_no_file_brings_the_loader_down(tmp_path_factory: pytest.TempPathFactory,
                                        content: bytes) -> None:
    here = tmp_path_factory.getbasetemp() / "fuzz"
    here.mkdir(exist_ok=True)
    for name in (".env", "c.toml", "c.json"):
        path = write(here / name, content)
        with contextlib.suppress(ConfigError):
            read(here, config=None if name == ".env" else str(path))
        path.unlink()


def test_a_size_beyond_its_caps_is_said_and_not_refused(tmp_path: pathlib.Path) -> None:
    write(tmp_path / ".env", "ORDER_SIZE_USD=500\nMAX_POSITION_SIZE_USD=50\nCAPITAL_USD=400\n")
    assert read(tmp_path).notes == (
        "ORDER_SIZE_USD=500 is more than MAX_POSITION_SIZE_USD=50, which caps it",
        "ORDER_SIZE_USD=500 is more than CAPITAL_USD=400, which caps it")
    write(tmp_path / ".env", "ORDER_SIZE_PCT=10\nMAX_POSITION_SIZE_USD=50\n")
    assert read(tmp_path).notes == ()
    write(tmp_path / ".env", "ORDER_SIZE_PCT=10\nORDER_SIZE_USD=50\n")
    told = refusal(tmp_path)
    assert "ORDER_SIZE_USD=50 (.env:2)" in told
    assert "ORDER_SIZE_PCT=10" in told
    write(tmp_path / ".env", "ENTRIES_IN_FLIGHT=6\n")
    assert "ENTRIES_IN_FLIGHT=6" in refusal(tmp_path)
