"""The rows that a next file begins with give the state that the file before it gives."""

from __future__ import annotations

import pathlib

import pytest
from engine_rig import Rig, Voice

from fastcore.money.journal import Journal, read_records
from hftbot.engine.recover import Replay, carry, row_records, state_hash
from hftbot.live.carry_over import base_rows
from hftbot.words.order import OrderState, Tif
from kraken_frames import BTC


def replayed(path: pathlib.Path) -> Replay:
    replay = Replay(1)
    for kind, words in row_records(read_records(path)):
        replay.feed(kind, words)
    return replay


@pytest.mark.law(9)
@pytest.mark.fault("P2")
def test_base_rows_give_the_state_that_the_old_file_gives(tmp_path: pathlib.Path) -> None:
    """Orders in every state, an amend on its way, known fills, a position with its history."""
    rig = Rig(tmp_path, Voice())
    bought = rig.buy()
    rig.ack(bought)
    rig.fill(bought, 60_000, "F1", fee_e10=77)
    rig.fill(bought, 40_000, "F2")
    rig.done(bought, OrderState.FILLED, 100_000)
    sold = rig.sell(30_000)
    rig.fill(sold, 30_000, "F3", side=1, ticks=600_005)
    rig.later(1)
    live, part, doubtful, lost, amended = (
        rig.buy(ticks=599_000 - each, tif=Tif.GTC) for each in range(5))
    for client_id in (live, part, amended):
        rig.ack(client_id)
    rig.fill(part, 10_000, "F4", ticks=598_999)
    rig.ack(doubtful)
    rig.fill(doubtful, 10_000, "F5", ticks=598_998)
    rig.doubt(doubtful)
    rig.doubt(lost)
    assert rig.desk().amend(amended, 598_000, 150_000) >= 0
    sent = rig.buy(ticks=598_500, tif=Tif.GTC)
    rig.world.guard.check_loss(0.0, rig.clock.us)
    told = base_rows(rig.world)
    log = Journal(str(tmp_path / "next"), 1 << 16, b"next")
    for kind, words in told:
        assert log.append_words(kind, *words) > 0
    old, new = replayed(tmp_path / "journal"), replayed(tmp_path / "next")
    assert new.checkpoints == 1
    assert new.mismatch == 0
    assert new.first
    assert new.state_hash() == old.state_hash() == state_hash(rig.table, rig.ledger.positions)
    assert list(new.orders) == [live, part, doubtful, lost, amended, sent] == list(old.orders)
    assert new.keys.keys() == old.keys.keys()
    assert len(new.keys) == 5
    assert new.opened_us == rig.ledger.opened_us
    assert new.ended == old.ended
    before, after = (carry(each, 7, [BTC.symbol], [BTC]) for each in (old, new))
    assert before.positions == after.positions
    assert before.ended == after.ended
    assert [(order.client_id, order.state, order.filled) for order in before.orders] == [
        (order.client_id, order.state, order.filled) for order in after.orders]
