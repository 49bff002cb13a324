"""A stream of Kraken book frames, made up: ten levels a side, right checksums."""

from __future__ import annotations

import random
import zlib

SYMBOL = b"BTC/USD"
PRICE_PRECISION, QTY_PRECISION, TICK_UNITS, LOT_UNITS = 1, 8, 1, 1
DEPTH = 10
MIDDLE = 271_199


class Market:
    """A random book and the frames that tell of it; prices in ticks of 0.1, sizes in 1e-8."""

    def __init__(self, seed: int = 1, symbol: bytes = SYMBOL) -> None:
        self.rng = random.Random(seed)
        self.symbol = symbol.decode()
        self.sides: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.now_us = 1_693_353_600_000_000
        for side in (0, 1):
            for number in range(DEPTH):
                ticks = MIDDLE + (2 * side - 1) * (1 + 3 * number)
                self.sides[side][ticks] = self.size()

    def size(self) -> int:
        """One to nine digits, as sizes come."""
        return self.rng.randrange(1, 10 ** self.rng.randrange(5, 10))

    def ranked(self, side: int) -> list[int]:
        """Prices of one side, best first."""
        return sorted(self.sides[side], reverse=side == 0)

    def change(self) -> list[tuple[int, int, int]]:
        """A level renewed (most often), a new one, or one gone and the next one shown instead."""
        side = self.rng.randrange(2)
        outward = 2 * side - 1
        prices, levels = self.ranked(side), self.sides[side]
        ticks = prices[min(DEPTH - 1, int(self.rng.expovariate(0.5)))]
        kind = self.rng.random()
        if kind < 0.12:
            fresh = ticks - outward
            if fresh not in levels and (self.ranked(1 - side)[0] - fresh) * outward < 0:
                levels[fresh] = self.size()
                del levels[prices[-1]]
                return [(side, fresh, levels[fresh])]
        elif kind < 0.24:
            shown = prices[-1] + outward * self.rng.randrange(1, 4)
            del levels[ticks]
            levels[shown] = self.size()
            return [(side, ticks, 0), (side, shown, levels[shown])]
        levels[ticks] = self.size()
        return [(side, ticks, levels[ticks])]

    def checksum(self) -> int:
        """CRC32 of the top ten asks, then bids: digits of price and size without leading zeros."""
        digits = "".join(f"{ticks}{self.sides[side][ticks]}" for side in (1, 0)
                         for ticks in self.ranked(side)[:DEPTH])
        return zlib.crc32(digits.encode())

    def frame(self, kind: str, rows: list[tuple[int, int, int]]) -> bytes:
        """The message as the venue writes it."""
        self.now_us += self.rng.randrange(1000, 50_000)
        lists = [",".join(f'{{"price":{ticks // 10}.{ticks % 10},"qty":{lots // 10**8}.'
                          f'{lots % 10**8:08d}}}' for where, ticks, lots in rows if where == side)
                 for side in (0, 1)]
        seconds, micros = divmod(self.now_us - 1_693_353_600_000_000, 10**6)
        stamp = f"2023-08-30T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        return (f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{self.symbol}",'
                f'"bids":[{lists[0]}],"asks":[{lists[1]}],"checksum":{self.checksum()},'
                f'"timestamp":"{stamp}.{micros:06d}Z"}}]}}').encode()

    def snapshot(self) -> bytes:
        """The whole book."""
        return self.frame("snapshot", [(side, ticks, self.sides[side][ticks])
                                       for side in (0, 1) for ticks in self.ranked(side)])

    def updates(self, count: int) -> list[bytes]:
        """That many update frames, most with one level, some with two or three.

        The last frame brings every level back to where it was at the call, so that the list can
        be applied again and again with right checksums.
        """
        before = [dict(side) for side in self.sides]
        frames = []
        for _ in range(count - 1):
            changes = self.rng.choices((1, 2, 3), (88, 9, 3))[0]
            frames.append(self.frame("update", [row for _ in range(changes)
                                                for row in self.change()]))
        back = [(side, ticks, 0) for side in (0, 1) for ticks in self.sides[side]
                if ticks not in before[side]]
        back += [(side, ticks, lots) for side in (0, 1) for ticks, lots in before[side].items()
                 if self.sides[side].get(ticks) != lots]
        self.sides[0].clear()
        self.sides[1].clear()
        self.sides[0].update(before[0])
        self.sides[1].update(before[1])
        return [*frames, self.frame("update", back)]
