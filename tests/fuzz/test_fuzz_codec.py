"""Mutated Kraken frames: no exception, no crash, and one answer from all three ways to read them.

The strict scanner (over hostile padding too), simdjson alone and the interpreted twin must agree
on the kind or error and on every field. Runs are seeded; a found frame is printed.
"""

import json
import random

import pytest

import fastcore
from fuzz.counts import codec_seeds
from twins import both, interpreted

PAIRS = ((b"BTC/USD", 1, 8, 1, 1), (b"ETH/USD", 5, 8, 10000, 1), (b"X/Y", 4, 3, 5, 25))
UPDATE = (b'{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[{"price":45283.5,'
          b'"qty":0.10000000},{"price":45283.4,"qty":0.00000000}],"asks":[{"price":45285.2,'
          b'"qty":12.00100000}],"checksum":3310070434,"timestamp":"2026-08-16T23:37:04.190019Z"}]}')
ONE_SIDE = (b'{"channel":"book","type":"update","data":[{"symbol":"ETH/USD","bids":[],"asks":['
            b'{"price":27119.90000,"qty":13.54109952}],"checksum":3572756970,'
            b'"timestamp":"2023-08-30T17:08:50.621700Z"}]}')
TRADE = (b'{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy",'
         b'"price":83744.3,"qty":0.00044780,"ord_type":"limit","trade_id":109116693,'
         b'"timestamp":"2026-09-25T17:48:26.844359Z"},{"symbol":"BTC/USD","side":"sell",'
         b'"price":83744.2,"qty":1.5,"ord_type":"market","trade_id":109116694,'
         b'"timestamp":"2026-09-25T17:48:26.844360Z"}]}')
COARSE = (b'{"channel":"book","type":"update","data":[{"symbol":"X/Y","bids":[{"price":0.0280,'
          b'"qty":1.075},{"price":7,"qty":5e-1}],"asks":[],"checksum":1,'
          b'"timestamp":"2026-08-16T23:37:05Z"}]}')
CORPUS = (
    UPDATE, ONE_SIDE, TRADE, COARSE, UPDATE.replace(b"update", b"snapshot"),
    TRADE.replace(b"update", b"snapshot"), b'{"channel":"heartbeat"}',
    b'{"method":"pong","req_id":101,"time_in":"2023-09-24T14:10:23.799685Z"}',
    b'{"channel":"status","type":"update","data":[{"connection_id":18125794168470749634,'
    b'"system":"online","upcoming_maintenance":[],"note":"\\u00e9\\ud83d\\ude00 \\/ \xc3\xa9"}]}',
    b'{"channel":"executions","type":"update","sequence":7,"data":[{"last_qty":1e-08}]}')
NUMBERS = (b"0", b"-0", b"-1", b"1e5", b"1E-8", b"1e+2", b"0.1e1", b"1e400", b"1e-400", b"01",
           b"1.", b".5", b"+1", b"1e", b"0x10", b"9223372036854775807", b"922337203685477580.7",
           b"922337203685477580.8", b"18446744073709551615", b"18446744073709551616",
           b"99999999999999999999.5", b"123456789012345678901234567890", b"0.000000001",
           b"45283.55", b"45283.50000000000000000000000000", b"1234567890123456789.0", b"00", b"-",
           b"4294967295", b"4294967296", b"1e18", b"1e-18", b"9" * 400 + b".5", b"0." + b"0" * 400,
           b"1" + b"0" * 30 + b"e-30", b"0." + b"0" * 30 + b"1e31", b"2.5e1", b"0e999999999999")
VALUES = (b"null", b"true", b"false", b"nul", b"NaN", b"Infinity", b"-Infinity", b'""', b'"buy"',
          b'"45283.5"', b"[]", b"{}", b"[[]]", b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\u0000"',
          b'"\xff"', b'"\\q"', b'"BTC\\/USD"', b'"B\\u0054C/USD"', b'"update"', b'"DOGE/USD"',
          b'"' + b"A" * 40 + b'"', b'"2026-13-01T00:00:00Z"', b'"2026-02-31T23:59:60.999999999Z"',
          b'"2026-02-01T00:00:00.Z"', b'"0000-01-01T00:00:00Z"', b'"2026-02-01 00:00:00Z"')
PIECES = (b" ", b"\n", b"\t", b"\x00", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc3", b'"', b"\\", b"{",
          b"}", b"[", b"]", b",", b":", b"[" * 17, b'{"a":' * 15, b"\x1f", b"\x7f", b",{}",
          b'"price":1,', b'"qty":2,', b'"symbol":"BTC/USD",', b'"channel":"book",', b'"data":[],',
          b'"type":"update",', b'"checksum":5,', b'"bids":[],', b'"trade_id":1,', b'"x":{"y":[1]},',
          b'"\\u0070rice":3,', b'"timestamp":"2026-08-16T23:37:05Z",', b'{"price":1,"qty":1},')
HOSTILE = b'5555555555,"qty":1.00000000},{"price":1.5,"qty":1.0},{"price":12345678901234'[:64]


def mutate(rng, frame):
    """A frame with one to four things wrong with it, or merely odd."""
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4))):
        at = rng.randrange(len(frame) + 1)
        upto = min(len(frame), at + rng.choice((1, 1, 2, 8, 40)))
        what = rng.randrange(9)
        if what == 0:
            frame = frame[:at] + bytes((rng.randrange(256),)) + frame[at + 1:]
        elif what == 1:
            frame = frame[:at] + frame[upto:]
        elif what == 2:
            frame = frame[:at] + frame[at:upto] * 2 + frame[upto:]
        elif what == 3:
            frame = frame[:at]
        elif what == 4:
            frame = frame[:at] + rng.choice(PIECES) + frame[at:]
        else:
            frame = mutate_token(rng, frame, what)
    return frame


def mutate_token(rng, frame, what):
    """Change a whole token or key, so that the frame mostly stays JSON."""
    marks = [i for i, byte in enumerate(frame) if byte in b':[{,' and i + 1 < len(frame)]
    if not marks:
        return frame
    at = rng.choice(marks) + 1
    stop = at
    while stop < len(frame) and frame[stop] not in b",]}":
        stop += 1
    if what == 5:
        return frame[:at] + rng.choice(NUMBERS) + frame[stop:]
    if what == 6:
        return frame[:at] + rng.choice(VALUES) + frame[stop:]
    if what == 7:
        return frame[:at] + rng.choice(PIECES) + frame[at:]
    return shuffle(rng, frame)


class _Text(str):
    """A number's text."""

    def __repr__(self):
        return str(self)


def shuffle(rng, frame):
    """The same JSON with its keys in another order and other white space."""
    def emit(value):
        space = rng.choice(("", "", " ", "\n\t"))
        if isinstance(value, dict):
            items = list(value.items())
            rng.shuffle(items)
            return "{" + ",".join(f"{json.dumps(key)}:{space}{emit(item)}"
                                  for key, item in items) + space + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(emit, value)) + space + "]"
        return str(value) if isinstance(value, _Text) else json.dumps(value)
    try:
        return emit(json.loads(frame, parse_int=_Text, parse_float=_Text)).encode()
    except (ValueError, RecursionError):
        return frame


def answer(decoder, kind):
    """Everything that a decoder says about the frame."""
    return (kind, decoder.kind, decoder.instrument, decoder.checksum, decoder.ts_us,
            list(decoder.levels[:3 * decoder.level_count]),
            list(decoder.trades[:5 * decoder.trade_count]))


def readers():
    """Ways to read a frame, by name."""
    def reader(room, read):
        decoder = room.KrakenDecoder()
        for pair in PAIRS:
            decoder.add_symbol(*pair)
        return lambda frame: answer(decoder, read(decoder, frame))

    def in_place(decoder, frame):
        return decoder.decode(memoryview(frame + HOSTILE)[:len(frame)], 64)

    room = both("fastcore.codec.kraken")[0]
    return {
        "decode": reader(room, lambda decoder, frame: decoder.decode(frame)),
        "in place": reader(room, in_place),
        "simdjson": reader(room, lambda decoder, frame: decoder.decode_without_scanner(frame)),
        "twin": reader(interpreted("fastcore.codec.kraken"),
                       lambda decoder, frame: decoder.decode(frame))}


def hunt(seed, rounds, ways):
    """Read mutated frames in every way; fails on the first that is not answered alike."""
    rng = random.Random(seed)
    kinds = {}
    for _ in range(rounds):
        frame = mutate(rng, rng.choice(CORPUS))
        answers = {name: read(frame) for name, read in ways.items()}
        first = answers["decode"]
        kinds[first[0]] = kinds.get(first[0], 0) + 1
        for name, found in answers.items():
            assert found == first, f"seed {seed}: {name} says {found}, not {first}: {frame!r}"
    return kinds


@pytest.mark.parametrize("seed", range(4))
def test_mutated_frames_have_one_answer(seed):
    kinds = hunt(seed, 2000, readers())
    assert set(range(-6, 5)) - {-4} <= set(kinds), kinds


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", codec_seeds(100, 25_000))
def test_many_mutated_frames_have_one_answer(seed):
    hunt(seed, 25_000, readers())


def test_every_truncation_and_every_token_has_one_answer():
    ways = readers()
    frames = [frame[:size] for frame in CORPUS for size in range(len(frame) + 1)]
    for frame in (UPDATE, TRADE, COARSE):
        for old in (b"45283.5", b"0.10000000", b"3310070434", b"83744.3", b"109116693", b"1.075",
                    b'"2026-08-16T23:37:04.190019Z"', b'"BTC/USD"', b'"update"', b'"buy"'):
            frames += [frame.replace(old, new, 1) for new in NUMBERS + VALUES if old in frame]
    for frame in frames:
        answers = [read(frame) for read in ways.values()]
        assert answers == answers[:1] * len(answers), frame


def test_a_bad_string_counts_even_if_its_key_comes_again():
    frame = b'{"channel":"\\udc00\\ud800","type":"update","channel":"book","data":[]}'
    assert {read(frame)[0] for read in readers().values()} == {-1}


def test_large_and_deep_frames_have_one_answer():
    ways = readers()
    level = b'{"price":45283.5,"qty":0.10000000}'
    trade = TRADE[TRADE.index(b'{"symbol"'):TRADE.index(b',{"symbol":"BTC/USD","side":"sell"')]
    expected = []
    for count, kind in ((2048, 1), (2049, -4)):
        expected.append((UPDATE.replace(b'"bids":[', b'"bids":[' + (level + b",") * (count - 3)),
                         kind))
    for count, kind in ((1024, 3), (1025, -4)):
        expected.append((TRADE.replace(b'"data":[', b'"data":[' + (trade + b",") * (count - 2)),
                         kind))
    for size, kind in ((1 << 20, 4), ((1 << 20) + 1, -4)):
        expected.append((b'{"channel":"heartbeat"}'.ljust(size), kind))
    for depth, kind in ((15, 0), (16, -4), (100_000, -4)):
        expected.append((b'{"a":' + b"[" * depth + b"]" * depth + b"}", kind))
        expected.append((b'{"a":' + b"[" * depth, -4 if depth > 15 else -1))
        expected.append((b'{"a":"' + b"[" * depth + b'"}', 0))
    for frame, kind in expected:
        answers = [read(frame) for read in ways.values()]
        assert answers[0][0] == kind, frame[:80]
        assert answers == answers[:1] * len(answers), frame[:80]


@pytest.mark.parametrize(("bug", "plant"), [
    ("reads numbers through a float", lambda found: (
        *found[:5], [int(float(word) * 1.0000001) for word in found[5]], found[6])),
    ("takes inexact numbers", lambda found: (1, *found[1:]) if found[0] == -5 else found),
    ("mixes up malformed and misshapen", lambda found: (
        -1, *found[1:]) if found[0] == -2 else found)])
def test_canary_with_a_planted_bug_is_found(bug, plant):
    ways = readers()
    twin = ways["twin"]
    ways["canary"] = lambda frame: plant(twin(frame))
    with pytest.raises(AssertionError, match="canary says"):
        hunt(0, 2000, ways)


@pytest.mark.skipif(not fastcore.compiled, reason="there is no scanner to skip")
def test_scanner_reads_what_kraken_writes():
    """Else the comparison above would compare simdjson with itself."""
    decoder = both("fastcore.codec.kraken")[0].KrakenDecoder()
    for pair in PAIRS:
        decoder.add_symbol(*pair)
    for frame in (UPDATE, ONE_SIDE, TRADE, CORPUS[4], CORPUS[5], CORPUS[6]):
        assert decoder.decode(frame) > 0
    assert (decoder.scanned, decoder.parsed) == (6, 0)
