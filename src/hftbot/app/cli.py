"""The command line. Every command parses its flags, loads what it needs, and returns an exit code.

Heavy modules are imported inside the commands, so that ``hftbot --help`` answers at once.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from hftbot import __version__
from hftbot.app import cli_backtest, cli_files, cli_live, cli_parity, texts
from hftbot.app.cli_flags import (
    Commands,
    Parser,
    add_json,
    add_sources,
    add_state,
    declare,
    duration,
    port,
    run_number,
)
from hftbot.app.exit_codes import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_PIPE, EXIT_UNEXPECTED
from hftbot.errors import ConfigError, HftbotError

if TYPE_CHECKING:
    from hftbot.app.load import Loaded

# Flags that are settings under another name.
SETTING_FLAGS = {"symbols": "SYMBOLS", "venue": "VENUE", "strategy": "STRATEGY",
                 "state": "STATE_DIR", "fees": "FEES", "seed": "SEED", "busy_poll": "BUSY_POLL",
                 "log_format": "LOG_FORMAT", "linger": "LINGER_S"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code of the process. Prints no traceback."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _tolerate_narrow_terminals()
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
        return code
    except HftbotError as error:
        return _complain(error, error.exit_code)
    except BrokenPipeError:
        return _closed_pipe()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except ImportError as error:
        return _missing(error, arguments)
    except Exception as error:
        return _unexpected(error, arguments)
    except BaseException as error:
        # By name: asyncio is not loaded for this. A signal cancels a run that has not begun.
        if type(error).__name__ == "CancelledError":
            return EXIT_INTERRUPTED
        raise


def _tolerate_narrow_terminals() -> None:
    """A terminal without the micro sign gets a question mark, not an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _dispatch(arguments: list[str]) -> int:
    parser = build_parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        _refuse_flag(unknown[0], options)
    command: Callable[[argparse.Namespace], int] | None = getattr(options, "command", None)
    if command is None:
        parser.print_help()
        return 0
    if command not in (command_run, command_exchange) and (
            signal.getsignal(signal.SIGINT) is signal.SIG_DFL):
        # The two that serve take it themselves, once everything is imported.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return command(options)


class _Wide(argparse.RawDescriptionHelpFormatter):
    """Commands and what they do on one line each."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        # argparse forgets the indent of commands when it looks for the longest.
        self._action_max_length = 14


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; ``command`` of the result is the function to call."""
    parser = Parser(prog="hftbot", description=texts.PROGRAM, epilog=texts.PROGRAM_EXAMPLES,
                     formatter_class=_Wide, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"hftbot {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    _add_run(commands)
    _add_exchange(commands)
    _add_guardian(commands)
    _add_halts(commands)
    cli_live.add(commands)
    cli_files.add(commands)
    cli_backtest.add(commands)
    cli_parity.add(commands)
    _add_reports(commands)
    _add_top(commands)
    _add_journal(commands)
    _add_config(commands)
    return parser


def _add_run(commands: Commands) -> None:
    parser = declare(commands, "run", texts.RUN, command_run)
    what = parser.add_argument_group("what to trade")
    what.add_argument("--symbols", metavar="LIST", help="markets, such as BTC/USD,ETH/USD")
    what.add_argument("--strategy", metavar="NAME",
                      help="micro_scalper, spread_maker, or your own: path/to/file.py:Class")
    where = parser.add_argument_group("where")
    where.add_argument("--venue", metavar="sim|paper", choices=("sim", "paper"),
                       help="sim: the embedded exchange (default); paper: the real market of "
                            "KRAKEN_WS_URL, orders filled here")
    where.add_argument("--replay", metavar="FILE",
                       help="play recorded market data instead of the synthetic market")
    where.add_argument("--record", metavar="FILE",
                       help="keep the market's frames in a new file, for replay and `parity`")
    where.add_argument("--exchange", metavar="URL",
                       help="trade on an `hftbot exchange` that you started yourself")
    where.add_argument("--faults", metavar="seed:N",
                       help="the embedded exchange drops, repeats, delays and refuses by this plan")
    where.add_argument("--live", action="store_true",
                       help="real venue, real money; orders leave only with DRY_RUN=0 as well")
    where.add_argument("--fees", metavar="free|kraken|TIER",
                       help="fees of the embedded account; a tier is a 30-day volume such as 250k")
    where.add_argument("--seed", metavar="N", help="seed of the synthetic market")
    how = parser.add_argument_group("how long, and what stays")
    how.add_argument("--duration", metavar="S", type=duration,
                     help="stop after S seconds (default: at Ctrl-C or at the end of data)")
    how.add_argument("--state", metavar="DIR", help="state directory (default hftbot-state)")
    how.add_argument("--fresh", action="store_true",
                     help="archive the journal and the embedded account, and begin anew")
    how.add_argument("--json", action="store_true",
                     help="print one JSON object at the end on standard output, and nothing else")
    how.add_argument("--plain", action="store_true",
                     help="print lines; without it a terminal shows the live view")
    how.add_argument("--busy-poll", metavar="off|on|adaptive", help="spin for the next frame")
    how.add_argument("--log-format", metavar="text|json", help="lines of bot_hft.log")
    add_sources(parser)


def _add_exchange(commands: Commands) -> None:
    parser = declare(commands, "exchange", texts.EXCHANGE, command_exchange)
    parser.add_argument("--port", metavar="N", type=port, default=0,
                        help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--tls-cert", metavar="FILE", default="",
                        help="PEM certificate: serve https and wss; needs --tls-key")
    parser.add_argument("--tls-key", metavar="FILE", default="", help="its PEM key")
    parser.add_argument("--symbols", metavar="LIST", help="markets to list")
    parser.add_argument("--replay", metavar="FILE", help="serve recorded market data")
    parser.add_argument("--faults", metavar="seed:N",
                        help="drop, repeat, delay and refuse by this plan")
    parser.add_argument("--switch", metavar="NAME=VALUE", action="append", default=[],
                        help="choose how the venue behaves where its documentation is silent; "
                             "`--switch help` lists what there is")
    parser.add_argument("--fees", metavar="free|kraken|TIER", help="fee schedule")
    parser.add_argument("--seed", metavar="N", help="seed of the synthetic market")
    add_state(parser)
    parser.add_argument("--duration", metavar="S", type=duration, help="stop after S seconds")
    parser.add_argument("--fresh", action="store_true", help="archive the account, begin anew")
    parser.add_argument("--json", action="store_true", help="print the URLs as one JSON object")
    parser.add_argument("--linger", metavar="S", help="with --with-bot: serve on for S seconds")
    parser.add_argument("--with-bot", action="store_true",
                        help="stop LINGER_S seconds after standard input closes")
    parser.add_argument("--log-format", metavar="text|json", help="lines of the log")
    add_sources(parser)


def _add_guardian(commands: Commands) -> None:
    declare(commands, "guardian", texts.GUARDIAN, command_guardian)


def _add_halts(commands: Commands) -> None:
    kill = declare(commands, "kill", texts.KILL, command_kill)
    kill.add_argument("--reason", metavar="TEXT", default="by `hftbot kill`",
                      help="what the next start shall say")
    resume = declare(commands, "resume", texts.RESUME, command_resume)
    resume.add_argument("--yes", action="store_true", help="clear the halt")
    for parser in (kill, resume):
        add_state(parser)
        add_json(parser)
        add_sources(parser)


def _add_reports(commands: Commands) -> None:
    for name, words, call in (("latency", texts.LATENCY, command_latency),
                              ("status", texts.STATUS, command_status),
                              ("report", texts.REPORT, command_report),
                              ("doctor", texts.DOCTOR, command_doctor)):
        parser = declare(commands, name, words, call)
        add_state(parser)
        add_json(parser)
        if call is command_doctor:
            parser.add_argument("--live", action="store_true",
                                help="ask the real venue too: addresses, clock, key rights, fees")
        add_sources(parser)


def _add_top(commands: Commands) -> None:
    parser = declare(commands, "top", texts.TOP, command_top)
    add_state(parser)
    parser.add_argument("--with-bot", action="store_true", help=argparse.SUPPRESS)
    add_sources(parser)


def _add_journal(commands: Commands) -> None:
    parser = declare(commands, "journal", texts.JOURNAL, command_journal)
    parser.add_argument("what", choices=("show", "verify", "replay", "rebuild"),
                        help="show: every record of one run; verify: check the journals of all; "
                             "replay: the state that one run's records give; rebuild: bot_hft.db "
                             "from all journals")
    parser.add_argument("--run", metavar="N", type=run_number,
                        help="this run (default: show and replay the last one, verify all)")
    add_state(parser)
    add_json(parser)
    add_sources(parser)


def _add_config(commands: Commands) -> None:
    parser = declare(commands, "config", texts.CONFIG, command_config)
    parser.add_argument("what", choices=("show", "keys"),
                        help="show: values in force and their sources; keys: every key explained")
    add_json(parser)
    add_sources(parser)


def _refuse_flag(word: str, options: argparse.Namespace) -> NoReturn:
    parser = getattr(options, "parser", None) or build_parser()
    flag = word.split("=")[0]
    if not flag.startswith("-"):
        raise ConfigError(f"unexpected argument {word[:60]!r} (see `{parser.prog} --help`)")
    import difflib
    known = [name for action in parser._actions for name in action.option_strings]
    close = difflib.get_close_matches(flag, known, n=1, cutoff=0.5)
    remedy = f"; did you mean {close[0]}?" if close else ""
    raise ConfigError(f"unknown flag {flag[:60]}{remedy} (see `{parser.prog} --help`)")


def load_settings(options: argparse.Namespace) -> Loaded:
    """Settings in force for these flags. Raises ConfigError."""
    from hftbot.app.load import load
    flags: list[tuple[str, str, str]] = []
    for assignment in options.set:
        name, equals, text = assignment.partition("=")
        if not equals or not name.strip():
            raise ConfigError("--set needs KEY=VALUE, such as --set ORDER_SIZE_USD=50")
        flags.append((name.strip(), text, "--set"))
    for attribute, name in SETTING_FLAGS.items():
        text = getattr(options, attribute, None)
        if text is not None:
            flags.append((name, text, "--" + attribute.replace("_", "-")))
    if getattr(options, "live", False) is True:
        flags = [*cli_live.undisputed(flags), ("VENUE", "live", "--live")]
    return load(profile=options.profile, config=options.config, flags=flags)


def command_run(options: argparse.Namespace) -> int:
    """``hftbot run``"""
    from hftbot.app.options import RunOptions, check_run
    loaded = load_settings(options)
    wishes = RunOptions(duration_s=options.duration, replay=options.replay, record=options.record,
                        exchange_url=options.exchange, json=options.json, fresh=options.fresh,
                        plain=options.plain, faults_seed=_faults_seed(options),
                        live=options.live, origin=loaded.origin(),
                        notes=(*loaded.notes, *_real_money(loaded)))
    check_run(loaded.settings, wishes)
    from hftbot.app import compose, dying
    dying.arm(os.environ)
    return int(compose.run(loaded.settings, wishes))


def _real_money(loaded: Loaded) -> list[str]:
    """Who said that orders may leave, for the banner."""
    if loaded.settings.venue != "live" or loaded.settings.dry_run:
        return []
    return [f"DRY_RUN=0 was said by {loaded.sources['DRY_RUN']}"]


def command_exchange(options: argparse.Namespace) -> int:
    """``hftbot exchange``"""
    from hftbot.app.options import ExchangeOptions
    from hftbot.exchange.settings import switch_values, switched
    if "help" in options.switch:
        for name, words in switch_values().items():
            print(f"{name}: {' | '.join(words)}")
        return 0
    # Before anything is archived or started for it.
    switched(options.switch)
    loaded = load_settings(options)
    wishes = ExchangeOptions(port=options.port, tls_cert=options.tls_cert,
                             tls_key=options.tls_key, duration_s=options.duration,
                             replay=options.replay,
                             faults_seed=_faults_seed(options),
                             json=options.json, fresh=options.fresh, with_bot=options.with_bot,
                             switches=tuple(options.switch),
                             origin=loaded.origin(), notes=loaded.notes)
    from hftbot.app import compose
    return int(compose.exchange(loaded.settings, wishes))


def command_guardian(options: argparse.Namespace) -> int:
    """``hftbot guardian``"""
    from hftbot.app import guardian
    return guardian.run()


def _faults_seed(options: argparse.Namespace) -> int | None:
    if options.faults is None:
        return None
    from hftbot.exchange import faults
    return faults.parse(options.faults)


def command_kill(options: argparse.Namespace) -> int:
    """``hftbot kill``"""
    from hftbot.app import halting
    folder = _state_dir(options)
    return cli_live.told(options.json, lambda: halting.kill(folder, options.reason),
                         lambda code: {"halted": True, "verified_none_open": code == 0})


def command_resume(options: argparse.Namespace) -> int:
    """``hftbot resume``"""
    import time

    from hftbot.app import halting
    folder = _state_dir(options)
    halts = halting.content(folder) if options.json else {}
    return cli_live.told(options.json,
                         lambda: halting.resume(folder, options.yes, time.time_ns() // 1_000),
                         lambda code: {"cleared": options.yes, **halts})


def _state_dir(options: argparse.Namespace) -> str:
    """The directory by its flag, even if a setting is wrong: a kill must not wait for that."""
    return str(options.state or load_settings(options).settings.state_dir)


def command_latency(options: argparse.Namespace) -> int:
    """``hftbot latency``"""
    from hftbot.watch import latency_log, status
    folder = Path(load_settings(options).settings.state_dir).expanduser()
    # A run writes its log with each report; the status has the latencies of the last second.
    statistics = (latency_log.read(folder / status.LATENCY_LOG)
                  or status.latencies(folder / status.STATUS_FILE))
    if options.json:
        print(status.as_json(statistics))
    else:
        from hftbot.timing import latency_report
        print(latency_report(statistics), end="")
    return 0


def command_status(options: argparse.Namespace) -> int:
    """``hftbot status``"""
    import time

    from hftbot.watch import status
    folder = Path(load_settings(options).settings.state_dir).expanduser()
    content = status.read(folder / status.STATUS_FILE)
    alive = status.is_alive(content)
    if options.json:
        print(status.as_json({**content, "alive": alive}))
    else:
        print(status.text(content, alive, time.time_ns() // 1_000))
    return 0 if alive else EXIT_FAILED


def command_report(options: argparse.Namespace) -> int:
    """``hftbot report``"""
    from hftbot.app import reporting
    folder = Path(_state_dir(options)).expanduser().absolute()
    return reporting.command(folder, options.json)


def command_top(options: argparse.Namespace) -> int:
    """``hftbot top``"""
    from hftbot.app import top
    return top.run(Path(_state_dir(options)).expanduser().absolute(), options.with_bot)


def command_doctor(options: argparse.Namespace) -> int:
    """``hftbot doctor``"""
    from hftbot.app import doctor
    loaded = load_settings(options)
    return doctor.report(loaded.settings, options.json, loaded.sources, options.live)


def command_journal(options: argparse.Namespace) -> int:
    """``hftbot journal show``, ``verify``, ``replay`` and ``rebuild``"""
    from hftbot.app import journal
    folder = Path(load_settings(options).settings.state_dir).expanduser().absolute()
    if options.what == "rebuild":
        from hftbot.app import ledger
        return ledger.command(folder, options.json)
    command = {"show": journal.show, "verify": journal.verify, "replay": journal.replay}
    return command[options.what](folder, options.run, options.json)


def command_config(options: argparse.Namespace) -> int:
    """``hftbot config show`` and ``hftbot config keys``"""
    from hftbot.app import configuration
    if options.what == "keys":
        print(configuration.keys_text(options.json))
    else:
        print(configuration.show_text(load_settings(options), options.json))
    return 0


def _complain(error: BaseException, code: int) -> int:
    from hftbot.app import crash
    line = crash.redacted(" ".join(str(error).split()) or type(error).__name__, error)
    print(f"hftbot: error: {line}", file=sys.stderr)
    return code


def _missing(error: ImportError, arguments: Sequence[str]) -> int:
    """A core that is not compiled, or a package that is not installed: say so, not where."""
    package = (error.name or "").split(".")[0]
    if (error.name or str(error)).startswith("fastcore"):
        return _complain(error, EXIT_FAILED)
    if isinstance(error, ModuleNotFoundError) and package and package != "hftbot":
        return _complain(HftbotError(f"the package {package} is missing; `hftbot doctor` says what "
                                     "to install"), EXIT_FAILED)
    return _unexpected(error, arguments)


def _closed_pipe() -> int:
    """Whoever read our output has gone; say nothing, now or at interpreter exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return EXIT_PIPE


def _unexpected(error: BaseException, arguments: Sequence[str]) -> int:
    """A fault of ours: one line for the user, the traceback in a file."""
    from hftbot.app import crash
    where = crash.keep(error, arguments)
    return _complain(RuntimeError(f"unexpected {type(error).__name__}; this is a fault of hftbot; "
                                  f"its traceback is in {where}"), EXIT_UNEXPECTED)
