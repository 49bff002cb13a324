"""What stands at the head of a journal, for whoever reads it later."""

from __future__ import annotations

from collections.abc import Sequence

from hftbot import __version__
from hftbot.config.schema import Settings
from hftbot.words.instrument import Instrument

SCHEMA = 2


def journal_header(settings: Settings, run: int, instruments: Sequence[Instrument], account: str,
                   strategy: str, now_us: int) -> bytes:
    """Pairs of words; see ``journal_reader.header_words``."""
    return (f"hftbot {__version__} run {run} settings {settings.digest()} "
            f"schema {SCHEMA} account {account} started {now_us} "
            f"strategies {'_'.join(strategy.split())} "
            f"grids {','.join(_grid_text(grid) for grid in instruments)} "
            f"symbols {','.join(grid.symbol for grid in instruments)}").encode()


def _grid_text(grid: Instrument) -> str:
    """The numbers that turn ticks and lots into prices and sizes."""
    return f"{grid.price_precision}:{grid.qty_precision}:{grid.tick_units}:{grid.lot_units}"
