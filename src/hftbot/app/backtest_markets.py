"""The markets of a backtest: recorded data, their grids, and what a lot of each is worth."""

from __future__ import annotations

import argparse
import itertools
from decimal import Decimal
from typing import Any

import numpy as np

from fastcore.sim import model_codes as kinds
from hftbot.app import backtest_models as models
from hftbot.app.backtest_run import Market
from hftbot.backtest.data import open_rows
from hftbot.backtest.event_file import CLEAR
from hftbot.backtest.event_rows import KIND_MASK
from hftbot.backtest.market import instrument_of, lot_of
from hftbot.backtest.row_checks import BBO, CUSTOM
from hftbot.config.schema import Settings
from hftbot.errors import ConfigError

# The guard counts in 1e-10 quote units of 62 bits.
TICK_LOT_MAX = Decimal(10**8)


def markets_of(options: argparse.Namespace, settings: Settings) -> tuple[Market, ...]:
    """Open every ``--data`` and give it its models. Raises ConfigError and DataError."""
    wanted = list(settings.symbols) if options.symbols else []
    for flag, given in (("--tick", options.tick), ("--lot", options.lot)):
        if len(given) > len(options.data):
            raise ConfigError(f"{flag} is given {len(given)} times and there are "
                              f"{len(options.data)} --data: at most one for each, in their order")
    columns = zip(options.data, *(_padded(each, len(options.data))
                                  for each in (wanted, options.tick, options.lot)), strict=True)
    opened = [open_rows([part for part in path.split(",") if part], if_several=name,
                        tick_size=tick, lot_size=lot) for path, name, tick, lot in columns]
    names = wanted or [rows.symbol for rows in opened]
    if len(names) != len(opened):
        raise ConfigError(f"--symbols names {len(names)} and there are {len(opened)} --data: name "
                          "one market for each, in their order")
    markets: list[Market] = []
    for index, (rows, name) in enumerate(zip(opened, names, strict=True)):
        market = _market(index, name, rows, options, settings)
        if any(other.grid.symbol == market.grid.symbol for other in markets):
            raise ConfigError(f"two --data hold {market.grid.symbol}: give files that continue "
                              "each other as --data FIRST,SECOND")
        markets.append(market)
    return tuple(markets)


def _padded(values: list[Any], length: int) -> list[Any]:
    return list(itertools.islice(itertools.chain(values, itertools.repeat(None)), length))


def _market(index: int, name: str, rows: Any, options: argparse.Namespace,
            settings: Settings) -> Market:
    models.refuse_other_rows(options.exchange, rows)
    fees = models.fee_choice(
        options.fee_model, instrument_of(index, name, rows.tick_size, rows.lot_size).symbol)
    if options.contract == "binary" or fees.model.kind == kinds.CURVE:
        _refuse_above_one(rows, "--contract binary" if options.contract == "binary"
                          else "--fees polymarket")
    lot = lot_of(rows, options.contract, options.contract_size)
    if rows.tick_size * lot > TICK_LOT_MAX:
        raise ConfigError(f"{rows.paths[0]}: one lot at one tick is worth "
                          f"{rows.tick_size * lot:g}, more than a guard can count "
                          f"({TICK_LOT_MAX:g}); give smaller --tick, --lot or --contract-size")
    grid = instrument_of(index, name, rows.tick_size, lot, *fees.rates_e6)
    latency = models.latency_choice(options.latency, settings, venue_of(rows.format), rows)
    return Market(rows, grid, fees, latency)


def _refuse_above_one(rows: Any, flag: str) -> None:
    """A contract that pays 1 or 0 is never worth more than 1: another price is another market."""
    kind = rows.array["ev"] & np.uint64(KIND_MASK)
    wrong = (rows.array["px"] > 1.0) & (kind != CLEAR) & (kind != BBO) & (kind < CUSTOM)
    if wrong.any():
        row = int(wrong.argmax())
        raise ConfigError(f"{rows.paths[0]}: row {row}: price {rows.array['px'][row]:g} is above "
                          f"1, and {flag} is for contracts that pay 1 or 0; leave the flag out or "
                          "give other data")


def venue_of(format_name: str) -> str:
    """The venue that a format of data belongs to; empty if it does not say."""
    word = format_name.lower().split(" ")[0]
    return word if word == "kraken" or word in models.VENUES_NS else ""
