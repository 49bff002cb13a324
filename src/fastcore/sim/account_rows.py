"""The account of a replay over time: one row a moment, for reports."""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython

from array import array

if not cython.compiled:
    MONEY = 4

LONG_AGO_NS, NEVER_NS = -(1 << 62), (1 << 63) - 1
# Columns of an asset, in the order in which a row has them.
MID, POSITION, BALANCE, FEE, VALUE = range(5)
PLACES = {MID: 0, BALANCE: 1, FEE: 2, VALUE: 3}
ROOM = 256


class AccountRows:
    """Rows of (mid, position in lots, balance, fee, traded value) for each asset.

    The last row is always what was added last; of the others there is at most one in each
    ``interval_ns``. At ``rows_max`` rows the interval doubles, so memory is bounded. ``due_ns`` is
    when ``add`` wants to be called next: for a row, or because somebody watches the market.
    """

    def __init__(self, assets: int, interval_ns: int, rows_max: int) -> None:
        if assets < 1 or interval_ns < 1 or rows_max < 3:
            raise ValueError("at least one asset, one nanosecond and three rows, not "
                             f"{assets}, {interval_ns} and {rows_max}")
        self.assets = assets
        self.interval_ns = interval_ns
        self.rows_max = rows_max
        self.count = self.passing = self.room = 0
        self.due_ns = self.last_ns = self.row_due_ns = LONG_AGO_NS
        self.watch_ns = NEVER_NS
        self.times = array("q")
        self.lots = array("q")
        self.money = array("d")

    def add(self, now_ns: int, rows) -> bool:
        """One moment: a tuple for each asset. True if somebody watches it.

        It may come before it is due; the end of a run should be added. A second row of the same
        moment replaces the first. Raises ValueError for a moment before the last one.
        """
        if now_ns < self.last_ns:
            raise ValueError(f"sample at {now_ns} ns comes after {self.last_ns} ns")
        if len(rows) != self.assets:
            raise ValueError(f"a sample of {len(rows)} assets; the run has {self.assets}")
        if self.count == self.room:
            self.grow()
        due = now_ns >= self.row_due_ns
        row = self.count
        if self.passing or now_ns == self.last_ns:
            row -= 1
            due = due or not self.passing
        for i in range(self.assets):
            mid, position, balance, fee, value = rows[i]
            self.lots[row * self.assets + i] = position
            at = (row * self.assets + i) * MONEY
            self.money[at] = mid
            self.money[at + 1] = balance
            self.money[at + 2] = fee
            self.money[at + 3] = value
        self.times[row] = self.last_ns = now_ns
        self.count = row + 1
        self.passing = not due
        if due:
            self.keep(now_ns)
        while self.count >= self.rows_max:
            self.thin()
        self.watch(self.watch_ns)
        return now_ns >= self.watch_ns

    def watch(self, at_ns: int) -> None:
        """Somebody wants to be told of the first moment from then on."""
        self.watch_ns = at_ns
        self.due_ns = at_ns if at_ns < self.row_due_ns else self.row_due_ns

    def keep(self, at_ns: int) -> None:
        """The row of that moment stays: the next one to stay is in another interval."""
        self.row_due_ns = (at_ns - (at_ns - self.times[0]) % self.interval_ns
                           + self.interval_ns)

    def thin(self) -> None:
        """Double the interval; of each one the first row stays, and the last row of all."""
        self.interval_ns *= 2
        before = -1
        kept = 0
        for row in range(self.count):
            interval = (self.times[row] - self.times[0]) // self.interval_ns
            if interval != before:
                self.move(row, kept)
                kept += 1
            before = interval
        self.keep(self.times[kept - 1])
        self.passing = self.times[kept - 1] != self.last_ns
        if self.passing:
            self.move(self.count - 1, kept)
            kept += 1
        self.count = kept

    def move(self, row: int, to: int) -> None:
        """Copy one row over another."""
        self.times[to] = self.times[row]
        for i in range(self.assets):
            self.lots[to * self.assets + i] = self.lots[row * self.assets + i]
        for i in range(self.assets * MONEY):
            self.money[to * self.assets * MONEY + i] = self.money[row * self.assets * MONEY + i]

    def grow(self) -> int:
        """Room for twice as many rows."""
        fresh = self.room if self.room else ROOM
        self.times = array("q", bytes(self.times) + bytes(8 * fresh))
        self.lots = array("q", bytes(self.lots) + bytes(8 * fresh * self.assets))
        self.money = array("d", bytes(self.money) + bytes(8 * fresh * self.assets * MONEY))
        self.room += fresh
        return 0

    def moments(self) -> "array[int]":
        """The time of each row."""
        return array("q", bytes(self.times[:self.count]))

    def column(self, asset: int, name: int) -> "array":
        """One column of an asset, by its constant in this room."""
        if asset < 0 or asset >= self.assets:
            raise IndexError(f"there is no asset {asset}; the rows have {self.assets}")
        if name == POSITION:
            lots = array("q", bytes(self.lots[:self.count * self.assets]))
            return lots[asset::self.assets]
        money = array("d", bytes(self.money[:self.count * self.assets * MONEY]))
        return money[asset * MONEY + PLACES[name]::self.assets * MONEY]

    def __len__(self) -> int:
        return self.count
