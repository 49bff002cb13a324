"""Arithmetic wider than int64, for the interpreted rooms; the compiled ones use _wide.pxd."""

INT64_MAX = (1 << 63) - 1
AMOUNT_MAX = 1 << 61  # the largest amount kept anywhere: two of them add up without overflow
_MASK = (1 << 64) - 1


def product(a: int, b: int) -> int:
    """a * b for a, b >= 0; INT64_MAX if it does not fit."""
    return min(a * b, INT64_MAX)


def muldiv(a: int, b: int, c: int) -> int:
    """a * b / c for a, b >= 0 and c > 0, rounded down; INT64_MAX if it does not fit."""
    return min(a * b // c, INT64_MAX)


def muldiv_up(a: int, b: int, c: int) -> int:
    """a * b / c for a, b >= 0 and c > 0, rounded up; INT64_MAX if it does not fit."""
    return min((a * b + c - 1) // c, INT64_MAX)


def mix(digest: int, word: int) -> int:
    """Fold one 64-bit word into a state hash."""
    digest = ((digest ^ (word & _MASK)) * 0x9E3779B97F4A7C15) & _MASK
    return digest ^ (digest >> 29)
