"""``hftbot flatten``, ``cancel-all`` and ``livetest``: by the running bot, or without one."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

from hftbot.app.exit_codes import EXIT_NOT_VERIFIED
from hftbot.app.load import Loaded
from hftbot.app.options import FLATTEN, LIVETEST, TRADE, RunOptions, check_run
from hftbot.config.schema import Settings
from hftbot.errors import ConfigError, HftbotError, NoBot
from hftbot.live.control import CONTROL_FILE, ask
from hftbot.watch import report, status

FLATTEN_S = 60.0
CANCEL_S = 60.0


def flatten(loaded: Loaded, options: argparse.Namespace) -> int:
    """Close positions: ask the bot of the state directory, else do it alone.

    0 if nothing is held and the venue said so, 4 if that is not so or not known.
    """
    wishes = _wishes(loaded, options, FLATTEN)
    symbols = [name.strip().upper() for name in options.symbol]
    folder = _folder(loaded.settings)
    try:
        count = max(1, len(symbols) or len(loaded.settings.symbols))
        answer = ask(folder / CONTROL_FILE, {"do": "flatten", "symbols": symbols},
                     FLATTEN_S * count)
    except NoBot:
        refuse_other_world(folder, loaded.settings)
        for symbol in symbols:
            if symbol not in loaded.settings.symbols:
                raise ConfigError(f"--symbol {symbol[:40]}: not among SYMBOLS="
                                  f"{','.join(loaded.settings.symbols)}") from None
        from hftbot.app import compose
        return compose.run(loaded.settings, wishes)
    _print(answer, options.json, [
        *answer.get("lines", []), "these markets stay closed until the bot starts again"])
    return 0 if answer.get("flat") is True else EXIT_NOT_VERIFIED


def cancel_all(loaded: Loaded, options: argparse.Namespace) -> int:
    """Cancel orders: the running bot's own by the bot, else every one of the account.

    0 if the venue said that none is left, 4 otherwise.
    """
    wishes = _wishes(loaded, options, "cancel-all")
    folder = _folder(loaded.settings)
    try:
        answer = ask(folder / CONTROL_FILE, {"do": "cancel-all"}, CANCEL_S)
        lines = [f"asked for the end of {answer.get('asked')} orders of the running bot",
                 _left(answer.get("open_orders"))]
    except NoBot:
        refuse_other_world(folder, loaded.settings)
        from hftbot.app import cancelling
        answer = asyncio.run(cancelling.cancel_account(loaded.settings, wishes, folder))
        lines = [str(answer["told"])]
        if answer["served"]:
            lines.append(_left(answer["open_orders"]))
    _print(answer, options.json, lines)
    return 0 if answer.get("open_orders") == 0 else EXIT_NOT_VERIFIED


def livetest(loaded: Loaded, options: argparse.Namespace) -> int:
    """Place, amend and cancel one deep post-only order of the venue's minimum."""
    from hftbot.app import compose
    return compose.run(loaded.settings, _wishes(loaded, options, LIVETEST))


def _wishes(loaded: Loaded, options: argparse.Namespace, job: str) -> RunOptions:
    """What the run would be told; refused as a run is, before anything is asked."""
    wishes = RunOptions(exchange_url=options.exchange, json=options.json, live=options.live,
                        job=job, only=tuple(name.strip().upper() for name in
                                            getattr(options, "symbol", ())),
                        duration_s=60.0 if job == LIVETEST else None,
                        origin=loaded.origin(), notes=loaded.notes)
    assert job != TRADE
    check_run(loaded.settings, wishes)
    return wishes


def refuse_other_world(folder: Path, settings: Settings) -> None:
    """Who traded live here and forgets --live must not hear that nothing is open or held.

    Raises ConfigError.
    """
    try:
        mode = status.read(folder / status.STATUS_FILE).get("mode")
    except HftbotError:
        return
    if mode == report.MODE_LIVE and settings.venue != "live":
        raise ConfigError(f"the last bot in {folder} traded live, and without --live only the "
                          "embedded exchange would be asked: give --live and DRY_RUN=0, or another "
                          "--state")


def _folder(settings: Settings) -> Path:
    return Path(settings.state_dir).expanduser().absolute()


def _left(count: Any) -> str:
    if count is None:
        return "the venue could not be asked whether one is left open"
    return "no order is open: the venue was asked" if count == 0 else \
        f"{count} orders are still open at the venue"


def _print(answer: dict[str, Any], json_wanted: bool, lines: list[str]) -> None:
    if json_wanted:
        print(json.dumps(answer))
        return
    for line in lines:
        print(line)
