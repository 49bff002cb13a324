"""The commands that touch a venue beside `run`: flatten, cancel-all, livetest, markets, init."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable
from typing import Any

from hftbot.app import texts_live
from hftbot.app.cli_flags import Commands, add_json, add_sources, add_state, declare
from hftbot.errors import ConfigError


def add(commands: Commands) -> None:
    """Declare them."""
    flatten = declare(commands, "flatten", texts_live.FLATTEN, command_flatten)
    flatten.add_argument("--symbol", metavar="NAME", action="append", default=[],
                         help="only this market; may be given several times")
    cancel = declare(commands, "cancel-all", texts_live.CANCEL_ALL, command_cancel_all)
    test = declare(commands, "livetest", texts_live.LIVETEST, command_livetest)
    test.add_argument("--symbols", metavar="LIST", help="the first market of this list is tried")
    markets = declare(commands, "markets", texts_live.MARKETS, command_markets)
    markets.add_argument("--quote", metavar="ASSET", help="only markets paid in this asset")
    for parser in (flatten, cancel, test):
        parser.add_argument("--exchange", metavar="URL",
                            help="an `hftbot exchange` that you started yourself")
        add_state(parser)
    for parser in (flatten, cancel, test, markets):
        parser.add_argument("--live", action="store_true",
                            help="on the real venue" if parser is markets else
                            "on the real venue, real money; needs DRY_RUN=0 as well")
        add_json(parser)
        add_sources(parser)
    init = declare(commands, "init", texts_live.INIT, command_init)
    init.add_argument("--out", metavar="FILE", default=".env", help="where to (default .env)")
    init.add_argument("--force", action="store_true", help="replace a file that is there")
    init.add_argument("--json", action="store_true", help="one JSON object")


def command_flatten(options: argparse.Namespace) -> int:
    """``hftbot flatten``"""
    from hftbot.app import closing
    return closing.flatten(_loaded(options), options)


def command_cancel_all(options: argparse.Namespace) -> int:
    """``hftbot cancel-all``"""
    from hftbot.app import closing
    return closing.cancel_all(_loaded(options), options)


def command_livetest(options: argparse.Namespace) -> int:
    """``hftbot livetest``"""
    from hftbot.app import closing
    return closing.livetest(_loaded(options), options)


def command_markets(options: argparse.Namespace) -> int:
    """``hftbot markets``"""
    from hftbot.app import markets
    return markets.command(_loaded(options).settings, options.quote, options.live, options.json)


def command_init(options: argparse.Namespace) -> int:
    """``hftbot init``"""
    from hftbot.app import configuration
    return configuration.init(options.out, options.force, options.json)


def told(json_wanted: bool, command: Callable[[], int],
         content: Callable[[int], dict[str, Any]]) -> int:
    """Run a command that prints sentences; with ``json_wanted`` they go to standard error.

    Standard output then gets ``content`` of the exit code, as one object, and nothing else.
    """
    if not json_wanted:
        return command()
    with contextlib.redirect_stdout(sys.stderr):
        code = command()
    print(json.dumps({"exit_code": code, **content(code)}))
    return code


def undisputed(flags: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """The same flags, if none of them names a venue that --live is not. Raises ConfigError."""
    for name, text, said in flags:
        if name.upper() == "VENUE" and text.strip().lower() != "live":
            raise ConfigError(f"--live and {said} {'VENUE=' * (said == '--set')}{text[:20]} "
                              "contradict each other, and --live moves real money: give one of "
                              "them")
    return flags


def _loaded(options: argparse.Namespace) -> Any:
    from hftbot.app.cli import load_settings
    loaded = load_settings(options)
    if loaded.settings.venue == "live" and not options.live:
        raise ConfigError("VENUE=live risks real money and needs --live on the command line too")
    return loaded
