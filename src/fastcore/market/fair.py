"""Fair values: our models' prices, the only floats on the path.

Everything here is plain arithmetic and sqrt, which IEEE 754 defines to the last bit, so that every
interpreter and C library gives the same answer. Volatility is per square-root second.
"""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython
from array import array

if cython.compiled:
    from cython.cimports.libc.math import sqrt
else:
    from math import sqrt

STEPS = 512  # of 1/64 from 0 to 8


def mid2(bid: int, ask: int) -> int:
    """Twice the mid price in ticks, exact; the caller knows that both sides are there."""
    return bid + ask


def natural_log(ratio: float) -> float:
    """Natural logarithm of a positive ratio, error below 1e-15 relative near 1; 0.0 if not > 0."""
    power = 0.0
    if not 1e-300 < ratio < 1e300:
        return 0.0
    while ratio > 1.4142135623730951:
        ratio *= 0.5
        power += 1.0
    while ratio < 0.7071067811865476:
        ratio *= 2.0
        power -= 1.0
    x = (ratio - 1.0) / (ratio + 1.0)
    square = x * x
    term = 1.0 / 21.0
    term = 1.0 / 19.0 + square * term
    term = 1.0 / 17.0 + square * term
    term = 1.0 / 15.0 + square * term
    term = 1.0 / 13.0 + square * term
    term = 1.0 / 11.0 + square * term
    term = 1.0 / 9.0 + square * term
    term = 1.0 / 7.0 + square * term
    term = 1.0 / 5.0 + square * term
    term = 1.0 / 3.0 + square * term
    return power * 0.6931471805599453 + 2.0 * x * (1.0 + square * term)


def natural_exp(x: float) -> float:
    """e to the power x for x from -700 to 700; 0.0 below and e**700 above."""
    if x < -700.0:
        return 0.0
    if x > 700.0:
        x = 700.0
    power = int(x * 1.4426950408889634 + (0.5 if x > 0.0 else -0.5))
    x = x - power * 0.6931471803691238 - power * 1.9082149292705877e-10
    term = 1.0
    total = 1.0
    for i in range(1, 15):
        term *= x / i
        total += term
    while power > 0:
        total *= 2.0
        power -= 1
    while power < 0:
        total *= 0.5
        power += 1
    return total


def normal_density(x: float) -> float:
    """Density of the standard normal distribution."""
    return 0.3989422804014327 * natural_exp(-0.5 * x * x)


def normal_series(x: float) -> float:
    """N(x) from its power series, slow and exact to about 1e-14: the table is made of it."""
    if x > 8.0:
        return 1.0
    if x < -8.0:
        return 0.0
    term = x
    total = 0.0
    i = 1.0
    while term > 1e-18 or term < -1e-18:
        total += term
        i += 2.0
        term *= x * x / i
    return 0.5 + total * normal_density(x)


def normal_cdf(x: float) -> float:
    """N(x), the standard normal distribution, from a table; absolute error below 1e-10."""
    return TABLE.cdf(x)


def digital_reference(spot: float, strike: float, tau_s: float, sigma: float) -> float:
    """Probability that a price without drift ends at or above the strike, by the series.

    ``sigma`` is volatility per square-root second, ``tau_s`` the seconds left. Without time or
    volatility it is 1.0 or 0.0; a price or strike that is not positive gives 0.0.
    """
    if spot <= 0.0 or strike <= 0.0:
        return 0.0
    root = sigma * sqrt(tau_s) if tau_s > 0.0 else 0.0
    if not root > 1e-12:
        return 1.0 if spot >= strike else 0.0
    return normal_series(natural_log(spot / strike) / root - 0.5 * root)


class NormalTable:
    """N(x) at every 1/64 with cubic Hermite interpolation between."""

    def __init__(self) -> None:
        self.value = array("d", [normal_series(i / 64.0) for i in range(STEPS + 1)])
        self.slope = array("d", [normal_density(i / 64.0) / 64.0 for i in range(STEPS + 1)])

    def cdf(self, x):
        """N(x)."""
        down = x < 0.0
        t = -64.0 * x if down else 64.0 * x
        if t < 512.0:
            i = int(t)
            t -= i
            low = self.value[i]
            rise = self.value[i + 1] - low
            high = self.slope[i + 1] - rise
            t = low + t * (self.slope[i] + t * (
                rise - self.slope[i] - (1.0 - t) * (high + self.slope[i] - rise)))
        else:
            t = 1.0
        return 1.0 - t if down else t


class FairPrice:
    """Where an order book says the price is, in float ticks; 0.0 while a side is empty."""

    def __init__(self, depth: int = 5) -> None:
        if not 1 <= depth <= 64:
            raise ValueError(f"depth must be 1 to 64, not {depth}")
        self.depth = depth

    def mid(self, book) -> float:
        """Halfway between the best prices."""
        bid = book.best_bid()
        ask = book.best_ask()
        if not book.has_bid() or not book.has_ask():
            return 0.0
        return 0.5 * (bid + ask)

    def microprice(self, book) -> float:
        """The best prices weighted by the size opposite: it leans to the thinner side."""
        if not book.has_bid() or not book.has_ask():
            return 0.0
        bid = 1.0 * book.best_bid()
        ask = 1.0 * book.best_ask()
        bid_lots = 1.0 * book.best_bid_lots()
        ask_lots = 1.0 * book.best_ask_lots()
        return (bid * ask_lots + ask * bid_lots) / (bid_lots + ask_lots)

    def depth_weighted(self, book, n: int = 0) -> float:
        """Like microprice, with the size-weighted price of the best n levels (0: ``depth``)."""
        if not book.has_bid() or not book.has_ask():
            return 0.0
        if n < 1 or n > 64:
            n = self.depth
        bid = bid_weight = ask = weight = 0.0
        count = book.gather(0, n)
        for i in range(count):
            lots = 1.0 * book.found_lots[i]
            bid += lots * book.found_ticks[i]
            bid_weight += lots
        count = book.gather(1, n)
        for i in range(count):
            lots = 1.0 * book.found_lots[i]
            ask += lots * book.found_ticks[i]
            weight += lots
        bid /= bid_weight
        ask /= weight
        return (bid * weight + ask * bid_weight) / (bid_weight + weight)


class EwmaVolatility:
    """Volatility of a price, older moves counting half as much every ``half_life_us``."""

    def __init__(self, half_life_us: int) -> None:
        if half_life_us < 1:
            raise ValueError(f"half_life_us must be positive, not {half_life_us}")
        self.half_life_us = half_life_us
        self.last_price = 0.0
        self.last_us = 0
        self.variance = 0.0
        self.seconds = 0.0
        self.samples = 0

    def update(self, price: float, ts_us: int) -> int:
        """Take a price at a time. Returns 0, or -1 for no price or a clock that went back."""
        if not price > 0.0 or (self.samples and ts_us < self.last_us):
            return -1
        if self.samples:
            elapsed = 1e-6 * (ts_us - self.last_us)
            change = natural_log(price / self.last_price)
            keep = natural_exp(-693147.1805599453 * elapsed / self.half_life_us)
            self.variance = keep * self.variance + change * change
            self.seconds = keep * self.seconds + elapsed
        self.last_price = price
        self.last_us = ts_us
        self.samples += 1
        return 0

    def per_sqrt_s(self) -> float:
        """Volatility per square-root second, 0.0 until two prices at different times are in."""
        return sqrt(self.variance / self.seconds) if self.seconds > 0.0 else 0.0


class DigitalFair:
    """Price of an up/down contract, quick: what only time and volatility change is kept.

    Call set() on a timer and price() on every move. The first price() needs a set().
    """

    def __init__(self) -> None:
        self.table = TABLE
        self.strike = 0.0
        self.tau_s = 0.0
        self.sigma = 0.0
        self.inverse = 0.0
        self.scale = 0.0
        self.drift = 0.0

    def set(self, strike: float, tau_s: float, sigma: float) -> int:
        """Take the contract's terms (see digital_reference). Returns 0, or -1 if strike <= 0."""
        if not strike > 0.0:
            return -1
        self.strike = strike
        self.tau_s = tau_s
        self.sigma = sigma
        self.inverse = 1.0 / strike
        self.scale = 0.0
        root = sigma * sqrt(tau_s) if tau_s > 0.0 else 0.0
        if root > 1e-12:
            self.scale = 1.0 / root
            self.drift = 0.5 * root
        return 0

    def price(self, spot: float) -> float:
        """Probability that the price ends at or above the strike; error below 1e-9."""
        if not spot > 0.0 or self.strike <= 0.0:
            return 0.0
        if self.scale <= 0.0:
            return 1.0 if spot >= self.strike else 0.0
        return self.table.cdf(natural_log(spot * self.inverse) * self.scale - self.drift)


TABLE = NormalTable()
