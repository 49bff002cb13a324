"""Which way one instrument's price is being pushed now: drift, book imbalance and trade flow."""

from __future__ import annotations

from math import sqrt

UP = 1
DOWN = -1
NONE = 0

_TRADES_REMEMBERED = 16


class Momentum:
    """An opinion on the next move: ``direction``, ``strength``, valid ``until_us``.

    Three votes, each within -1..1, are averaged by their weights into ``score``:

    - drift: distance of the mid from its own average over ``window_us``, in units of the usual
      distance (its standard deviation over the same time, plus half a spread);
    - imbalance: bid against ask lots at the touch, averaged over ``imbalance_us``;
    - flow: lots bought against lots sold by takers, forgotten over ``flow_us``, against the size
      of a usual trade, so that one old trade soon says nothing.

    A score of at least ``threshold_e6`` millionths (of 1) is UP, of at most minus that DOWN; with
    ``imbalance_min_e6`` the imbalance alone must also point that way by at least so much. Nothing
    is said before ``warm_up_us`` have passed and ``updates_min`` tops were seen; after ``gap_us``
    without a top it starts afresh. Weights are plain ratios; all times are microseconds of the
    caller's clock, and a clock that steps back counts as standing still.

    The defaults are for a pair like BTC/USD at 60,000 with ticks of 0.1: moves of a few ticks,
    tens of tops a second. In such a market it speaks within a few seconds.

    Pure and deterministic: the same calls give the same answer everywhere, because only the four
    operations and the square root are used, which every machine rounds alike. O(1) per update,
    and nothing is allocated.
    """

    __slots__ = ("_buys", "_drift_weight", "_flow_us", "_flow_weight", "_gap_us",
                 "_imbalance_min", "_imbalance_us", "_imbalance_weight", "_last_imbalance",
                 "_last_mid2", "_last_us", "_mean2", "_sells", "_start_us", "_threshold",
                 "_trade_us", "_typical_lots", "_updates_min", "_variance2", "_warm_up_us",
                 "_window_us", "direction", "drift", "flow", "imbalance", "score", "strength",
                 "until_us", "updates")

    def __init__(self, *, window_us: int = 300_000, imbalance_us: int = 10_000,
                 flow_us: int = 200_000, drift_weight: float = 0.25,
                 imbalance_weight: float = 0.45, flow_weight: float = 0.3,
                 threshold_e6: int = 150_000, imbalance_min_e6: int = 0,
                 warm_up_us: int = 500_000, updates_min: int = 5,
                 gap_us: int = 10_000_000) -> None:
        times = (window_us, imbalance_us, flow_us, gap_us)
        weights = (drift_weight, imbalance_weight, flow_weight)
        if min(times) <= 0 or warm_up_us < 0 or updates_min < 1:
            raise ValueError("times must be positive, warm_up_us not negative, updates_min >= 1")
        if not (min(weights) >= 0.0 and 0.0 < sum(weights) < float("inf")):
            raise ValueError("weights must not be negative, and not all zero")
        if not 0 < threshold_e6 < 1_000_000:
            raise ValueError("threshold_e6 must lie between 0 and 1,000,000")
        if not 0 <= imbalance_min_e6 <= 1_000_000:
            raise ValueError("imbalance_min_e6 must lie within 0..1,000,000")
        total = sum(weights)
        self._window_us = window_us
        self._imbalance_us = imbalance_us
        self._flow_us = flow_us
        self._gap_us = gap_us
        self._drift_weight = drift_weight / total
        self._imbalance_weight = imbalance_weight / total
        self._flow_weight = flow_weight / total
        self._threshold = threshold_e6 / 1_000_000
        self._imbalance_min = imbalance_min_e6 / 1_000_000
        self._warm_up_us = warm_up_us
        self._updates_min = updates_min
        self.reset()

    def reset(self) -> None:
        """Forget everything, as after a break in the feed."""
        self.updates = 0
        self._last_us = self._start_us = self._trade_us = 0
        self._last_mid2 = self._mean2 = self._variance2 = 0.0
        self._last_imbalance = 0.0
        self._buys = self._sells = self._typical_lots = 0.0
        self.drift = self.imbalance = self.flow = self.score = self.strength = 0.0
        self.direction = NONE
        self.until_us = 0

    def on_top(self, bid_ticks: int, bid_lots: int, ask_ticks: int, ask_lots: int,
               now_us: int) -> int:
        """Take a top of book; returns the direction. Both sides must be present."""
        mid2 = float(bid_ticks + ask_ticks)
        lots = bid_lots + ask_lots
        imbalance = (bid_lots - ask_lots) / lots if lots > 0 else 0.0
        elapsed = now_us - self._last_us
        if self.updates == 0 or elapsed > self._gap_us:
            self._begin(mid2, imbalance, now_us)
        elif elapsed > 0:
            # What stood since the last update counts for as long as it stood.
            weight = elapsed / (elapsed + self._window_us)
            away = self._last_mid2 - self._mean2
            self._mean2 += weight * away
            self._variance2 += weight * (away * away - self._variance2)
            weight = elapsed / (elapsed + self._imbalance_us)
            self.imbalance += weight * (self._last_imbalance - self.imbalance)
            self._last_us = now_us
        self._last_mid2 = mid2
        self._last_imbalance = imbalance
        self.updates += 1
        return self._judge(float(ask_ticks - bid_ticks), now_us)

    def on_trade(self, side: int, lots: int, now_us: int) -> None:
        """Take a public trade; ``side`` is the taker's (0 bought, 1 sold)."""
        self._forget_flow(now_us)
        if self._typical_lots == 0.0:
            self._typical_lots = float(lots)
        else:
            self._typical_lots += (lots - self._typical_lots) / _TRADES_REMEMBERED
        if side == 0:
            self._buys += lots
        else:
            self._sells += lots

    def _begin(self, mid2: float, imbalance: float, now_us: int) -> None:
        self.updates = 0
        self._start_us = self._last_us = now_us
        self._mean2 = mid2
        self._variance2 = 0.0
        self.imbalance = imbalance

    def _forget_flow(self, now_us: int) -> None:
        elapsed = now_us - self._trade_us
        if elapsed > 0:
            kept = self._flow_us / (self._flow_us + elapsed)
            self._buys *= kept
            self._sells *= kept
            self._trade_us = now_us

    def _judge(self, spread: float, now_us: int) -> int:
        # In half ticks, as the mids are: half a spread is then the spread in ticks.
        away = self._last_mid2 - self._mean2
        usual = sqrt(self._variance2) + spread
        unit = away / usual if usual > 0.0 else 0.0
        self.drift = unit / (1.0 + abs(unit))
        self._forget_flow(now_us)
        volume = self._buys + self._sells + self._typical_lots
        self.flow = (self._buys - self._sells) / volume if volume > 0.0 else 0.0
        score = (self._drift_weight * self.drift + self._imbalance_weight * self.imbalance
                 + self._flow_weight * self.flow)
        self.score = score
        self.strength = abs(score)
        ready = (self.updates >= self._updates_min
                 and now_us - self._start_us >= self._warm_up_us)
        self.direction = NONE
        self.until_us = 0
        if ready and self.strength >= self._threshold:
            direction = UP if score > 0.0 else DOWN
            if self._imbalance_min == 0.0 or self.imbalance * direction >= self._imbalance_min:
                self.direction = direction
                self.until_us = now_us + self._flow_us
        return self.direction
