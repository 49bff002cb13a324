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

RECORD = (
    "market data into files, until Ctrl-C",
    """\
Subscribes book and trades of Kraken's public stream and writes every frame with the moment of its
receipt: from the real venue (--live: no key, nothing is traded), an exchange that you started, or
without either from the synthetic market of an embedded one. Every checksum and trade number is
compared while it records; a book that differs is asked for afresh. Files are packed when they are
finished, stand alone, and are read by `replay`, `convert` and `backtest`. Exit code 1 if anything
is missing in them.""",
    """\
examples:
  hftbot record recordings --live --symbols BTC/USD,ETH/USD
  hftbot record recordings --duration 60 --seed 7
  hftbot record recordings --exchange http://127.0.0.1:8080 --parquet --json
  hftbot replay recordings/kraken-20261121T101500Z-0001.gz --symbol BTC/USD""",
)
