"""Rows of a market recorded order by order: a seeded one, and the ES future of ../shared.

The seeded market is all our own and small; the recording of CME's ES (Databento, DBN) is not
shipped and is read with the ``zstd`` program.
"""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from pathlib import Path

EXCHANGE, LOCAL, BUYER, SELLER = 1 << 31, 1 << 30, 1 << 29, 1 << 28
TRADE, ADD, CANCEL, MODIFY, FILL = 2, 10, 11, 12, 13
ROW = struct.Struct("<QqqddQqd")
DBN = struct.Struct("<BBHIQQqIBBccQiI")
KINDS = {b"A": ADD, b"C": CANCEL, b"M": MODIFY, b"F": FILL, b"T": TRADE}
SIDES = {b"B": BUYER, b"A": SELLER, b"N": 0}


def row(kind: int, side: int, at_ns: int, feed_ns: int, price: float, quantity: float,
        order_id: int) -> bytes:
    """One event row; side 0 is the bid, 1 the ask."""
    return ROW.pack(kind | EXCHANGE | LOCAL | (SELLER if side else BUYER), at_ns, at_ns + feed_ns,
                    price, quantity, order_id, 0, 0.0)


def seeded_orders(seed: int, count: int = 3000, feed_ns: int = 2_000_000) -> bytes:
    """A market of single orders around 100.00 in ticks of 0.25 that comes, goes and trades."""
    rng = random.Random(seed)
    rows, live, names = [], {}, 0
    now_ns, middle = 1_000_000_000, 400
    for _ in range(count):
        now_ns += rng.randrange(1, 2_000_000)
        middle += rng.choice((-1, 0, 0, 0, 0, 0, 0, 1))
        side = rng.randrange(2)
        away = rng.randrange(1, 8)
        price = (middle - away if side == 0 else middle + away) * 0.25
        kind = rng.random()
        if kind < 0.45 or len(live) < 30:
            names += 1
            live[names] = (side, price)
            rows.append(row(ADD, side, now_ns, feed_ns, price, rng.randrange(1, 9), names))
            continue
        touch = [n for n in live if live[n][0] == side]
        best = sorted(touch, key=lambda n: (-live[n][1] if live[n][0] == 0 else live[n][1], n))
        name = best[0] if kind > 0.75 and best else rng.choice(list(live))
        side, price = live[name]
        if kind > 0.75:
            rows.append(row(TRADE, 1 - side, now_ns, feed_ns, price, 1, 0))
            rows.append(row(FILL, side, now_ns, feed_ns, price, 1, name))
            rows.append(row(CANCEL, side, now_ns, feed_ns, price, 1, name))
            del live[name]
        elif kind > 0.6:
            price += rng.choice((-0.25, 0.0, 0.25))
            live[name] = (side, price)
            rows.append(row(MODIFY, side, now_ns, feed_ns, price, rng.randrange(1, 9), name))
        else:
            del live[name]
            rows.append(row(CANCEL, side, now_ns, feed_ns, price, 1, name))
    return b"".join(rows)


def es_future(shared: Path) -> bytes:
    """The hour of the ES future; empty without the recording or without ``zstd``."""
    path = shared / "data" / "cme_es_mbo" / "esh4-glbx-mdp3-20231225.mbo.dbn.zst"
    if not path.exists() or shutil.which("zstd") is None:
        return b""
    raw = subprocess.run(["zstd", "-dc", str(path)], capture_output=True, check=True).stdout
    body = raw[8 + int.from_bytes(raw[4:8], "little"):]
    rows = []
    for (_, _, _, _, event_ns, order_id, price, size, _, _, action, side, seen_ns, _,
         _) in DBN.iter_unpack(body):
        rows.append(ROW.pack(KINDS[action] | SIDES[side] | EXCHANGE | LOCAL, event_ns, seen_ns,
                             price / 1e9, float(size), order_id, 0, 0.0))
    return b"".join(rows)
