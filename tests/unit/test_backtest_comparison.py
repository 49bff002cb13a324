"""The comparison with hftbacktest: what it is told, what it answers, what the reader sees.

A script stands in for the other interpreter here; tests/peers runs the real one.
"""

import json
import stat
import sys

import pytest

from fastcore.sim.fees import FeeModel
from fastcore.sim.latency import OrderLatency
from fastcore.sim.model_codes import CURVE, FLAT, INTERPOLATED, PER_QUANTITY, PER_VALUE
from hftbot.backtest.comparison import (
    RequestTape,
    Setting,
    compare,
    comparison_json,
    comparison_text,
    refuse_unknown,
)
from hftbot.backtest.result import BINARY, SimAsset, SimFill
from hftbot.errors import ConfigError, HftbotError

np = pytest.importorskip("numpy")
ASSET = SimAsset(symbol="BTC/USDT", base="BTC", quote="USDT", tick_size=0.5, lot_size=0.01)
FILLS = [SimFill(0, 11, 0, 200, 3, True, 0.25, 1000, 1500),
         SimFill(0, 12, 1, 201, 1, True, 0.25, 2000, 2500)]
SAME = {"fills": [[11, 1000, 200, 0.03], [12, 2000, 201, 0.01]], "refused": 0, "ended": 1,
        "position": 0.02, "balance": -1.995, "fee": 0.5, "trades": 2, "version": "2.4.4",
        "cpu_s": 3.25}


class Recorder:
    """A Replay that only answers."""

    def __init__(self):
        self.now_ns = 100
        self.answer = 0
        self.position = "handed on"

    def submit(self, *arguments):
        return self.answer

    cancel = modify = submit


def setting(**changes):
    fields = {"asset": ASSET, "events": bytes(128), "queue": "power-prob", "power": 3.0,
              "partial": False, "fees": FeeModel(PER_VALUE, -0.0001, 0.0007),
              "latency": OrderLatency.constant(5, 7)}
    return Setting(**{**fields, **changes})


@pytest.fixture
def answering(tmp_path):
    """``answering(words, code)``: an interpreter that keeps its job, says that, and ends so."""
    def make(document, code=0, complaint=""):
        script = tmp_path / "other"
        script.write_text(f"#!{sys.executable}\nimport shutil, sys\n"
                          f"shutil.copy(sys.argv[2], {str(tmp_path / 'job.json')!r})\n"
                          "import json, pathlib\njob = json.loads(open(sys.argv[2]).read())\n"
                          f"shutil.copy(job['data'][0], {str(tmp_path / 'events.npy')!r})\n"
                          f"print('a warning')\nprint({json.dumps(document)!r})\n"
                          f"print({complaint!r}, file=sys.stderr)\nsys.exit({code})\n")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        return str(script)
    return make


def test_the_tape_keeps_what_left():
    replay = Recorder()
    tape = RequestTape(replay)
    assert tape.submit(0, 11, 1, 200, 3, 1) == 0
    replay.now_ns = 150
    assert tape.modify(0, 11, 201, 2) == 0
    assert tape.cancel(1, 12) == 0
    replay.answer = 12
    assert tape.cancel(0, 99) == tape.submit(0, 1, 0, 1, 1, 0) == tape.modify(0, 9, 1, 1) == 12
    assert tape.requests == {0: [(100, 0, 11, 1, 200, 3, 1, 0), (150, 2, 11, 0, 201, 2, 0, 0)],
                             1: [(150, 1, 12, 0, 0, 0, 0, 0)]}
    assert tape.position == "handed on"


def test_two_engines_that_agree(answering, tmp_path):
    requests = [(100, 0, 11, 0, 200, 3, 1, 0)]
    found = compare(answering(SAME), setting(), requests, FILLS)
    assert found.same
    assert (found.equal, found.only_ours, found.only_theirs) == (2, (), ())
    assert found.ours.position_lots == found.theirs.position_lots == 2
    text = comparison_text(found)
    assert "no difference in 2 fills, to the nanosecond" in text
    assert "hftbacktest 2.4.4" in text
    assert "3.2 CPU seconds" in text or "3.3 CPU seconds" in text
    told = comparison_json(found)
    assert told["same"] is True
    assert told["hftbacktest"]["balance"] == -1.995
    job = json.loads((tmp_path / "job.json").read_text())
    assert job["requests"] == [list(requests[0])]
    assert job["latency"] == {"entry_ns": 5, "response_ns": 7}
    assert job["fees"] == {"kind": "value", "maker": -0.0001, "taker": 0.0007}
    rows = np.load(tmp_path / "events.npy")
    assert (len(rows), rows.dtype.itemsize) == (2, 64)
    assert rows.dtype.names[0] == "ev"


def test_every_difference_is_named(answering):
    other = {**SAME, "fills": [[11, 1001, 200, 0.03], *([13 + n, 5, 7, 0.01] for n in range(6))],
             "fee": 0.75}
    found = compare(answering(other), setting(), [], FILLS)
    assert not found.same
    assert (found.equal, len(found.only_ours), len(found.only_theirs)) == (0, 2, 7)
    text = comparison_text(found)
    assert "0 fills are the same" in text
    assert "only ours: order 11, 3 lots at 200 ticks, exchange time 1000 ns" in text
    assert "only hftbacktest: 2 more" in text
    assert len(comparison_json(found)["only_hftbacktest"]) == 5
    only_money = compare(answering({**SAME, "balance": -1.99}), setting(), [], FILLS)
    assert not only_money.same
    assert "2 fills are the same" in comparison_text(only_money)


def test_recorded_latency_and_other_fees_are_told(answering, tmp_path):
    latency = OrderLatency.interpolated([1, 2], [3, 4], [5, 6])
    assert latency.kind == INTERPOLATED
    for kind, name in ((PER_QUANTITY, "quantity"), (FLAT, "flat")):
        compare(answering(SAME), setting(latency=latency, fees=FeeModel(kind, 0.1, 0.2)), [], FILLS)
        job = json.loads((tmp_path / "job.json").read_text())
        assert job["latency"] == {"rows": [[1, 3, 5], [2, 4, 6]]}
        assert job["fees"]["kind"] == name


@pytest.mark.parametrize(("change", "words"), [
    ({"fees": FeeModel(CURVE, 0.0, 0.07)}, "no fee curve"),
    ({"latency": OrderLatency.preset("realistic")}, "no random latency"),
    ({"asset": SimAsset(symbol="YES", base="YES", quote="USD", tick_size=0.01, lot_size=1.0,
                        contract=BINARY)}, "YES: hftbacktest has no binary"),
])
def test_what_it_cannot_do_is_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        refuse_unknown(setting(**change))


def test_its_failures_are_told_in_its_words(answering, tmp_path):
    with pytest.raises(HftbotError, match="ended with 3: no such row"):
        compare(answering(SAME, 3, "no such row"), setting(), [], FILLS)
    with pytest.raises(ConfigError, match="cannot run"):
        compare(str(tmp_path / "missing"), setting(), [], FILLS)
