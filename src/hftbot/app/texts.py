"""The words of ``--help``: for each command one line, a paragraph, and examples that work."""

from __future__ import annotations

PROGRAM = """\
High-frequency trading bot. Without --live everything is simulated: an embedded exchange on
127.0.0.1, no key, no network, no real money."""

PROGRAM_EXAMPLES = """\
examples:
  hftbot run --profile hft --duration 60     trade one minute on the simulated market
  hftbot run --profile hft                   the same, until Ctrl-C
  hftbot config show --profile hft           which settings are in force, and why
  hftbot kill                                halt the running bot, cancel all, stay halted
  hftbot doctor                              is this machine ready?
  hftbot COMMAND --help                      more about one command

exit codes:
  0    done
  1    the run failed; `status`, `latency`, `journal`: nothing to show; `doctor`, `journal
       verify`: a check failed
  2    wrong flag, setting or data file; nothing was started
  3    the state directory cannot be used (in use, not writable, damaged)
  4    the run (or `kill`, `cancel-all`) could not verify that no order is left open, or
       `flatten` (or ON_STOP, ON_HALT) that nothing is held
  5    the guard halted the run, or a halt forbids it to start until `hftbot resume --yes`
  6    `guardian`: the bot fell silent; everything was cancelled, and none is open
  7    --live is refused: a precondition does not hold, and is named; nothing was sent
  70   a fault of hftbot; the line printed says where its traceback is
  130  interrupted before trading began
  141  whoever read the output closed it"""

RUN = (
    "trade (simulated unless --live)",
    """\
Starts the embedded exchange, connects to it as it would to Kraken, and trades. Ctrl-C drains:
no new orders, all orders cancelled, positions kept. A second Ctrl-C still cancels orders.
Progress goes to the terminal, everything else to the state directory: bot_hft.log,
bot_hft.db (SQLite), latency.hlog, the journal, and the account of the embedded exchange.""",
    """\
examples:
  hftbot run --profile hft --duration 60
  hftbot run --profile hft --symbols BTC/USD,ETH/USD --seed 7
  hftbot run --profile hft --replay btcusdt.npz --duration 60 --json
  hftbot run --strategy my_strategy.py:MyStrategy --set ORDER_SIZE_USD=50
  hftbot run --exchange http://127.0.0.1:8080    an exchange started by hand
  hftbot run --profile hft --fees kraken         refused: the preset cannot pay that fee""",
)

EXCHANGE = (
    "serve the embedded exchange alone",
    """\
Serves Kraken's WebSocket v2 and REST on 127.0.0.1, with a seeded synthetic market or a recorded
one. Prints its addresses; Ctrl-C saves the account and stops. ccxt and others trade on it.""",
    """\
examples:
  hftbot exchange --port 8080 --seed 7 --fees 250k
  hftbot exchange --replay btcusdt.npz --json
  hftbot exchange --switch help                  where Kraken's documentation is silent
  hftbot run --exchange http://127.0.0.1:8080    in another terminal""",
)

GUARDIAN = (
    "cancel for a bot that dies (started by `run`)",
    """\
The second process of a run, started by it: it can cancel and nothing else. While the bot beats it
keeps the venue's dead man's switch armed; GUARDIAN_LIMIT_S without a beat, or at the end of the
bot without a goodbye, it cancels everything until the venue lists no open order. It speaks to the
bot through a pipe and logs to DIR/guardian.log. GUARDIAN=0 does without.""",
    """\
examples:
  hftbot run --set GUARDIAN_LIMIT_S=5
  hftbot run --set GUARDIAN=0
  tail -f hftbot-state/guardian.log""",
)

KILL = (
    "halt the running bot, and stay halted",
    """\
Asks the bot of a state directory to halt: no new orders, all orders cancelled, none left open
verified. Waits up to a minute until it has stopped, and says whether an order may be open (exit
code 4). With no bot running, the next start is refused. `touch DIR/KILL` does the same.""",
    """\
examples:
  hftbot kill
  hftbot kill --reason mistake --state other-state
  hftbot resume                                  why it is halted""",
)

RESUME = (
    "show why the bot is halted, and clear it",
    """\
A halt outlives the bot: `hftbot run` refuses (exit code 5) until a human has looked. Shows the
reason; with --yes the halt goes to the archive and the next run may trade.""",
    """\
examples:
  hftbot resume
  hftbot resume --yes
  hftbot resume --yes --state other-state""",
)

LATENCY = (
    "the latency report of the last run",
    "Reads latency.hlog (HdrHistogram log) from the state directory; works while the bot runs.",
    """\
examples:
  hftbot latency
  hftbot latency --state other-state --json""",
)

STATUS = (
    "what the bot is doing now",
    "Reads status.json from the state directory. Exit code 1 if no bot is running there.",
    """\
examples:
  hftbot status
  watch -n 5 hftbot status
  hftbot status --json""",
)

REPORT = (
    "what the trades of a state directory made",
    """\
Reads bot_hft.db and the journals, also while the bot runs: orders, fills, round trips with win
rate and profit net of fees by symbol, hour and exit reason, holding times, velocity, and hints.
A round trip is what one order opened and another one closed, first in first out, for each
strategy and symbol. Figures of the embedded exchange are marked as simulated.""",
    """\
examples:
  hftbot report
  hftbot report --state other-state
  hftbot report --json""",
)

TOP = (
    "the live view of a running bot",
    """\
Draws what the bot of a state directory does, four times a second: prices and own quotes,
positions, orders, profit net of fees, latencies by stage, limits, and what happened last. What
needs a hand (halt, distrust, doubt, a bot that does not answer) is a white bar on red on top.
q or Ctrl-C leaves; the bot runs on. Without a terminal it prints one frame as text.
`hftbot run` shows the same on a terminal, unless --plain or --json is given.""",
    """\
examples:
  hftbot top
  hftbot top --state other-state
  hftbot top | cat                               one frame as text""",
)

DOCTOR = (
    "is this machine ready?",
    """\
Checks the compiled core, packages, clock, disk, permissions, shared memory and sockets. With
--live also what `run --live` needs: each address answers, the clock against the venue's, what the
key may do (one that can withdraw is refused), the account's fees, halts. Changes nothing there.""",
    """\
examples:
  hftbot doctor
  hftbot doctor --live
  hftbot doctor --json""",
)

JOURNAL = (
    "what the bot did, record by record",
    """\
Reads the longer valid copy of a run's journal: the hot one in shared memory while the bot runs or
after it was killed, else the one in DIR/journal. `show` prints every record of a run, `verify`
checks header, sequence and crc of every run: one line each, exit code 1 if one is damaged.
`replay` prints the positions and open orders that a run's records give, and checks the state
hashes that the run noted about once a second: exit code 1 and the record if one disagrees.
`rebuild` writes bot_hft.db anew from all journals of DIR; no bot may run there.""",
    """\
examples:
  hftbot journal show
  hftbot journal show --run 3 --json
  hftbot journal verify
  hftbot journal replay""",
)

CONFIG = (
    "settings in force, and all keys explained",
    """\
Settings come from, highest first: the command line, the environment (KEY or HFTBOT__KEY),
.env.NAME with --profile NAME (else the packaged profile) or ./.env without, the --config file,
the strategy's preset, the default. Secrets are shown as ***.""",
    """\
examples:
  hftbot config show --profile hft
  hftbot config show --json
  hftbot config keys""",
)
