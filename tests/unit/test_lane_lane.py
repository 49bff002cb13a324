"""Lane: frames become a book that may be traded on, or one that may not."""

import pytest

from lane_rig import STREAM, Rig, forms, frames, needs_stream, room

BOOK, TOP, TRADE, SNAPSHOT, RESYNC, OTHER, COLD, BAD, HEARTBEAT = [1 << i for i in range(9)]
EMPTY, SUSPECT, TRUSTED = range(3)


def frame(kind="update", bids="", asks="", symbol="BTC/USD", checksum=1):
    return (f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":[{bids}],'
            f'"asks":[{asks}],"checksum":{checksum},'
            f'"timestamp":"2026-01-01T00:00:00.000001Z"}}]}}').encode()


def level(price, qty):
    return f'{{"price":{price},"qty":{qty}}}'


SNAPSHOT_FRAME = frame("snapshot", level("100.0", "1.00000000"), level("100.2", "3.00000000"))


@pytest.fixture
def rig(form, tmp_path):
    return Rig(form, tmp_path, crc=False, precision=1, tick_units=1)


@forms
def test_update_before_the_snapshot_is_ignored(rig):
    assert rig.lane.on_frame(frame(bids=level("99.9", "1.0")), 0, 1) == 0
    assert (rig.book.trust, rig.book.count(0), rig.lane.ignored) == (EMPTY, 0, 1)


@forms
def test_snapshot_makes_a_trusted_book_with_a_fair_value(rig):
    assert rig.lane.on_frame(SNAPSHOT_FRAME, 0, 77) == BOOK | TOP | SNAPSHOT
    assert (rig.book.trust, rig.book.best_bid(), rig.book.best_ask()) == (TRUSTED, 1000, 1002)
    assert rig.book.recv_ns == 77
    assert rig.book.ts_us == 1_767_225_600_000_001
    # One lot bid against three asked: the microprice leans to the bid.
    assert rig.lane.fair_ticks == pytest.approx(1000.5)


@forms
def test_top_is_told_only_when_it_changes(rig):
    rig.lane.on_frame(SNAPSHOT_FRAME, 0, 1)
    assert rig.lane.on_frame(frame(bids=level("99.8", "1.0")), 0, 2) == BOOK
    assert rig.lane.on_frame(frame(bids=level("100.0", "2.0")), 0, 3) == BOOK | TOP
    assert rig.lane.on_frame(frame(bids=level("100.0", "2.0")), 0, 3) == BOOK
    assert rig.lane.on_frame(frame(asks=level("100.1", "2.0")), 0, 4) == BOOK | TOP
    assert rig.lane.on_frame(frame(asks=level("100.1", "0.0")), 0, 5) == BOOK | TOP


@pytest.mark.fault("B4")
@forms
def test_crossed_book_is_suspect_until_the_next_snapshot(rig):
    rig.lane.on_frame(SNAPSHOT_FRAME, 0, 1)
    assert rig.lane.on_frame(frame(bids=level("100.2", "1.0")), 0, 2) == RESYNC
    assert (rig.book.trust, rig.lane.fair_ticks, rig.lane.resyncs) == (SUSPECT, 0.0, 1)
    assert room(rig.form, "fastcore.lane.lane").REASONS[rig.lane.resync_reason] == "crossed book"
    assert rig.lane.on_frame(frame(bids=level("100.2", "0.0")), 0, 3) == 0
    assert rig.lane.on_frame(SNAPSHOT_FRAME, 0, 4) == BOOK | TOP | SNAPSHOT
    assert rig.book.trust == TRUSTED


@forms
def test_bid_and_ask_may_pass_each_other_within_one_frame(rig):
    rig.lane.on_frame(SNAPSHOT_FRAME, 0, 1)
    moved = frame(bids=level("100.3", "1.0"),
                  asks=level("100.2", "0.0") + "," + level("100.4", "1.0"))
    assert rig.lane.on_frame(moved, 0, 2) == BOOK | TOP


@pytest.mark.fault("B4")
@forms
def test_number_off_the_grid_makes_the_book_suspect(rig):
    rig.lane.on_frame(SNAPSHOT_FRAME, 0, 1)
    bits = rig.lane.on_frame(frame(bids=level("99.95", "1.0")), 0, 2)
    assert bits & BAD
    assert rig.lane.last_error == -5
    if bits & RESYNC:
        assert rig.book.trust == SUSPECT


@forms
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"nul", b'{"channel":"book"}',
                                     b'{"channel":"book","type":"update","data":[{}]}'])
def test_frames_that_cannot_be_read_change_nothing(rig, content):
    rig.lane.on_frame(SNAPSHOT_FRAME, 0, 1)
    before = rig.book.state_hash()
    assert rig.lane.on_frame(content, 0, 2) in (BAD, COLD)
    assert (rig.book.trust, rig.book.state_hash()) == (TRUSTED, before)


@forms
def test_frame_of_another_instrument_goes_to_its_lane(rig):
    rig.lane.on_frame(SNAPSHOT_FRAME, 0, 1)
    other_book = room(rig.form, "fastcore.market.book").OrderBook(1, 10)
    other = room(rig.form, "fastcore.lane.lane").Lane(1, rig.decoder, other_book)
    eth = frame("snapshot", level("9.00", "1.0"), level("9.01", "1.0"), "ETH/USD")
    assert rig.lane.on_frame(eth, 0, 2) == OTHER
    assert rig.decoder.instrument == 1
    assert other.apply(2) == BOOK | TOP | SNAPSHOT
    assert (other_book.best_bid(), other_book.best_ask()) == (900, 901)
    assert rig.book.best_bid() == 1000


@forms
def test_other_kinds(rig):
    assert rig.lane.on_frame(b'{"channel":"heartbeat"}', 0, 1) == HEARTBEAT
    assert rig.lane.on_frame(b'{"channel":"status","type":"update","data":[]}', 0, 1) == COLD
    trade = (b'{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell",'
             b'"price":100.1,"qty":0.5,"ord_type":"market","trade_id":7,'
             b'"timestamp":"2026-01-01T00:00:00.000001Z"}]}')
    assert rig.lane.on_frame(trade, 0, 1) == TRADE
    assert list(rig.decoder.trades[:4]) == [1, 1001, 50_000_000, 7]
    assert rig.lane.trade_frames == 1


@forms
def test_lost_link_empties_the_book(rig):
    rig.lane.on_frame(SNAPSHOT_FRAME, 0, 1)
    assert rig.lane.reset() == TRUSTED
    assert (rig.book.trust, rig.book.count(0), rig.lane.fair_ticks) == (EMPTY, 0, 0.0)


@forms
def test_not_a_buffer_is_an_error_and_not_swallowed(rig):
    with pytest.raises(TypeError):
        rig.lane.on_frame(7, 0, 1)


@forms
def test_trackers_get_a_sample_a_frame(form, tmp_path):
    rig = Rig(form, tmp_path, crc=False, trackers=True, precision=1, tick_units=1)
    rig.lane.on_frame(SNAPSHOT_FRAME, 0, 1)
    counts = {name: row["count"] for name, row in rig.trackers.statistics().items()}
    assert (counts["book_update"], counts["fair_price_calc"]) == (1, 1)


@forms
@needs_stream
def test_every_recorded_checksum_verifies(form, tmp_path):
    rig = Rig(form, tmp_path)
    answers = [rig.lane.on_frame(content, 0, i) for i, content in enumerate(frames())]
    assert not any(bits & (RESYNC | BAD) for bits in answers)
    assert sum(bool(bits & BOOK) for bits in answers) == rig.lane.book_frames == 980
    assert rig.lane.resyncs == 0


@pytest.mark.fault("B1", "B2")
@forms
@needs_stream
def test_one_wrong_level_is_noticed_before_anybody_acts(form, tmp_path):
    rig = Rig(form, tmp_path)
    content = frames()
    rig.lane.on_frame(content[0], 0, 0)
    spoiled = next(line for line in content[1:] if b'"update"' in line)
    spoiled = spoiled.replace(b"13.54109952", b"13.54109953")
    assert rig.lane.on_frame(spoiled, 0, 1) == RESYNC
    assert rig.book.trust == SUSPECT
    assert all(rig.lane.on_frame(line, 0, 2) & BOOK == 0 for line in content[1:] if b"book" in line)
    assert STREAM.is_file()
    assert rig.lane.on_frame(content[0], 0, 3) & SNAPSHOT
