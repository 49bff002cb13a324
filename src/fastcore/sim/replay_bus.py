"""The way between a trader and an exchange: records arrive in the order in which they left."""

try:
    import cython
except ImportError:
    from fastcore import _shim as cython

if cython.compiled:
    from cython.cimports.fastcore.sim import _replay_codes as code
else:
    from fastcore.sim import replay_codes as code


class Bus:
    """Order records under way in one direction. None overtakes: it arrives with the last at best.

    Writers ask ``append`` for a place and fill the words behind it; ``room`` says how many more
    fit and ``grow`` doubles that, before and not during the run of a side.
    """

    def __init__(self, rows: int = 1024) -> None:
        size = 1 << max(4, (rows - 1).bit_length())
        # Pages of a bytearray cost nothing until they are used.
        self.words = memoryview(bytearray(8 * code.ORDER_WORDS * size)).cast("q")
        self.mask = size - 1
        self.first = 0
        self.count = 0
        self.head_ns = code.NEVER
        self.last_ns = 0

    def grow(self) -> None:
        """Twice the room; what is under way stays under way."""
        size = 2 * (self.mask + 1)
        words = memoryview(bytearray(8 * code.ORDER_WORDS * size)).cast("q")
        for i in range(self.count):
            at = ((self.first + i) & self.mask) * code.ORDER_WORDS
            for k in range(code.ORDER_WORDS):
                words[i * code.ORDER_WORDS + k] = self.words[at + k]
        self.words = words
        self.mask = size - 1
        self.first = 0

    def append(self, arrive_ns: int) -> int:
        """Where the words of a new record are, its time written; the caller saw to the room."""
        if self.count and arrive_ns < self.last_ns:
            arrive_ns = self.last_ns
        at = ((self.first + self.count) & self.mask) * code.ORDER_WORDS
        self.words[at] = arrive_ns
        if self.count == 0:
            self.head_ns = arrive_ns
        self.last_ns = arrive_ns
        self.count += 1
        return at

    def oldest(self) -> int:
        """Where the words of the oldest record are."""
        return self.first * code.ORDER_WORDS

    def drop_oldest(self) -> None:
        """It arrived."""
        self.first = (self.first + 1) & self.mask
        self.count -= 1
        self.head_ns = self.words[self.first * code.ORDER_WORDS] if self.count else code.NEVER

    def room(self) -> int:
        """How many more records fit."""
        return self.mask + 1 - self.count
