"""The words of ``--help`` for the commands about recorded market data."""

from __future__ import annotations

CONVERT = (
    "recorded market data: other format, checked",
    """\
Reads recorded market data, looks at every row, and writes it as .npy (mapped when it is used: may
be larger than memory), .npz (hftbacktest reads both) or .parquet. Several inputs continue each
other, or are Tardis' book and trades. Captures are put in order and their receive times corrected.
With --order-latency it writes rows of order latency instead: measured on the orders of a state
directory, or guessed from the latency of the feed.""",
    """\
examples:
  hftbot convert btcusdt_20240808.gz btcusdt.npz
  hftbot convert day1.gz day2.gz btcusdt.npy --strict
  hftbot convert incremental_book_L2.csv.gz trades.csv.gz xbtusd.npy
  hftbot convert kraken.gz eth.npy --symbol ETH/USD
  hftbot convert broken.npz mended.npz --repair
  hftbot convert hftbot-state latency.npz --order-latency""",
)

REPLAY = (
    "recorded market data: what is in it",
    """\
Opens recorded market data of any format that `convert` reads, follows its book from the first row
to the last, prints the best prices once each --every seconds of market time, and says what the
file holds, what is odd in it, and how fast it was read. Nothing trades; `run --replay` trades on
it, `backtest` faster.""",
    """\
examples:
  hftbot replay btcusdt.npz
  hftbot replay btcusdt_20240808.gz --every 60 --json
  hftbot replay kraken.gz --symbol BTC/USD --speed 1""",
)
