"""A venue with many books: rendered frames at a steady rate, the books in turn, then a last word.

Usage: many_books_server.py RATE COUNT BOOKS. Prints its port, then one JSON line when all is
written. COUNT is a multiple of BOOKS times CYCLE, so that each book ends where it began.
"""

from __future__ import annotations

import json
import pathlib
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))

from flood_server import LAST, PACE_S, accept, text_frame

from kraken_market import Market

CYCLE = 100


def symbols(books: int) -> list[str]:
    """Names for so many pairs."""
    return [f"C{number:02d}/USD" for number in range(books)]


def flood(link: socket.socket, rate: float, count: int, books: int) -> dict[str, float]:
    """Write ``count`` updates at ``rate`` a second; a slow reader holds us up, and that is told."""
    markets = [Market(number, name.encode()) for number, name in enumerate(symbols(books))]
    cycles = [[text_frame(frame) for frame in market.updates(CYCLE)] for market in markets]
    frames = [cycle[turn] for turn in range(CYCLE) for cycle in cycles]
    link.sendall(b"".join(text_frame(market.snapshot()) for market in markets))
    start_ns = time.monotonic_ns()
    sent, behind_s = 0, 0.0
    while sent < count:
        due = min(count, int((time.monotonic_ns() - start_ns) * rate / 1e9))
        if due == sent:
            time.sleep(PACE_S)
            continue
        link.sendall(b"".join(frames[number % len(frames)] for number in range(sent, due)))
        sent = due
        behind_s = max(behind_s, (time.monotonic_ns() - start_ns) / 1e9 - sent / rate)
    took_s = (time.monotonic_ns() - start_ns) / 1e9
    link.sendall(text_frame(LAST))
    return {"sent": sent, "took_s": took_s, "behind_s": behind_s,
            "frame_bytes": sum(map(len, frames)) / len(frames)}


def main() -> None:
    rate, count, books = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        print(listener.getsockname()[1], flush=True)
        with accept(listener) as link:
            told = flood(link, rate, count, books)
            print(json.dumps(told), flush=True)
            while link.recv(4096):
                continue


if __name__ == "__main__":
    main()
