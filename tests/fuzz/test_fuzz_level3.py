"""fuzz: mutated level 3 frames never raise, and a book that is trusted has the venue's checksum."""

from __future__ import annotations

import json
import random

import pytest

from fuzz.counts import codec_seeds
from fuzz.mutations import bent, warped
from hftbot.venue.kraken import codec
from hftbot.venue.kraken.level3 import Level3Feed
from hftbot.words.market import BookTrust
from kraken_frames import BTC, ETH, TOKEN, fixture_lines
from level3_market import SlowVenue


def frames(seed):
    """A market's snapshot and updates, and the recorded frames."""
    venue = SlowVenue(BTC, 10, random.Random(seed))
    for _ in range(30):
        venue.happen()
    own = [venue.snapshot(), *(frame for frame in (venue.happen() for _ in range(60)) if frame)]
    return own, own + fixture_lines("ws_public/asyncrs_level3_excerpt.jsonl",
                                    "docs_examples/level3_0*.json")


def sound(feed, frame, applied):
    """What holds whatever came: sorted levels with size, and no trust without the checksum."""
    for book in feed.books:
        for side in (0, 1):
            levels = book.levels(side, 1 << 20)
            assert len(levels) <= book.depth
            assert all(ticks > 0 and lots > 0 for ticks, lots in levels)
            assert levels == sorted(levels, reverse=side == 0)
            assert len({ticks for ticks, _ in levels}) == len(levels)
        shown = sum(len(book.queue(side, ticks)) for side in (0, 1)
                    for ticks, _ in book.levels(side, 1 << 20))
        assert shown == len(book._places)
    if applied and feed.books[0].trust == BookTrust.TRUSTED:
        told = [row for row in codec.parse(frame)["data"] if row.get("symbol") == "BTC/USD"]
        assert not told or feed.books[0].checksum() == told[-1]["checksum"]
    for sent in feed.take_outbox():
        assert json.loads(sent)["params"]["token"] == "token-of-the-test"
    feed.take_events()


def fuzz(seed, count, kind=Level3Feed):
    rng = random.Random(seed)
    own, all_frames = frames(seed)
    feed, at = None, 0
    for number in range(count):
        if number % 50 == 0:  # a book to spoil
            feed, at = kind((BTC, ETH)), 0
            feed.connected(TOKEN)
        if feed.books[0].trust != BookTrust.TRUSTED:
            at = 0
        clean = rng.randrange(3) > 0
        frame = own[at % len(own)] if clean else rng.choice(all_frames)
        at += clean
        if not clean:
            for _ in range(rng.randrange(1, 4)):
                frame = rng.choice((bent, warped))(frame, rng)
        try:
            sound(feed, frame, feed.on_frame(memoryview(frame), number * 10**8))
        except Exception as error:
            raise AssertionError(f"seed {seed}, frame {number}: {type(error).__name__}: {error}: "
                                 f"{frame[:400]!r}") from error


@pytest.mark.parametrize("seed", range(2))
def test_level_3_survives(seed):
    fuzz(seed, 2_000)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", codec_seeds(100, 25_000))
def test_level_3_survives_for_longer(seed):
    fuzz(seed, 25_000)


class Trusting(Level3Feed):
    """Canary: believes the venue's checksum unseen."""

    def on_frame(self, view, recv_ns):
        for book in self.books:
            book.checksum = lambda: 5
        return super().on_frame(bytes(view).replace(b'"checksum":', b'"checksum":5,"was":'),
                                recv_ns)


class Forgetful(Level3Feed):
    """Canary: forgets where an order stood."""

    def on_frame(self, view, recv_ns):
        changed = super().on_frame(view, recv_ns)
        if len(self.books[0]._places) > 5:
            self.books[0]._places.popitem()
        return changed


@pytest.mark.parametrize("defective", [Trusting, Forgetful])
def test_the_canaries_are_caught(defective):
    with pytest.raises(AssertionError, match="seed 0, frame"):
        fuzz(0, 2_000, defective)
