"""When a book that cannot be trusted is asked for again."""

from __future__ import annotations

SECOND_NS = 1_000_000_000
ANSWER_NS = 5 * SECOND_NS
CALM_NS = 60 * SECOND_NS
DELAY_NS_MAX = 30 * SECOND_NS
FOLLOW_NS = 2 * SECOND_NS
APART_NS = SECOND_NS
LATE_TRADES_MAX = 3


class Recovery:
    """When one symbol's book is asked for again. Times are monotonic ns; 0 means never."""

    __slots__ = ("asked_ns", "due_ns", "late_trades", "odd_ns", "probed_ns", "synced", "tries",
                 "waiting_ns")

    def __init__(self) -> None:
        self.synced = False
        self.waiting_ns = 0
        self.asked_ns = 0
        self.due_ns = 0
        self.tries = 0
        self.probed_ns = 0
        self.odd_ns = 0
        self.late_trades = 0

    def broke(self, now_ns: int) -> None:
        """The book cannot be trusted: ask at once, or later if we asked a moment ago."""
        self.synced = False
        self.probed_ns = self.odd_ns = self.late_trades = 0
        if self.due_ns:
            return
        if not self.asked_ns or now_ns - self.asked_ns > CALM_NS:
            self.tries = 0
            self.due_ns = now_ns
        else:
            self.due_ns = now_ns + min(SECOND_NS << min(self.tries, 5), DELAY_NS_MAX)
            self.tries += 1

    def arrived(self) -> None:
        """A verified snapshot is in."""
        self.synced = True
        self.due_ns = self.waiting_ns = self.probed_ns = 0

    def traded(self, outside: bool, book_ns: int, now_ns: int) -> None:
        """A trade was printed; ``outside`` the touch of a book that was updated at ``book_ns``.

        Trades long after the last update count too, if there are some: hidden size trades without
        a change of the book.
        """
        if self.odd_ns and book_ns > self.odd_ns:
            self.odd_ns = self.late_trades = 0
        self.late_trades += now_ns - book_ns > APART_NS
        if outside or self.late_trades >= LATE_TRADES_MAX:
            self.odd_ns = self.odd_ns or now_ns

    def contradicted(self, book_ns: int, now_ns: int) -> bool:
        """True if the book should have followed its trades by now, and did not move."""
        if book_ns > self.odd_ns:
            self.odd_ns = 0
        return self.odd_ns > 0 and now_ns - self.odd_ns > FOLLOW_NS

    def due(self, now_ns: int) -> bool:
        """True if the book has to be asked for now; an answer that stays away counts too."""
        if not self.synced and not self.due_ns:
            self.waiting_ns = self.waiting_ns or now_ns
            if now_ns - self.waiting_ns > ANSWER_NS:
                self.due_ns = now_ns
        return 0 < self.due_ns <= now_ns

    def asked(self, now_ns: int) -> None:
        """The request for a new snapshot is on its way."""
        self.asked_ns = self.waiting_ns = now_ns
        self.due_ns = 0
