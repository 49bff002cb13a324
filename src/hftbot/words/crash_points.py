"""Named places at which a test lets the process die; nothing happens there in a normal run.

The process is told where with HFTBOT_CRASH_AT=NAME or NAME:PASSES and then ends as by ``kill -9``
when that place is passed for the PASSES-th time. A hold, a row of the order table and a position
live in memory only: to die between two changes of memory leaves what dying before both leaves, so
that the points beside the compiled lane stand at its door.
"""

from __future__ import annotations

from collections.abc import Callable

POINTS = (
    "after_intent",
    "after_hold",
    "after_journal_before_send",
    "mid_send",
    "after_send_before_ack",
    "after_ack_before_apply",
    "after_fill_journal_before_apply",
    "mid_sqlite_batch",
    "mid_reconcile",
    "mid_recover",
    "during_drain",
    "after_cancel_all_before_verify",
)
watches: list[Callable[[str], None]] = []
"""Who waits for a place to be passed. On the hot path it is asked before ``pass_by`` is called."""


def pass_by(name: str) -> None:
    """This place is passed."""
    for watch in watches:
        watch(name)


def parse(text: str) -> tuple[str, int]:
    """NAME or NAME:PASSES as (name, passes). Raises ValueError with the remedy."""
    name, _, passes = text.partition(":")
    if name not in POINTS:
        raise ValueError(f"HFTBOT_CRASH_AT={text!r}: there is no such place; it is one of "
                         f"{', '.join(POINTS)}")
    if passes and not (passes.isascii() and passes.isdigit() and int(passes)):
        raise ValueError(f"HFTBOT_CRASH_AT={text!r}: the passes after the colon must be a whole "
                         "number from 1")
    return name, int(passes or 1)


def arm(text: str, die: Callable[[], None]) -> None:
    """Call ``die`` when the place in ``text`` is passed that often. Raises ValueError."""
    name, passes = parse(text)
    left = [passes]

    def watch(passed: str) -> None:
        if passed == name:
            left[0] -= 1
            if left[0] == 0:
                die()

    watches.append(watch)


def armed() -> bool:
    """True if this process is to die somewhere."""
    return bool(watches)
