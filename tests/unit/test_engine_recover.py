"""Rows of a journal become the money state; what the next run takes over from it."""

from __future__ import annotations

import os
import pathlib
from dataclasses import replace
from typing import Any

import pytest

from fastcore.lane import desk as lane
from fastcore.money.journal import Journal
from hftbot.app import recovery
from hftbot.app.cli import main
from hftbot.engine import recover
from hftbot.engine.ledger import opened_us
from hftbot.engine.recover import Replay, carry
from hftbot.errors import StoreError
from hftbot.words.order import OrderState, client_id_pack
from kraken_frames import BTC, ETH

US = 1_780_000_000_000_000
DAY = US // 86_400_000_000
FIRST, SECOND, OTHER = (client_id_pack(1, 3, n) for n in (1, 2, 3))
BUY, SELL, IOC, POST_ONLY = 0, 1 << 16, 1 << 20, 1 << 24


def order(client_id: int, lots: int = 1000, flags: int = BUY, us: int = US) -> tuple[int, Any]:
    return lane.KIND_ORDER, (client_id, flags + (1 << 32), 600_000, lots, us, us, us + 5_000_000, 1)


def row(kind: int, client_id: int, *words: int, us: int = US, flags: int = BUY) -> tuple[int, Any]:
    return kind, (client_id, flags, *words, *[0] * (4 - len(words)), us, 0)


def fill(client_id: int, lots: int, key: int, us: int = US, flags: int = BUY,
         ticks: int = 600_000, fee_e10: int = 0) -> tuple[int, Any]:
    return row(lane.KIND_FILL, client_id, ticks, lots, fee_e10, key, us=us, flags=flags)


def fed(*told: tuple[int, Any], instruments: int = 1) -> Replay:
    replay = Replay(instruments)
    for kind, words in told:
        replay.feed(kind, words)
    return replay


def checkpoint(replay: Replay, mark: int = 0, day: int = DAY, profit_e10: int = 0
               ) -> tuple[int, Any]:
    return lane.KIND_STATE, (0, 0, replay.state_hash(), day, profit_e10, 1, US, mark)


def test_recover_order_lives_through_its_states() -> None:
    steps = [(order(FIRST, flags=POST_ONLY), OrderState.SENT, False),
             (row(lane.KIND_DOUBT, FIRST), OrderState.DOUBT, False),
             (row(lane.KIND_ACK, FIRST), OrderState.LIVE, True),
             (row(lane.KIND_AMEND, FIRST, 600_010, 1500), OrderState.LIVE, True),
             (fill(FIRST, 1000, 7), OrderState.PARTIAL, True),
             (row(lane.KIND_AMENDED, FIRST, 600_010, 1500), OrderState.PARTIAL, True),
             (row(lane.KIND_CANCEL, FIRST, 9), OrderState.PARTIAL, True)]
    replay = Replay(1)
    for (kind, words), state, arrived in steps:
        replay.feed(kind, words)
        told = replay.orders[FIRST]
        assert (told.state, told.arrived) == (state, arrived), words
    assert (told.lots, told.ticks, told.filled, told.post_only) == (1500, 600_010, 1000, 1)
    replay.feed(*row(lane.KIND_DONE, FIRST, int(OrderState.CANCELED), 1000))
    assert replay.orders == {}
    assert list(replay.ended) == [FIRST]
    assert (replay.positions[0].lots, replay.positions[0].cost) == (1000, 600_000_000)


def test_recover_amend_refused_ends_what_is_full() -> None:
    replay = fed(order(FIRST), row(lane.KIND_ACK, FIRST),
                 row(lane.KIND_AMEND, FIRST, 600_001, 2000), fill(FIRST, 1000, 7))
    assert replay.orders[FIRST].wish_lots == 2000
    replay.feed(*row(lane.KIND_AMEND_REFUSED, FIRST))
    assert replay.orders == {}


def test_recover_discarded_order_never_was() -> None:
    replay = fed(order(FIRST), row(lane.KIND_DISCARD, FIRST))
    assert replay.orders == replay.ended == {}
    assert replay.named == 1


def test_recover_fill_of_an_order_that_is_over_moves_the_position() -> None:
    replay = fed(order(FIRST), row(lane.KIND_DONE, FIRST, 7), fill(FIRST, 400, 7),
                 fill(0, 100, 8, flags=SELL))
    assert replay.positions[0].lots == 300
    assert list(replay.keys) == [7, 8]


def test_recover_checkpoint_tells_the_record_that_lies() -> None:
    replay = fed(order(FIRST))
    replay.feed(*checkpoint(replay))
    assert (replay.checkpoints, replay.mismatch) == (1, 0)
    kind, words = checkpoint(replay)
    replay.feed(kind, (*words[:2], words[2] ^ 1, *words[3:]))
    replay.feed(*checkpoint(replay))
    assert (replay.checkpoints, replay.mismatch) == (3, 3)


def test_recover_clean_is_about_the_last_record() -> None:
    replay = fed(order(FIRST), row(lane.KIND_DONE, FIRST, 7))
    replay.feed(*checkpoint(replay, recover.STATE_CLEAN))
    assert replay.clean
    replay.feed(*fill(FIRST, 10, 7))
    assert not replay.clean


@pytest.mark.parametrize(("before", "after", "expected"), [
    (0, 5, 9), (5, 0, 0), (5, 8, 1), (5, 10, 1), (5, 11, 9), (5, -1, 9), (-5, -8, 1), (5, 3, 1)])
def test_recover_since_when_a_position_is_held(before: int, after: int, expected: int) -> None:
    assert opened_us(before, after, 1, 9) == expected


def test_recover_carries_by_symbol_and_says_what_it_cannot() -> None:
    replay = fed(order(FIRST, flags=1), order(SECOND, us=US + 5), fill(SECOND, 1000, 5),
                 fill(0, 70, 6, flags=1),
                 (lane.KIND_ADOPT, (client_id_pack(0, 3, 1), 0, 5, 9, 0, 0, US, US)), instruments=2)
    told = carry(replay, 3, ["ETH/USD", "BTC/USD"], [BTC])
    assert [order.client_id for order in told.orders] == [FIRST]
    assert told.orders[0].instrument == 0
    assert (told.positions[0].lots, told.positions[0].cost) == (70, 70 * 600_000)
    assert len(told.lost) == 1
    assert "ETH/USD is not traded in this run" in told.lost[0]
    assert told.ended == (SECOND,)
    assert told.keys == (5, 6)


@pytest.mark.parametrize(("then", "lots", "cost"), [
    ("1:8:1:1", 30_000, 30_000 * 600_000),  # as it is now
    ("2:8:1:1", 30_000, 30_000 * 60_000),  # a tick was 0.01
    ("1:8:5:1", 30_000, 30_000 * 3_000_000),  # a tick was 0.5
    ("1:4:1:1", 300_000_000, 300_000_000 * 600_000),  # a lot was 0.0001
    ("1:9:1:10", 30_000, 30_000 * 600_000), ("nonsense", 30_000, 30_000 * 600_000)])
def test_recover_carries_what_is_held_onto_the_grid_of_now(then: str, lots: int,
                                                           cost: int) -> None:
    """Ticks and lots of a journal are those of its time; venues change them."""
    replay = fed(order(FIRST, 30_000), fill(FIRST, 30_000, 5), order(SECOND, 30_000))
    told = carry(replay, 3, ["BTC/USD"], [BTC], [then])
    assert (told.positions[0].lots, told.positions[0].cost) == (lots, cost)
    assert [one.lots for one in told.orders] == [lots]
    assert told.orders[0].ticks * told.orders[0].lots == cost
    assert told.lost == ()


def test_recover_what_is_no_whole_number_of_lots_now_is_the_venues_word() -> None:
    replay = fed(order(FIRST, 166_651), fill(FIRST, 166_651, 5))
    coarse = replace(BTC, qty_precision=3)
    told = carry(replay, 3, ["BTC/USD"], [coarse], ["1:8:1:1"])
    assert told.positions[0].lots == 0
    assert told.lost == ("BTC/USD has other lots than then: the 0.00166651 BTC held are no whole "
                         "number of them, the venue's word counts",)


def test_recover_loss_of_the_day_counts_on() -> None:
    """Bought at 60,000.0, sold at 59,000.0 with a fee of 1: the next run begins 2 dollars down."""
    replay = fed(order(FIRST, 100_000), fill(FIRST, 100_000, 5),
                 fill(0, 100_000, 6, flags=SELL, ticks=590_000, fee_e10=10**10))
    replay.feed(*checkpoint(replay, day=DAY, profit_e10=0))
    told = carry(replay, 3, ["BTC/USD"], [BTC])
    assert told.day == DAY
    assert told.first_profit_e10 == 2 * 10**10


def test_recover_late_orders_only_are_expected() -> None:
    late = US + recover.LATE_US + 1
    replay = fed(order(FIRST), row(lane.KIND_DONE, FIRST, 7), order(SECOND, us=late),
                 row(lane.KIND_DONE, SECOND, 7, us=late))
    assert carry(replay, 3, ["BTC/USD"], [BTC]).ended == (SECOND,)


# --- which journal -------------------------------------------------------------------------------


def write(folder: pathlib.Path, run: int, rows: list[tuple[int, Any]], *, account: str = "sim:a",
          schema: int = 2, begun: bool = True, symbols: str = "BTC/USD",
          started_us: int = US) -> pathlib.Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"run-{run:05d}.journal"
    log = Journal(str(path), 1 << 16, (
        f"hftbot 0 run {run} settings s schema {schema} account {account} "
        f"started {started_us + run} symbols {symbols}").encode())
    replay = Replay(2)
    if begun:
        log.append_words(*flat(checkpoint(fed(), recover.STATE_FIRST)))
    for kind, words in rows:
        log.append_words(kind, *words)
        replay.feed(kind, words)
    log.append(recover.KIND_FILL_TEXT, recover.fill_text(5, True, "T" * 55))
    log.close()
    return path


def flat(told: tuple[int, Any]) -> tuple[int, ...]:
    return (told[0], *told[1])


def test_recovery_takes_the_newest_journal_of_the_account(tmp_path: pathlib.Path) -> None:
    write(tmp_path, 9, [order(FIRST)], account="sim:b")
    write(tmp_path, 2, [order(FIRST)])
    write(tmp_path, 3, [order(SECOND)])
    own = write(tmp_path, 4, [])
    told, remarks = recovery.carried(tmp_path, "sim:a", own, [BTC, ETH])
    assert told is not None
    assert (told.run, [order.client_id for order in told.orders]) == (3, [SECOND])
    assert remarks == []
    assert recovery.carried(tmp_path, "sim:c", own, [BTC]) == (None, [])


def test_recovery_of_transactions_reaches_back_beyond_the_last_run(tmp_path: pathlib.Path) -> None:
    """What a venue's counter may remember, of every run that ended a moment ago."""
    last = write(tmp_path, 3, [order(SECOND)])
    for number, age_s in ((2, 60), (1, 600)):
        path = write(tmp_path, number, [order(FIRST)])
        os.utime(path, (last.stat().st_mtime - age_s,) * 2)
    write(tmp_path, 9, [order(FIRST)], account="sim:b")
    told, _ = recovery.carried(tmp_path, "sim:a", tmp_path / "none", [ETH, BTC])
    assert told is not None
    index = {grid.symbol: grid.index for grid in (BTC, ETH)}["BTC/USD"]
    assert [(pair, kind) for _, pair, kind in told.spent] == [(index, lane.KIND_ORDER)] * 2
    alone, _ = recovery.carried(tmp_path, "sim:a", last, [BTC])
    assert alone is not None
    assert alone.run == 2
    assert len(alone.spent) == 1


def test_recovery_passes_over_a_run_that_died_before_it_began(tmp_path: pathlib.Path) -> None:
    write(tmp_path, 2, [order(FIRST)])
    write(tmp_path, 3, [(lane.KIND_POSITION, (0, 0, 9, 9, 0, 0, US, US))], begun=False)
    told, remarks = recovery.carried(tmp_path, "sim:a", tmp_path / "none", [BTC])
    assert told is not None
    assert told.run == 2
    assert "passed over" in remarks[0]


@pytest.mark.fault("D5")
def test_recovery_uses_no_journal_of_another_schema(tmp_path: pathlib.Path) -> None:
    write(tmp_path, 3, [order(FIRST)], schema=1)
    told, remarks = recovery.carried(tmp_path, "sim:a", tmp_path / "none", [BTC])
    assert told is None
    assert "has schema 1, this version reads 2: not used" in remarks[0]


@pytest.mark.fault("D5")
def test_recovery_uses_nothing_older_than_a_journal_of_another_schema(
        tmp_path: pathlib.Path) -> None:
    """What was held before a newer version's run says nothing about what is held now."""
    write(tmp_path, 2, [order(FIRST)])
    write(tmp_path, 3, [order(SECOND)], schema=3)
    told, remarks = recovery.carried(tmp_path, "sim:a", tmp_path / "none", [BTC])
    assert told is None
    assert len(remarks) == 1


def test_recovery_of_the_last_run_though_the_clock_was_set_back(tmp_path: pathlib.Path) -> None:
    write(tmp_path, 2, [order(FIRST)], started_us=US + 3_600_000_000)
    write(tmp_path, 3, [order(SECOND)])
    told, remarks = recovery.carried(tmp_path, "sim:a", write(tmp_path, 4, []), [BTC])
    assert told is not None
    assert (told.run, remarks) == (3, [])


def test_recovery_goes_by_the_run_though_its_numbers_began_anew(tmp_path: pathlib.Path) -> None:
    write(tmp_path, 65_535, [order(FIRST)])
    write(tmp_path, 1, [order(SECOND)])
    told, _ = recovery.carried(tmp_path, "sim:a", write(tmp_path, 2, []), [BTC])
    assert told is not None
    assert told.run == 1


def test_recovery_tells_of_a_journal_that_cannot_say_whose_it_is(tmp_path: pathlib.Path) -> None:
    """One damaged bit in its header must not hide that a run was there."""
    write(tmp_path, 2, [order(FIRST)])
    path = write(tmp_path, 3, [order(SECOND)])
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)
    (tmp_path / "run-00004.journal").write_bytes(bytes(4096))
    told, remarks = recovery.carried(tmp_path, "sim:a", tmp_path / "none", [BTC])
    assert told is not None
    assert told.run == 2
    assert len(remarks) == 1
    assert remarks[0].startswith(f"{path}: the journal's header is damaged")


def test_recovery_says_when_a_journal_names_what_it_does_not_list(tmp_path: pathlib.Path) -> None:
    write(tmp_path, 3, [fill(FIRST, 5, 5, flags=1)])
    with pytest.raises(StoreError, match="record 2 names an instrument"):
        recovery.carried(tmp_path, "sim:a", tmp_path / "none", [BTC])


def test_recovery_reads_the_records_before_a_damage(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, 3, [order(FIRST), order(SECOND)])
    content = bytearray(path.read_bytes())
    at = content.index(SECOND.to_bytes(8, "little"))
    content[at + 16] ^= 1
    path.write_bytes(content)
    told, remarks = recovery.carried(tmp_path, "sim:a", tmp_path / "none", [BTC])
    assert told is not None
    assert [order.client_id for order in told.orders] == [FIRST]
    assert "wrong crc" in remarks[0]


def test_journal_replay_prints_the_state_and_refuses_a_lie(
        tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "hftbot-state" / "journal"
    write(folder, 3, [order(FIRST, flags=SELL), fill(FIRST, 400, 5, flags=SELL)])
    assert main(["journal", "replay"]) == 0
    out = capsys.readouterr().out
    assert "position BTC/USD: -400 lots" in out
    assert "SELL 1000 lots at 600000 ticks, 400 filled: PARTIAL" in out
    assert "1 checkpoints, all agree" in out
    write(folder, 4, [order(FIRST), checkpoint(fed())])
    assert main(["journal", "replay", "--run", "4"]) == 1
    assert "record 3 does NOT agree" in capsys.readouterr().out
    assert main(["journal", "replay", "--run", "4", "--json"]) == 1
    assert '"mismatch": 3' in capsys.readouterr().out
    assert main(["journal", "show", "--run", "4"]) == 0
    shown = capsys.readouterr().out
    assert "STATE" in shown
    assert "is " + "T" * 55 + ", maker" in shown


@pytest.mark.parametrize(("reason", "intent", "told"), [
    ("", "", ("", "")), ("User requested", "exit stop_loss", ("User requested", "exit stop_loss")),
    ("a\0b", "c\0", ("a b", "c ")), ("r" * 301, "w" * 400, ("r" * 300, "w" * 300)),
    ("\ud800 \u00fc", "", ("? \u00fc", "")), ("x" * 47, "", ("x" * 47, "")),
    ("", "y" * 47, ("", "y" * 47)), ("z" * 40, "z" * 7, ("z" * 40, "z" * 7))])
def test_recover_words_of_an_end_come_back_and_are_no_row(reason: str, intent: str,
                                                          told: tuple[str, str]) -> None:
    payload = recover.end_text(FIRST, US, reason, intent)
    assert recover.end_text_parse(payload) == (FIRST, US, *told)
    assert len(payload) != recover.ROW_BYTES
    assert list(recover.row_records([(1, recover.KIND_END_TEXT, payload)])) == []
