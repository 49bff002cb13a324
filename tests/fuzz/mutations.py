"""Ways to spoil a frame of JSON: its bytes, or one value of its tree."""

from __future__ import annotations

import json

from kraken_frames import Raw

VALUES = ["null", "true", "-1", "0", "1e999", "1e-999", "-0.0", "9" * 30, "9" * 5000, '""', '"x"',
          '"\\ud800"', '"' + "y" * 300 + '"', "[]", "{}", "[[[[]]]]", '[{"a":1}]', "NaN",
          "0.123456789012", '"1.5"', '"2026-99-99T00:00:00Z"', "9223372036854775808"]


def bent(frame, rng):
    """One mutation of the bytes."""
    raw = bytearray(frame)
    at, size = rng.randrange(len(raw) + 1), rng.randrange(1, 9)
    kind = rng.randrange(6)
    if kind == 0 and raw:
        raw[at % len(raw)] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del raw[at:at + size]
    elif kind == 2:
        raw[at:at] = rng.randbytes(size)
    elif kind == 3:
        del raw[at:]
    elif kind == 4:
        raw[at:at] = raw[at:at + 20 * size]
    else:
        raw[at:at] = rng.choice((b"[" * 2000, b'{"a":' * 500, b"\x00", b"\xff\xfe", b",,", b"{}"))
    return bytes(raw)


def warped(frame, rng):
    """One value of the tree replaced, or one key removed; the frame stays JSON (mostly)."""
    try:
        tree = json.loads(frame, parse_float=Raw)
    except (ValueError, RecursionError):
        return bent(frame, rng)
    places = list(_places(tree))
    if not places:
        return frame
    holder, key = rng.choice(places)
    if rng.randrange(5) == 0:
        del holder[key]
    else:
        holder[key] = Raw(rng.choice(VALUES))
    return _written(tree).encode("utf-8", "surrogatepass")


def _places(tree):
    if isinstance(tree, dict):
        keys = list(tree)
    elif isinstance(tree, list):
        keys = list(range(len(tree)))
    else:
        return
    for key in keys:
        yield tree, key
        yield from _places(tree[key])


def _written(value):
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_written(inner)}"
                              for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_written(inner) for inner in value) + "]"
    return json.dumps(value)
