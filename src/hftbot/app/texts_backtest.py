"""The words of ``--help`` for `backtest`."""

from __future__ import annotations

BACKTEST = (
    "run a strategy on recorded data, with latency and queues",
    """\
Replays recorded market data and runs the strategy behind the live engine, guard and desks on the
data's own time. Orders take time to reach the exchange and wait in an estimated queue; they change
nothing in the recorded market. Prints what was assumed beside what was earned, for the chosen
queue model and for an optimistic and a pessimistic one. Exit code 5 if the guard halted the run,
1 if the strategy was disabled by its own fault.""",
    """\
examples:
  hftbot backtest --data btcusdt.npz --fees maker=-0.5,taker=7 --report out.html
  hftbot backtest --data btcusdt.npz --fees kraken --strategy my_strategy.py:MyStrategy --json
  hftbot backtest --data day1.npz,day2.npz --fees 250k --latency 20ms/20ms
  hftbot backtest --data btc.npz --data eth.npz --fees free --exchange partial --fills fills.csv""",
)
