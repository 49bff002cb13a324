"""venue.kraken.rules: modes, grids."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from hftbot import errors
from hftbot.venue.kraken import codec, rules
from hftbot.words.market import VenueMode
from hftbot.words.secret import Secret
from kraken_frames import FIXTURES, fixture_lines, needs_fixtures

KEY, SECRET = Secret("the-key"), Secret("c2VjcmV0")


@pytest.mark.parametrize(("system", "mode"), [
    ("online", VenueMode.OPEN), ("post_only", VenueMode.POST_ONLY),
    ("cancel_only", VenueMode.CANCEL_ONLY), ("maintenance", VenueMode.DOWN),
    ("a new word", VenueMode.DOWN)])
def test_modes(system, mode):
    assert rules.mode_of(system) is mode


def instrument_frame(**changes):
    pair = {"symbol": "BTC/USD", "base": "BTC", "quote": "USD", "status": "online",
            "qty_precision": 8, "qty_increment": "1e-08", "price_precision": 1,
            "cost_precision": 5, "cost_min": "0.5", "tick_size": "0.1", "price_increment": "0.1",
            "qty_min": "5e-05"}
    pair.update(changes)
    numeric = {"qty_increment", "cost_min", "tick_size", "price_increment", "qty_min",
               "qty_precision", "price_precision", "cost_precision"}
    text = ",".join(f'"{key}":{value if key in numeric else json.dumps(value)}'
                    for key, value in pair.items())
    return codec.parse(f'{{"channel":"instrument","type":"snapshot","data":{{"assets":[],'
                       f'"pairs":[{{{text}}}]}}}}'.encode())


def test_an_instrument_row_becomes_an_exact_instrument():
    row, = rules.instruments_from(instrument_frame())
    btc = rules.instrument_from_row(row, 3, maker_fee_e6=2500, taker_fee_e6=4000)
    assert (btc.index, btc.symbol, btc.base, btc.quote) == (3, "BTC/USD", "BTC", "USD")
    assert (btc.price_precision, btc.qty_precision) == (1, 8)
    assert (btc.tick_units, btc.lot_units, btc.lots_min) == (1, 1, 5000)
    assert btc.cost_min == Decimal("0.5")
    assert (btc.maker_fee_e6, btc.taker_fee_e6) == (2500, 4000)


def test_a_tick_is_the_increment_and_a_minimum_is_rounded_up_to_lots():
    row, = rules.instruments_from(instrument_frame(
        price_precision=2, price_increment="0.25", qty_precision=4, qty_increment="0.003",
        qty_min="0.01"))
    grid = rules.instrument_from_row(row, 0)
    assert grid.tick_units == 25
    assert grid.lot_units == 30
    assert grid.lots_min == 4


@pytest.mark.parametrize("changes", [
    {"price_increment": "0.01"}, {"price_increment": "0"}, {"qty_increment": "-1e-08"},
    {"price_precision": "-1"}, {"qty_precision": "99"}, {"symbol": None}, {"cost_min": '"x"'},
    {"qty_min": "1e-09"}])
def test_a_row_that_cannot_be_is_left_out(changes):
    assert rules.instruments_from(instrument_frame(**changes)) == []


def test_other_messages_are_not_instruments():
    for frame in (b'{"channel":"book","data":{}}', b'{"channel":"instrument","data":[]}',
                  b'{"channel":"instrument","data":{"pairs":1}}',
                  b'{"channel":"instrument","data":{"pairs":[1]}}'):
        with pytest.raises(errors.BadFrame):
            rules.instruments_from(codec.parse(frame))


@needs_fixtures
def test_recorded_instruments_are_read():
    frames = [codec.parse(line) for line in fixture_lines(
        "ws_public/asyncrs_instrument_snapshot_excerpt.jsonl", "docs_examples/instrument_03.json")]
    pairs = {row.symbol: row for frame in frames for row in rules.instruments_from(frame)}
    assert pairs["EUR/USD"].tick_units == 1
    assert pairs["EUR/USD"].price_precision == 5
    assert pairs["MATIC/GBP"].qty_min_units == 400_000_000
    assert pairs["MATIC/GBP"].cost_min == Decimal("0.43")
    row = codec.parse((FIXTURES / "ws_public/instrument_pair_row_btcusd_2026-08.json").read_bytes())
    real = rules._pair(row)
    assert (real.tick_units, real.lot_units, real.qty_min_units) == (1, 1, 5000)
