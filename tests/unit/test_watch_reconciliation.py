"""The printed block of a start: one line for the run, each order, each position, the cash."""

from __future__ import annotations

import json

from hftbot.engine.reconcile import ExternalSeen, OrderFate, PositionDiffered, Reconciliation
from hftbot.watch import reconciliation
from hftbot.words.order import OrderState, client_id_pack
from kraken_frames import BTC, ETH

US = 1_780_000_000_000_000
GRIDS = (BTC, ETH)


def found() -> Reconciliation:
    fates = [
        OrderFate(client_id_pack(1, 3, 1), 0, 0, 600_000, 10_000, 0, OrderState.SENT, False, 4_000,
                  OrderState.CANCELED, "not among the venue's open orders"),
        OrderFate(client_id_pack(1, 3, 2), 0, 1, 600_010, 20_000, 0, OrderState.LIVE, True, 0,
                  OrderState.CANCELED, "by user"),
        OrderFate(client_id_pack(1, 3, 3), 1, 1, 5_000, 20_000, 0, None, True, 20_000,
                  OrderState.FILLED, "filled"),
        OrderFate(client_id_pack(1, 3, 4), 1, 1, 5_000, 20_000, 0, OrderState.DOUBT)]
    return Reconciliation(
        run=3, clean=False, records=1234, last_us=US, lost=("SOL/USD is not traded in this run",),
        fates={fate.client_id: fate for fate in fates},
        externals=[ExternalSeen("OTHER-1", 0, 0, 500_000, 7_000, True, US),
                   ExternalSeen("OTHER-2", 0, 0, 500_000, 7_000, False, US)],
        differences=[PositionDiffered(1, 5, 9, True, US)],
        positions=[(0, 30_000, 30_000), (1, 5, 9)], fills_found=2)


def test_block_explains_everything() -> None:
    lines = reconciliation.lines(found(), GRIDS, {"USD": 10**13, "BTC": 1})
    assert lines[0].startswith("RECOVERY   run 3 ended without a clean stop, its last record is of")
    assert "1,234 records read, 4 orders were open" in lines[0]
    assert all(line.startswith(" " * 11) for line in lines[1:])
    text = "\n".join(lines)
    for part in (
            "SOL/USD is not traded in this run",
            "BUY 0.00010000 BTC/USD at 60000.0: was SENT, is CANCELED (not among the venue's open "
            "orders); fills found: 0.00004000",
            "SELL 0.00020000 BTC/USD at 60001.0: was LIVE, is CANCELED (the venue had it working: "
            "cancelled); fills found: none",
            "was not in our journal, is FILLED (the venue had it working); fills found: 0.00020000",
            "was DOUBT, is still open; fills found: none",
            "2 fills of earlier orders were new to us: applied",
            "OTHER-1 BUY 0.00007000 BTC/USD at 50000.0: not ours by name, left alone, counts in",
            "OTHER-2 BUY 0.00007000 BTC/USD at 50000.0: not ours by name, left alone, does NOT",
            "BTC/USD: we hold 0.00030000, and so says the venue",
            "ETH/USD: we knew of 0.00000005, the venue holds 0.00000009: its word counts",
            "cash 1,000.000000 USD at the venue"):
        assert part in text, part


def test_block_of_an_account_without_a_journal() -> None:
    nothing = Reconciliation()
    assert not nothing.history
    assert "no journal of an earlier run" in reconciliation.lines(nothing, GRIDS, {})[0]
    nothing.differences.append(PositionDiffered(0, 0, 5, True, US))
    assert nothing.history


def test_json_is_plain() -> None:
    told = json.loads(json.dumps(reconciliation.content(found(), GRIDS)))
    assert told["orders"][0]["was"] == "SENT"
    assert told["orders"][2]["was"] is None
    assert told["orders"][3]["is"] is None
    assert told["differences"] == [{"symbol": "ETH/USD", "ours_lots": 5, "venue_lots": 9,
                                    "adopted": True, "ts_us": US}]
    assert [row["counted"] for row in told["external"]] == [True, False]
