"""The words of ``--help`` for the commands that touch a venue beside `run`."""

from __future__ import annotations

FLATTEN = (
    "close what is held, and prove it",
    """\
Cancels the orders of each market, then sells what is held (or buys back) by IOC orders inside the
price collar until the venue's own balance says that nothing is left. A running bot does it itself
and leaves these markets alone until it starts again; without one, a session is opened for it.
What is below the venue's minimum cannot be sold and is named. Coins that this bot did not buy are
not touched on a real venue (HOLDINGS=leave). Exit code 4 if anything is left or not known.""",
    """\
examples:
  hftbot flatten
  hftbot flatten --symbol BTC/USD
  hftbot flatten --live --set DRY_RUN=0          no bot runs, real positions are held""",
)

CANCEL_ALL = (
    "cancel all orders, and prove it",
    """\
A running bot cancels every order of its own and asks the venue whether one is left; its strategy
may place new ones (`hftbot kill` stops it). Without a bot EVERY order of the account is cancelled,
whoever placed it. Exit code 4 if one is left or that is not known.""",
    """\
examples:
  hftbot cancel-all
  hftbot cancel-all --exchange http://127.0.0.1:8080
  hftbot cancel-all --live --set DRY_RUN=0""",
)

LIVETEST = (
    "one order that is not meant to trade, on the real path",
    """\
Places one post-only buy order of the venue's minimum, deep below the market, moves it by a tick
and cancels it: through the guard, the journal and the guardian, as any order. Prints how long each
of the three took. Without --live it is a rehearsal on the embedded exchange.""",
    """\
examples:
  hftbot livetest
  hftbot livetest --live --set DRY_RUN=0 --symbols BTC/USD
  hftbot livetest --json""",
)

MARKETS = (
    "what can be traded, on which grid",
    """\
Lists the markets of the embedded exchange; with --live those of the real venue, which needs the
network and no key: symbol, price step, smallest size and cost, what it accepts now.""",
    """\
examples:
  hftbot markets
  hftbot markets --live --quote USD
  hftbot markets --json""",
)

INIT = (
    "write a commented configuration",
    """\
Writes a .env file (mode 600) with every setting, what it means and what is allowed. All lines are
comments: as written it changes nothing, and DRY_RUN stays 1. A file that is there is not replaced
without --force.""",
    """\
examples:
  hftbot init
  hftbot init --out .env.mine
  hftbot run --profile mine                      what that file says is in force""",
)
