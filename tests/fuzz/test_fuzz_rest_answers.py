"""fuzz: mutated REST answers give an exact record or an error of the tree, and nothing else."""

from __future__ import annotations

import dataclasses
import json
import random
from decimal import Decimal

import pytest

from fuzz.counts import codec_seeds
from fuzz.mutations import bent, warped
from hftbot.errors import VenueError
from hftbot.venue.kraken import rest
from hftbot.words.secret import Secret
from kraken_answers import ORDER, PAIR, READ, TRADE, answered
from kraken_frames import FIXTURES

OWN = {
    "server_time": [{"unixtime": 1762820224}],
    "system_status": [{"status": "online", "timestamp": "2025-11-11T00:17:10Z"}],
    "asset_pairs": [{"XXBTZUSD": PAIR}], "balance": [{"ZUSD": "22.6354", "XXBT": "0.1"}],
    "extended_balance": [{"ZUSD": {"balance": "100.5", "hold_trade": "25", "credit": "1"}}],
    "trade_volume": [{"currency": "ZUSD", "volume": "1", "fees": {"A": {"fee": "0.4"}},
                      "fees_maker": {"A": {"fee": "0.25"}}}],
    "api_key_info": [{"api_key_name": "bot", "permissions": ["query-funds"],
                      "nonce_window": "15"}],
    "websockets_token": [{"token": "abc", "expires": 900}],
    "open_orders": [{"open": {"OA": ORDER}}], "closed_orders": [{"closed": {"OA": ORDER}}],
    "query_orders": [{"OA": ORDER}], "trades_history": [{"count": 1, "trades": {"TA": TRADE}}],
    "add_order": [{"txid": ["OA"], "descr": {"order": "buy"}}],
    "add_order_batch": [{"orders": [{"txid": "OA", "descr": {"order": "buy"}},
                                    {"error": "EOrder:Invalid price"}]}],
    "cancel": [{"count": 3}]}
REFUSED = b'{"error":["EOrder:Insufficient funds"]}'


def corpus():
    """(reader, body) pairs: our own answers, and the recorded ones of moderate size."""
    found = [(name, answered(result)) for name, results in OWN.items() for result in results]
    found += [(name, REFUSED) for name in OWN]
    for name, globs in READ.items():
        for glob in globs:
            for path in (FIXTURES / "rest").glob(glob):
                body = path.read_bytes()
                found.append((name, json.dumps(json.loads(body[body.index(b"{"):])).encode()))
    return [(name, body) for name, body in found if len(body) < 4_000]


def exact(value):
    """Whole numbers, finite decimals in range, printable texts; all the way down."""
    assert not isinstance(value, float), value
    if isinstance(value, Decimal):
        assert value.is_finite()
        assert abs(value) <= Decimal(10) ** 30
    elif isinstance(value, str):
        assert value.isprintable()
        assert len(value) <= 256
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            exact(getattr(value, field.name))
    elif isinstance(value, dict):
        for key, held in value.items():
            exact(key)
            exact(held)
    elif isinstance(value, list | tuple | frozenset):
        for held in value:
            exact(held)
    else:
        assert value is None or isinstance(value, int | Secret)


def honest(name, status, body):
    """What the reader of that name makes of an answer."""
    return getattr(rest, name + "_answer")(status, body)


def fuzz(seed, count, read=honest):
    """Mutated bodies to their readers. Returns how many could be read."""
    rng = random.Random(seed)
    bodies = corpus()
    good = 0
    for number in range(count):
        name, body = rng.choice(bodies)
        for _ in range(rng.randrange(1, 3)):
            body = rng.choice((bent, warped, warped))(body, rng)
        status = rng.choice((200,) * 9 + (rng.randrange(100, 600),))
        try:
            exact(read(name, status, body))
            good += 1
        except VenueError:
            pass
        except Exception as error:
            raise AssertionError(f"seed {seed}, answer {number} ({name}): {type(error).__name__}: "
                                 f"{error}: {body[:400]!r}") from error
    return good


@pytest.mark.parametrize("seed", range(2))
def test_answers_survive(seed):
    assert 300 < fuzz(seed, 3_000) < 2_700, "some are read and some are refused"


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", codec_seeds(100, 25_000))
def test_answers_survive_for_longer(seed):
    fuzz(seed, 25_000)


def careless(name, status, body):
    """Canary: reads a balance through a float."""
    found = honest(name, status, body)
    return {asset: float(held) for asset, held in found.items()} if name == "balance" else found


def trusting(name, status, body):
    """Canary: believes that every answer has a result."""
    assert json.loads(body)["result"] is not None
    return honest(name, status, body)


@pytest.mark.parametrize("defective", [careless, trusting])
def test_the_canaries_are_caught(defective):
    with pytest.raises(AssertionError, match="seed 0, answer"):
        fuzz(0, 3_000, defective)
