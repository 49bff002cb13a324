"""How much a fuzz test does: little every day, a commit's count as ``long``, more by night.

``HFTBOT_FUZZ=20`` multiplies the counts of the long tests; ``HFTBOT_FUZZ=0.1`` makes a short share
of them, as the sanitizer leg does.
"""

from __future__ import annotations

import os


def factor() -> float:
    """By how much HFTBOT_FUZZ multiplies."""
    return float(os.environ.get("HFTBOT_FUZZ", "1"))


def long_count(commit: int) -> int:
    """The count of a long test, given what every commit has to do."""
    return max(1, int(commit * factor()))


def long_seeds(first: int, commit: int) -> range:
    """Seeds of a long test that is split by seed."""
    return range(first, first + long_count(commit))


def codec_seeds(first: int, each: int) -> range:
    """Seeds that make 200,000 mutations of a codec, ``each`` by one seed: what CI has to do.

    CI's own share of the long tests (HFTBOT_FUZZ=0.1) is not taken of it; less than that is.
    """
    share = factor()
    return range(first, first + max(1, int(200_000 / each * (share if share < 0.1 else
                                                               max(1.0, share)))))


def examples(everyday: int) -> int:
    """Examples of a hypothesis test: with HFTBOT_FUZZ at least 1,000 times that."""
    return max(everyday, int(1_000 * factor())) if "HFTBOT_FUZZ" in os.environ else everyday
