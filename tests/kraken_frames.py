"""Kraken frames for tests, written from the documented format, and where the fixtures are."""

from __future__ import annotations

import json
import os
import pathlib

import pytest

from hftbot.words.instrument import Instrument
from hftbot.words.secret import Secret

SHARED = pathlib.Path(os.environ.get(
    "HFTBOT_SHARED", pathlib.Path(__file__).resolve().parents[1].parent / "shared"))
FIXTURES = SHARED / "fixtures" / "kraken"
needs_fixtures = pytest.mark.skipif(not FIXTURES.is_dir(), reason="shared fixtures are absent")

BTC = Instrument(index=0, venue="kraken", symbol="BTC/USD", base="BTC", quote="USD",
                 price_precision=1, qty_precision=8, lots_min=5000)
ETH = Instrument(index=1, venue="kraken", symbol="ETH/USD", base="ETH", quote="USD",
                 price_precision=2, qty_precision=8, lots_min=200000)
TOKEN = Secret("token-of-the-test")
NOW_US = 1_780_000_000_000_000
SECOND_NS = 1_000_000_000


def fixture_lines(*names: str) -> list[bytes]:
    """The frames of fixture files, one a line."""
    lines = []
    for name in names:
        for path in sorted(FIXTURES.glob(name)):
            lines += [line for line in path.read_bytes().splitlines() if line.strip()]
    return lines


class ManualClock:
    """A Clock that stands still until the test moves it."""

    def __init__(self) -> None:
        self.us = NOW_US
        self.ns = 1_000_000_000_000

    def now_us(self) -> int:
        return self.us

    def mono_ns(self) -> int:
        return self.ns


def executions(*reports: str, sequence: int, kind: str = "update") -> bytes:
    """A frame of reports; each report is JSON text, so that number tokens stay as written."""
    return (f'{{"channel":"executions","type":"{kind}","data":[{",".join(reports)}],'
            f'"sequence":{sequence}}}').encode()


def report(exec_type: str, order_id: str = "OAAAAA-BBBBB-CCCCCC", **fields: object) -> str:
    """One report; a field value of type Raw is written as it is."""
    status = {"trade": "partially_filled", "pending_new": "pending_new", "amended": "new"}
    row: dict[str, object] = {"exec_type": exec_type, "order_id": order_id,
                              "order_status": status.get(exec_type, exec_type),
                              "timestamp": "2026-05-28T20:26:40.000001Z"}
    row.update(fields)
    return written(row)


class Raw(str):
    """A JSON token to be written as it stands."""


def written(value: object) -> str:
    """JSON text in which Raw values are tokens."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{written(inner)}"
                              for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(inner) for inner in value) + "]"
    return value if isinstance(value, Raw) else json.dumps(value)


def working(name: str, order_id: str = "OAAAAA-BBBBB-CCCCCC", exec_type: str = "pending_new",
            side: str = "buy", price: str = "50000.1", qty: str = "0.00500000",
            symbol: str = "BTC/USD", **fields: object) -> str:
    """The report that says everything about an order."""
    row: dict[str, object] = {"cl_ord_id": name, "symbol": symbol, "side": side,
                              "order_type": "limit", "limit_price": Raw(price),
                              "order_qty": Raw(qty)}
    row.update(fields)
    return report(exec_type, order_id, **row)


def trade(name: str, exec_id: str, qty: str, cum: str, price: str = "50000.1",
          order_id: str = "OAAAAA-BBBBB-CCCCCC", **fields: object) -> str:
    """A fill report."""
    row: dict[str, object] = {
        "cl_ord_id": name, "exec_id": exec_id, "trade_id": 1, "symbol": "BTC/USD", "side": "buy",
        "last_qty": Raw(qty), "last_price": Raw(price), "cum_qty": Raw(cum), "liquidity_ind": "t",
        "fees": [{"asset": "USD", "qty": 1}]}
    row.update(fields)
    return report("trade", order_id, **row)


def answer(method: str, req_id: int, result: dict[str, object] | None = None,
           error: str = "") -> bytes:
    """An acknowledgement, or a refusal if there is an error."""
    message: dict[str, object] = {"method": method, "req_id": req_id, "success": not error,
                                  "time_in": "2026-05-28T20:26:40.000001Z",
                                  "time_out": "2026-05-28T20:26:40.000002Z"}
    if error:
        message["error"] = error
    else:
        message["result"] = result or {}
    return json.dumps(message).encode()


BALANCES = (b'{"channel":"balances","type":"snapshot","data":[{"asset":"USD","asset_class":'
            b'"currency","balance":80595.4943,"wallets":[{"type":"spot","id":"main","balance":'
            b'80000.4943},{"type":"earn","id":"flex","balance":595}]}],"sequence":1}')
EMPTY = executions(sequence=1, kind="snapshot")
