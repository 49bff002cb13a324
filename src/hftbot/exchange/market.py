"""A synthetic market: one instrument's crowd, seeded, in the time it is given.

A value nobody sees follows a random walk with volatility regimes and bursts. Market makers quote
around the value as they saw it a moment ago, informed traders take quotes that lag behind it, and
noise traders arrive in clusters with persistent sides. So whoever rests at the touch is filled
mostly when the value has just left, and whoever takes pays the spread: there is nothing to gain
from being first in line or from trading at random.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Protocol

from fastcore.sim.codes import GTC, IOC
from fastcore.sim.matcher import Matcher
from fastcore.sim.replay_matcher import ReplayMatcher
from fastcore.sim.rng import SplitMix
from hftbot.exchange.settings import Listing

CROWD = 0
Row = tuple[int, ...]


@dataclass(slots=True)
class Batch:
    """What engine calls did: level changes (side, ticks, lots), fill rows, canceled orders."""

    changes: list[tuple[int, int, int]] = field(default_factory=list)
    fills: list[Row] = field(default_factory=list)
    cancels: list[Row] = field(default_factory=list)
    # Trades that are not fills of ours: (taker side, ticks, lots), recorded data only.
    prints: list[tuple[int, int, int]] = field(default_factory=list)
    # What the trade channel shows: (taker side, ticks, lots, trade id).
    trades: list[tuple[int, int, int, int]] = field(default_factory=list)

    def take(self, matcher: Matcher | ReplayMatcher) -> None:
        """Add what the matcher's last call did."""
        if matcher.change_count:
            self.changes += matcher.changes()
        if matcher.fill_count:
            self.fills += matcher.fills()
        if matcher.cancel_count:
            self.cancels += matcher.cancels()


class Market(Protocol):
    """What the face drives: a matcher and whoever else trades in it."""

    listing: Listing
    finished: bool
    # Whether fills are everybody's trades; recorded markets show the recorded trades instead.
    fills_are_public: bool

    @property
    def matcher(self) -> Matcher | ReplayMatcher:
        """The book and who waits in it."""

    def open(self, now_us: int) -> Batch:
        """Begin. What is already on the book comes as changes."""

    def next_due_us(self) -> int | None:
        """Time of the next event, or None if there is none."""

    def step(self, now_us: int) -> Batch:
        """Do the event that is due."""

    def skip(self, now_us: int) -> None:
        """The clock jumped: forget what was missed."""

    def mid_ticks(self) -> int:
        """Where the market stands, for the next run."""

    def market_time_us(self, now_us: int) -> int:
        """The time that the market itself carries."""


@dataclass(frozen=True, slots=True)
class Character:
    """How a synthetic market behaves. Rates per second; distances in hundredths of a percent."""

    # Standard deviation of the value over one second.
    sigma_bps: float = 0.7
    # Volatility regimes as (factor, mean duration in seconds).
    regimes: tuple[tuple[float, float], ...] = ((1.0, 20.0), (0.6, 15.0), (1.8, 8.0))
    # Bursts: waiting time between them (s), size, duration (s), and the part that comes back.
    burst_wait_s: tuple[float, float] = (0.3, 1.2)
    burst_bps: tuple[float, float] = (1.2, 4.0)
    burst_s: tuple[float, float] = (0.3, 0.8)
    burst_return: float = 0.5
    # How often a burst runs against the one before it.
    burst_turn: float = 0.6
    maker_rate: float = 55.0
    informed_rate: float = 10.0
    noise_rate: float = 2.0
    # Each noise trade raises the noise rate by this much; it decays at `heat_decay` a second.
    heat: float = 1.5
    heat_decay: float = 3.0
    # How long makers lag behind the value, seconds; their half spread and spacing.
    lag_s: float = 0.05
    half_spread_bps: float = 0.06
    spacing_bps: float = 0.10
    slots: int = 26
    # How many quotes one maker event mends at most.
    mend: int = 5
    # Orders a side that rest behind the makers' quotes, each further out than the one before.
    deep: int = 0


def character_for(ticks: int, deep: int = 0) -> Character:
    """The usual crowd; where a tick is coarse, quotes stand at least a tick apart.

    ``deep`` more orders a side rest behind the usual ones.
    """
    tick_bps = 1e4 / ticks
    usual = Character()
    return replace(usual, half_spread_bps=max(usual.half_spread_bps, 0.5 * tick_bps),
                   spacing_bps=max(usual.spacing_bps, tick_bps), deep=deep)


class SyntheticMarket:
    """One instrument's matcher and its crowd."""

    def __init__(self, listing: Listing, seed: int, start_ticks: int = 0,
                 character: Character | None = None, deep: int = 0) -> None:
        self.listing = listing
        start = start_ticks or listing.start_ticks or 100_000
        self.character = character or character_for(start, deep)
        self.rng = SplitMix(seed)
        self.matcher = Matcher(8192, 4096)
        self.finished = False
        self.fills_are_public = True
        self.value = float(start)
        self.seen = self.value
        self.regime = 0
        self.regime_until_us = 0
        self.burst_until_us = 0
        self.burst_next_us = 0
        self.drift = 0.0
        self.direction = 1.0 if self.rng.random() < 0.5 else -1.0
        self.burst_length_s = 1.0
        self.last_us = 0
        self.next_us = 0
        self.heat = 0.0
        self.noise_side = 0
        self.prices = ([0] * self.character.slots, [0] * self.character.slots)
        # Order ids of those who rest far out, per side, nearest first.
        self.deep: tuple[list[int], list[int]] = ([0] * self.character.deep,
                                                  [0] * self.character.deep)
        self.far_at = ([0] * self.character.deep, [0] * self.character.deep)
        # Order ids of the makers' slots, per side, nearest first; 0 is an empty slot.
        self.quotes = ([0] * self.character.slots, [0] * self.character.slots)

    # The market as the face drives it.

    def open(self, now_us: int) -> Batch:
        """Fill the book; orders restored before this stay, and are not traded with."""
        batch = Batch()
        self.last_us = now_us
        self.next_us = now_us
        self.burst_next_us = now_us + self.between_us(0.2, 0.8)
        for k in range(self.character.slots):
            for side in (0, 1):
                self.quote(side, k, batch)
        for k in range(self.character.deep):
            for side in (0, 1):
                self.rest_far(side, k, batch)
        return batch

    def next_due_us(self) -> int | None:
        """Time of the crowd's next event."""
        return self.next_us

    def skip(self, now_us: int) -> None:
        """Let the missed time pass without events."""
        self.last_us = max(self.last_us, now_us)
        self.next_us = max(self.next_us, now_us)

    def mid_ticks(self) -> int:
        """Middle of the touch, or the value if a side is empty."""
        bid, ask = self.matcher.best(0), self.matcher.best(1)
        return (bid + ask) // 2 if bid and ask else int(self.value)

    def market_time_us(self, now_us: int) -> int:
        """The same as the exchange's clock."""
        return now_us

    def step(self, now_us: int) -> Batch:
        """One event: somebody quotes, takes a stale quote, or trades for no reason."""
        batch = Batch()
        at_us = self.next_us
        self.move_value(at_us)
        character = self.character
        noise = character.noise_rate + self.heat
        total = character.maker_rate + character.informed_rate + noise
        pick = self.rng.random() * total
        if pick < character.maker_rate:
            self.requote(batch)
            if character.deep:
                self.mend_far(batch)
        elif pick < character.maker_rate + character.informed_rate:
            self.inform(batch)
        else:
            self.noise(batch)
        self.next_us = at_us + 1 + int(self.rng.exponential() * 1_000_000 / total)
        return batch

    # The value.

    def between_us(self, low_s: float, high_s: float) -> int:
        """A uniform waiting time in microseconds."""
        return int((low_s + (high_s - low_s) * self.rng.random()) * 1_000_000)

    def move_value(self, now_us: int) -> None:
        """Let the value, what makers saw of it, and the noise traders' heat move on."""
        character = self.character
        dt = (now_us - self.last_us) / 1_000_000
        self.last_us = now_us
        if now_us >= self.regime_until_us:
            self.regime = self.rng.below(len(character.regimes))
            mean_s = character.regimes[self.regime][1]
            self.regime_until_us = now_us + int(self.rng.exponential() * mean_s * 1_000_000)
        if now_us >= self.burst_next_us:
            self.burst(now_us)
        elif self.drift and now_us >= self.burst_until_us:
            # What an overreaction gives back, slowly, until the next burst.
            gone = self.drift * self.burst_length_s
            rest_s = max(0.05, (self.burst_next_us - now_us) / 1_000_000)
            self.drift = -gone * character.burst_return * self.rng.random() * 2 / rest_s
            self.burst_until_us = self.burst_next_us
        sigma = character.sigma_bps * 1e-4 * character.regimes[self.regime][0]
        change = sigma * math.sqrt(dt) * self.rng.normal() + self.drift * dt
        self.value = max(self.value * (1.0 + change), 1_000.0)
        self.seen += (self.value - self.seen) * min(1.0, dt / (character.lag_s + dt))
        self.heat *= 1.0 / (1.0 + character.heat_decay * dt)

    def burst(self, now_us: int) -> None:
        """The value starts to run one way."""
        low, high = self.character.burst_bps
        size = (low + (high - low) * self.rng.random()) * 1e-4
        wait = self.character.burst_s
        length_us = self.between_us(*wait)
        self.burst_length_s = length_us / 1_000_000
        turn = self.rng.random() < self.character.burst_turn
        self.direction = -self.direction if turn else self.direction
        self.drift = self.direction * size / self.burst_length_s
        self.burst_until_us = now_us + length_us
        self.burst_next_us = self.burst_until_us + self.between_us(*self.character.burst_wait_s)

    # The crowd.

    def bps(self, distance: float) -> float:
        """A distance in basis points as ticks."""
        return distance * 1e-4 * self.value

    def expected(self, k: int) -> float:
        """Distance in ticks at which a maker's slot wants to be."""
        character = self.character
        return self.bps(character.half_spread_bps
                        + character.spacing_bps * k * (1.0 + 0.04 * k))

    def quote(self, side: int, k: int, batch: Batch) -> None:
        """Put a maker's slot at a fresh price, replacing what it had."""
        matcher = self.matcher
        old = self.quotes[side][k]
        if old and matcher.cancel(old) == 0:
            batch.take(matcher)
        self.quotes[side][k] = 0
        away = self.expected(k) * (0.55 + 0.9 * self.rng.random())
        ticks = int(self.seen - away) if side == 0 else int(self.seen + away) + 1
        opposite = matcher.best(1 - side)
        if opposite:
            free = min(ticks, opposite - 1) if side == 0 else max(ticks, opposite + 1)
            # Behind a stale quote of the other side there is nothing to gain.
            if free != ticks and k > 2:
                return
            ticks = free
        lots = int(self.listing.lot_scale * (0.15 + 0.35 * self.rng.exponential())
                   * (1.0 + 0.12 * k)) + self.listing.lots_min
        order_id = matcher.place(CROWD, side, max(1, ticks), lots, GTC, 1)
        self.quotes[side][k] = max(0, order_id)
        self.prices[side][k] = ticks
        batch.take(matcher)

    def requote(self, batch: Batch) -> None:
        """Makers mend what is wrong, nearest first: quotes that give money away or were left
        behind, and empty slots; if nothing is wrong, a random one moves."""
        side = self.rng.below(2)
        sign = 1.0 - 2.0 * side
        near = self.bps(self.character.half_spread_bps) * 0.3
        slack = self.bps(self.character.spacing_bps) * 3.0
        matcher = self.matcher
        quotes, prices = self.quotes[side], self.prices[side]
        mended = 0
        for k in range(self.character.slots):
            away = (self.seen - prices[k]) * sign
            if (away < near or away > 2.0 * self.expected(k) + slack or not quotes[k]
                    or not matcher.leaves_of(quotes[k])):
                self.quote(side, k, batch)
                mended += 1
                if mended >= self.character.mend:
                    return
        if mended == 0:
            u = self.rng.random()
            self.quote(side, int(self.character.slots * u * u), batch)

    def far_ticks(self, side: int, k: int) -> int:
        """Where an order that rests far out belongs now."""
        character = self.character
        away = self.expected(character.slots) + self.bps(character.spacing_bps) * 2.0 * (k + 1)
        return int(self.seen - away) if side == 0 else int(self.seen + away) + 1

    def rest_far(self, side: int, k: int, batch: Batch) -> None:
        """Put an order far out, replacing the one that stood for it."""
        matcher, deep = self.matcher, self.deep[side]
        if deep[k] and matcher.cancel(deep[k]) == 0:
            batch.take(matcher)
        lots = int(self.listing.lot_scale * (0.3 + self.rng.exponential())) + self.listing.lots_min
        ticks = max(1, self.far_ticks(side, k))
        self.far_at[side][k] = ticks
        deep[k] = max(0, matcher.place(CROWD, side, ticks, lots, GTC, 1))
        if deep[k]:
            batch.take(matcher)

    def mend_far(self, batch: Batch) -> None:
        """One of those far out looks up: gone, or the market has moved: he comes again."""
        side, k = self.rng.below(2), self.rng.below(self.character.deep)
        order_id = self.deep[side][k]
        drift = abs(self.far_ticks(side, k) - self.far_at[side][k])
        if not (order_id and self.matcher.leaves_of(order_id)) or drift > self.bps(2.0):
            self.rest_far(side, k, batch)

    def inform(self, batch: Batch) -> None:
        """Somebody who knows the value takes quotes that lag behind it."""
        margin = self.bps(self.character.half_spread_bps) * 0.8
        matcher = self.matcher
        bid, ask = matcher.best(0), matcher.best(1)
        lots = int(self.listing.lot_scale * (0.3 + self.rng.exponential()))
        if ask and ask < self.value - margin:
            matcher.place(CROWD, 0, int(self.value - margin), lots, IOC)
        elif bid and bid > self.value + margin:
            matcher.place(CROWD, 1, int(self.value + margin) + 1, lots, IOC)
        else:
            return
        batch.take(matcher)

    def noise(self, batch: Batch) -> None:
        """Somebody trades for reasons of his own; trades breed trades."""
        if self.rng.random() > 0.75:
            self.noise_side = 1 - self.noise_side
        lots = int(self.listing.lot_scale * 0.08 * self.rng.exponential() ** 2)
        self.heat += self.character.heat
        worst = self.bps(5.0)
        limit = self.value + worst if self.noise_side == 0 else self.value - worst
        self.matcher.place(CROWD, self.noise_side, max(1, int(limit)),
                           lots + self.listing.lots_min, IOC)
        batch.take(self.matcher)
