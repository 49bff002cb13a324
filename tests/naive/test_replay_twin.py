"""The replay against one written the obvious way, and what no replay may do, whatever happens."""

import pathlib
import random
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from naive_replay import NaiveAsset, NaiveReplay

from fastcore.sim import fees, latency
from fastcore.sim import replay_codes as codes
from fuzz.counts import examples
from twins import both
from wild_rows import LOT, MIDDLE, TICK, packed, random_rows

rooms = both("fastcore.sim.replay")
QUIET = settings(deadline=None, max_examples=examples(60), database=None)


def random_latency(rng):
    """How a new latency model of one kind and seed is made; each world needs its own."""
    seed = rng.randint(1, 99)
    if rng.random() < 0.3:
        return lambda: latency.OrderLatency.jittered(300, 200, 150, 20, 100_000, seed)
    entry, response = rng.choice([(0, 0), (7, 3), (250, 120), (-90, 40), (1500, 900)])
    return lambda: latency.OrderLatency.constant(entry, response)


def actions(rng, count, assets):
    """What a strategy does, as (name, arguments)."""
    for _ in range(count):
        asset = rng.randrange(assets)
        order_id = rng.randint(1, 7)
        ticks = MIDDLE + rng.randint(-7, 7)
        lots = rng.choice([1, 2, 4, 9, 30])
        yield rng.choice([
            ("submit", asset, order_id, rng.randint(0, 1), ticks, lots,
             rng.choice([codes.GTC, codes.GTC, codes.GTX, codes.FOK, codes.IOC]),
             rng.choices([codes.LIMIT, codes.MARKET], [9, 1])[0]),
            ("submit", asset, order_id, rng.randint(0, 1), ticks, lots, codes.GTC, codes.LIMIT),
            ("cancel", asset, order_id), ("modify", asset, order_id, ticks, lots),
            ("drop_inactive", asset), ("elapse", rng.choice([0, 1, 60, 500, 4000])),
            ("elapse", rng.choice([10, 200, 1000])),
            ("step", rng.choice([100, 3000]),
             rng.choice([codes.WAKE_FEED, codes.WAKE_TOP, codes.WAKE_DEPTH, codes.WAKE_TRADE,
                         codes.WAKE_RESPONSE, codes.WAKE_RESPONSE | codes.WAKE_TOP, 31]))])


class Scene:
    """The same recordings in every form of the replay, and in the naive one."""

    def __init__(self, seed, wild=False, forms=None):
        rng = random.Random(seed)
        self.rng = rng
        self.count = rng.choice([1, 1, 2, 3])
        self.queue = rng.randint(0, 5)
        self.partial = rng.randint(0, 1)
        self.rows = [random_rows(rng, rng.choice([0, 5, 120]), wild) for _ in range(self.count)]
        self.latencies = [random_latency(rng) for _ in range(self.count)]
        self.replays = [self.replay(room, 64 if wild else 4096) for room in forms or rooms]
        self.naive = NaiveReplay([
            NaiveAsset(rows, TICK, LOT, make(), fee_model(), self.queue, 3.0, self.partial)
            for rows, make in zip(self.rows, self.latencies, strict=True)])

    def replay(self, room, window=4096, rows=None):
        replay = room.Replay()
        for recorded, make in zip(rows or self.rows, self.latencies, strict=True):
            replay.add(packed(recorded), TICK, LOT, make(), fee_model(), queue=self.queue,
                       exchange=self.partial, orders=16, window=window)
        replay.collect(codes.COLLECT_RESPONSES | codes.COLLECT_FILLS | codes.COLLECT_TRADES)
        return replay


def fee_model():
    return fees.FeeModel(fees.PER_VALUE, -0.0001, 0.0007)


def naive_apply(naive, name, arguments):
    if name == "elapse":
        return naive.goto(naive.now + arguments[0])
    if name == "step":
        return naive.step(naive.now + arguments[0], arguments[1])
    asset = naive.assets[arguments[0]]
    if name == "drop_inactive":
        asset.drop()
        return len(asset.known)
    return getattr(asset, name)(naive.now, *arguments[1:])


def apply(replay, name, arguments):
    if name == "step":
        return replay.step(replay.now_ns + arguments[0], arguments[1])
    return getattr(replay, name)(*arguments)


def taken(assets, column):
    """A log of every asset, then emptied; in order of the last column, as the replay sorts it."""
    found = [(i, *row) for i, asset in enumerate(assets) for row in getattr(asset, column)]
    for asset in assets:
        getattr(asset, column).clear()
    return sorted(found, key=lambda row: row[-1])


def assert_same(replay, naive):
    assert replay.now_ns == naive.now
    assert replay.responses() == taken(naive.assets, "told")
    assert replay.fills() == taken(naive.assets, "filled")
    assert replay.trades() == taken(naive.assets, "traded")
    for i, asset in enumerate(naive.assets):
        for side in (0, 1):
            best = asset.here.best[side]
            expected = (codes.NO_BID, codes.NO_ASK)[side] if best is None else (
                best * (1 - 2 * side))
            assert replay.best(i, side) == expected
            levels = sorted((key for key in asset.here.levels[side] if best is not None
                             and asset.here.low[side] <= key <= best), reverse=True)
            assert replay.levels(i, side, 99) == [
                (key * (1 - 2 * side), asset.here.levels[side][key]) for key in levels]
        assert replay.position(i) == asset.position
        assert (replay.balance(i), replay.fee(i)) == (asset.balance, asset.fee)
        assert [(order["order_id"], order["status"], order["request"], order["ticks"],
                 order["leaves_lots"], order["lots"]) for order in replay.orders(i)] == [
            (order["id"], order["status"], order["request"], order["ticks"], order["leaves"],
             order["lots"]) for order in asset.known.values()]


@QUIET
@given(st.integers(0, 1 << 32), st.booleans())
def test_every_form_agrees_with_the_naive_replay(seed, wild):
    scene = Scene(seed, wild)
    # The clock of the naive replay runs from the start, ours from the first call.
    for replay in scene.replays:
        replay.elapse(0)
    scene.naive.goto(scene.naive.now)
    for name, *arguments in actions(scene.rng, 60, scene.count):
        expected = naive_apply(scene.naive, name, arguments)
        for replay in scene.replays:
            assert apply(replay, name, arguments) == expected, (name, arguments)
            if name == "step" and expected not in (0, codes.END):
                assert replay.woken == scene.naive.woken
        for number, replay in enumerate(scene.replays):
            if number:
                assert replay.state_hash() == scene.replays[0].state_hash()
        logs = [[list(asset.told), list(asset.filled), list(asset.traded)]
                for asset in scene.naive.assets]
        for replay in scene.replays:
            for asset, (told, filled, traded) in zip(scene.naive.assets, logs, strict=True):
                asset.told, asset.filled, asset.traded = list(told), list(filled), list(traded)
            assert_same(replay, scene.naive)


def test_the_numbers_are_the_same_for_compiled_code():
    text = (pathlib.Path(__file__).resolve().parents[2] / "src/fastcore/sim"
            / "_replay_codes.pxd").read_text()
    written = dict(re.findall(r"^    (\w+) = (-?\d+)$", text, re.MULTILINE))
    written |= dict(re.findall(r"#define REPLAY_(\w+) \((\S+)\)", text))
    ours = {name: value for name, value in vars(codes).items() if isinstance(value, int)}
    assert set(written) == set(ours)
    for name, value in ours.items():
        number = written[name].removesuffix("LL").replace("INT64_MIN", str(-(1 << 63)))
        assert int(number) == value, name
