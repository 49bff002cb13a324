"""Event rows as a venue sends them, and some that none should, by seed."""

import math
import struct

from fastcore.sim import replay_codes as codes

TICK, LOT = 0.1, 0.001
MIDDLE = 1000


def random_rows(rng, count, wild):
    """Rows as a venue sends them, and some that none should; both clocks never go back."""
    rows = []
    exch_ns, local_ns = 1_000, 1_500
    for _ in range(count):
        exch_ns += rng.choice([0, 0, 1, 40, 300])
        local_ns = max(local_ns, exch_ns + rng.choice([0, 5, 200, 900]))
        kind = rng.choices([codes.DEPTH_ROW, codes.TRADE_ROW, codes.SNAPSHOT_ROW,
                            codes.CLEAR_ROW, 100], [12, 6, 2, 0.5 if wild else 0, 0.3])[0]
        side = rng.choice([0, 1])
        reach = rng.choice([3, 6, 6, 40] + ([400, 9000] if wild else []))
        ticks = MIDDLE + rng.randint(0, reach) * (2 * side - 1) + rng.randint(-1, 1)
        if kind == codes.TRADE_ROW:
            ticks = MIDDLE + rng.randint(-5, 5)
        price = ticks * TICK
        if kind == codes.CLEAR_ROW:
            price = rng.choice([price, math.nan, math.inf])
        quantity = rng.choice([0, 0, 1, 2, 3, 5, 8, 0.4]) * LOT
        if kind == codes.TRADE_ROW:
            quantity = rng.choice([1, 2, 3, 7]) * LOT
        rows.append({"kind": kind, "side": None if wild and rng.random() < 0.02 else side,
                     "exch_ns": exch_ns, "local_ns": local_ns, "price": price,
                     "quantity": quantity, "exchange": rng.random() < 0.93,
                     "local": rng.random() < 0.93})
    return rows


def packed(rows):
    """The rows as bytes, as a recording has them."""
    out = bytearray()
    for row in rows:
        ev = row["kind"] | row["exchange"] << 31 | row["local"] << 30
        if row["side"] is not None:
            ev |= codes.SELLER if row["side"] else codes.BUYER
        out += struct.pack("<qqqddqqd", ev, row["exch_ns"], row["local_ns"], row["price"],
                           row["quantity"], 0, 0, 0.0)
    return bytes(out)


def queued_rows(rng, count):
    """A quiet market whose levels grow, shrink and trade: what counts is the place in a queue."""
    rows, sizes, middle = [], {}, MIDDLE
    exch_ns = 1_000
    for _ in range(count):
        exch_ns += rng.choice([1, 20, 60, 150])
        side = rng.randint(0, 1)
        ticks = middle + side + (2 * side - 1) * rng.choice([0, 0, 0, 1, 2, 3])
        kind = codes.TRADE_ROW if rng.random() < 0.35 else codes.DEPTH_ROW
        lots = rng.randint(1, 12)
        if kind == codes.TRADE_ROW:
            ticks = middle + side
            side = 1 - side
        else:
            before = sizes.get((side, ticks), 0)
            lots = max(1, before - lots) if before > 20 else before + rng.randint(10, 60)
            sizes[side, ticks] = lots
        rows.append({"kind": kind, "side": side, "exch_ns": exch_ns, "local_ns": exch_ns + 30,
                     "price": ticks * TICK, "quantity": lots * LOT, "exchange": True,
                     "local": True})
        if rng.random() < 0.02:
            side = rng.randint(0, 1)
            gone = middle + side
            middle += 2 * side - 1
            sizes.pop((side, gone), None)
            sizes[1 - side, middle + 1 - side] = lots = rng.randint(10, 60)
            for ticks, which, left in ((gone, side, 0), (middle + 1 - side, 1 - side, lots)):
                rows.append({"kind": codes.DEPTH_ROW, "side": which, "exch_ns": exch_ns,
                             "local_ns": exch_ns + 30, "price": ticks * TICK,
                             "quantity": left * LOT, "exchange": True, "local": True})
    return rows
