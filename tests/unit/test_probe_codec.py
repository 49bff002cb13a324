"""Histogram encoding and interval log, against the ``hdrhistogram`` package where it is present."""

import base64
import io
import random
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastcore.probe.histogram import Histogram
from fastcore.probe.histogram_codec import LogReader, LogWriter, decode, encode
from fastcore.probe.trackers import Trackers

START_US = 1_700_000_000_123_456


def filled(seed=1, count=5000):
    histogram, rng = Histogram(), random.Random(seed)
    for _ in range(count):
        histogram.record(int(rng.lognormvariate(9, 2)))
    return histogram


def counts_of(histogram):
    return {index: histogram.count_at(index) for index in range(histogram.buckets)
            if histogram.count_at(index)}


@settings(max_examples=50, deadline=None)
@given(figures=st.integers(1, 3), lowest=st.sampled_from([1, 7, 1000]),
       samples=st.lists(st.tuples(st.integers(0, 1 << 40), st.integers(1, 1 << 56)), max_size=20))
def test_decode_gives_back_what_was_encoded(figures, lowest, samples):
    histogram = Histogram(1 << 36, figures, lowest)
    for value, times in samples:
        histogram.record_count(value, times)
    copy = decode(encode(histogram))
    assert counts_of(copy) == counts_of(histogram)
    assert (copy.highest, copy.significant_figures, copy.lowest) == (1 << 36, figures, lowest)
    assert copy.count == histogram.count
    assert copy.mean() == pytest.approx(histogram.mean(), rel=0.1, abs=lowest)
    if samples:
        assert copy.min == copy.least_at(copy.index_of(histogram.min))
        assert copy.max == copy.most_at(copy.index_of(histogram.max))
    assert encode(copy) == encode(histogram)


def test_hdrhistogram_reads_ours():
    theirs = pytest.importorskip("hdrh.histogram").HdrHistogram
    ours = filled()
    read = theirs.decode(base64.b64encode(encode(ours)))
    assert read.get_total_count() == ours.count
    for percentile in (1, 50, 90, 99, 99.9):
        assert read.get_value_at_percentile(percentile) == ours.value_at_percentile(percentile)
    assert read.get_mean_value() == pytest.approx(ours.mean())
    assert read.get_stddev() == pytest.approx(ours.stddev())
    assert read.get_max_value() == ours.most_at(ours.index_of(ours.max))


def test_hdrhistogram_reads_an_empty_one():
    theirs = pytest.importorskip("hdrh.histogram").HdrHistogram
    assert theirs.decode(base64.b64encode(encode(Histogram()))).get_total_count() == 0


def test_we_read_hdrhistograms():
    theirs = pytest.importorskip("hdrh.histogram").HdrHistogram(1, 3_600_000_000_000, 3)
    ours, rng = Histogram(), random.Random(2)
    for _ in range(3000):
        value = int(rng.lognormvariate(9, 2))
        theirs.record_value(value)
        ours.record(value)
    read = decode(base64.b64decode(theirs.encode()))
    assert counts_of(read) == counts_of(ours)
    assert read.value_at_percentile(99.0) == ours.value_at_percentile(99.0)


def resealed(plain):
    packed = zlib.compress(plain)
    return struct.pack(">ii", 0x1C849314, len(packed)) + packed


def payload(counts, *, cookie=0x1C849313, offset=0, figures=3, lowest=1, highest=10_000):
    return resealed(struct.pack(">iiiiqqd", cookie, len(counts), offset, figures, lowest, highest,
                                1.0) + counts)


def test_payload_written_by_hand_is_read():
    read = decode(payload(bytes([0x04, 0x05, 0x06])))
    # 2 at value 0, three buckets of nothing, 3 at value 4.
    assert counts_of(read) == {0: 2, 4: 3}


@pytest.mark.parametrize("bad", [
    b"",
    b"\x1c\x84\x93\x14",
    encode(filled())[:-1],
    encode(filled()) + b"x",
    b"\x00" + encode(filled())[1:],
    encode(filled())[:8] + bytes(len(encode(filled())) - 8),
    struct.pack(">ii", 0x1C849314, 10) + zlib.compress(bytes(1000))[:10],
    resealed(b"short"),
    payload(b"", cookie=0x1C849301),
    payload(b"", offset=7),
    payload(b"", figures=9),
    payload(b"", lowest=0),
    payload(b"", highest=-1),
    payload(b"\x80"),
    payload(b"\x82\x80\x80\x80\x80\x80\x80\x80"),
    payload(b"\xff\xff\xff\x7f"),
    payload(b"\xfd\xff\xff\x7f\x02"),
    payload(b"\xff" * 9 + b"\x02"),
    payload((b"\xfe" + b"\xff" * 8) * 2),
    resealed(struct.pack(">iiiiqqd", 0x1C849313, 5, 0, 3, 1, 10_000, 1.0) + b"\x02"),
    resealed(struct.pack(">iiiiqqd", 0x1C849313, 1, 0, 3, 1, 10_000, 1.0) + bytes(1 << 20)),
    resealed(struct.pack(">iiiiqqd", 0x1C849313, 1 << 30, 0, 3, 1, 10_000, 1.0)),
], ids=range(22))
def test_damaged_encoding_is_refused(bad):
    with pytest.raises(ValueError, match=r"histogram|range|significant"):
        decode(bad)


@pytest.mark.parametrize("seed", range(50))
def test_mutated_encoding_is_refused_or_read_and_nothing_else(seed):
    rng = random.Random(seed)
    plain = bytearray(zlib.decompress(encode(filled(seed, 200))[8:]))
    for _ in range(rng.randint(1, 3)):
        plain[rng.randrange(40 if seed % 2 else 24, len(plain))] = rng.randrange(256)
    try:
        histogram = decode(resealed(bytes(plain)))
    except ValueError:
        return
    assert histogram.count == sum(counts_of(histogram).values())


def log_text():
    stream = io.StringIO()
    writer = LogWriter(stream, START_US)
    trackers = Trackers()
    for value in (900, 1500, 1_000_000):
        trackers.record(0, value)
    trackers.record_named("own_step", 42)
    writer.trackers(trackers, START_US, START_US + 1_000_000)
    trackers.reset()
    trackers.record(0, 7777)
    writer.comment("half time\nand more")
    writer.trackers(trackers, START_US + 1_000_000, START_US + 2_500_000)
    writer.interval(filled(), START_US + 2_500_000, START_US + 3_000_000)
    return stream.getvalue()


def test_log_is_read_back():
    entries = list(LogReader(io.StringIO(log_text())))
    assert [(entry.tag, entry.start_us - START_US, entry.end_us - START_US, entry.histogram.count)
            for entry in entries] == [
        ("loop_iteration", 0, 1_000_000, 3), ("own_step", 0, 1_000_000, 1),
        ("loop_iteration", 1_000_000, 2_500_000, 1), ("", 2_500_000, 3_000_000, 5000)]


def test_totals_merge_the_intervals_of_a_tag():
    totals = LogReader(log_text().splitlines()).totals()
    assert {tag: total.count for tag, total in totals.items()} == {
        "loop_iteration": 4, "own_step": 1, "": 5000}
    assert totals["own_step"].max == 42


def test_lines_may_come_without_their_ends():
    lines = log_text().splitlines()
    assert len(list(LogReader(lines))) == 4
    with pytest.raises(ValueError, match="line 5: "):
        list(LogReader([*lines[:4], "torn", *lines[5:]]))


def test_hdrhistogram_reads_our_log(tmp_path):
    module = pytest.importorskip("hdrh.log")
    theirs = pytest.importorskip("hdrh.histogram").HdrHistogram(1, 3_600_000_000_000, 3)
    path = tmp_path / "latency.hlog"
    path.write_text(log_text())
    reader = module.HistogramLogReader(str(path), theirs)
    first = reader.get_next_interval_histogram()
    assert first.get_tag() == "loop_iteration"
    assert first.get_total_count() == 3
    assert first.get_start_time_stamp() == pytest.approx(START_US / 1000)
    assert first.get_end_time_stamp() == pytest.approx(START_US / 1000 + 1000)
    counts = []
    while (entry := reader.get_next_interval_histogram()) is not None:
        counts.append(entry.get_total_count())
    assert counts == [1, 1, 5000]
    reader.input_file.close()


def test_we_read_hdrhistograms_log(tmp_path):
    module = pytest.importorskip("hdrh.log")
    theirs = pytest.importorskip("hdrh.histogram").HdrHistogram(1, 3_600_000_000_000, 3)
    theirs.record_value(123_456)
    path = tmp_path / "theirs.hlog"
    writer = module.HistogramLogWriter(path.open("w"))
    writer.output_log_format_version()
    writer.output_base_time(START_US / 1000)
    writer.output_legend()
    writer.output_interval_histogram(theirs, 1.5, 2.5)
    writer.close()
    with path.open() as stream:
        (entry,) = LogReader(stream)
    assert entry.end_us - entry.start_us == 1_000_000
    assert entry.start_us == pytest.approx(START_US + 1_500_000, abs=2)
    assert entry.histogram.value_at_percentile(50.0) == entry.histogram.max


def test_stamps_far_before_the_start_time_count_from_it():
    line = f"2.000,1.000,0.1,{base64.b64encode(encode(filled())).decode()}"
    (entry,) = LogReader(["#[StartTime: 1700000000.5 (seconds since epoch), x]\n", line])
    assert entry.start_us == 1_700_000_002_500_000
    (entry,) = LogReader([line])
    assert entry.start_us == 2_000_000


@pytest.mark.parametrize("bad", ["hello\n", "1.0,2.0,3.0\n", "1.0,2.0,3.0,HISTF\n",
                                 "1.0,2.0,3.0,AAAAAAAAAAAAAAAA\n", "1.2.3,2.0,3.0,HISTFAAA\n"])
def test_line_that_is_none_of_a_logs_is_named(bad):
    with pytest.raises(ValueError, match="line 2: "):
        list(LogReader(["#[a comment]\n", bad]))


def test_torn_last_line_is_skipped_and_said():
    text = log_text()
    reader = LogReader(io.StringIO(text[:-40]))
    assert len(list(reader)) == 3
    assert reader.torn
    whole = LogReader(io.StringIO(text))
    assert len(list(whole)) == 4
    assert not whole.torn


@pytest.mark.parametrize("tag", ["a,b", "a b", "a\n"])
def test_tag_that_would_break_the_line_is_refused(tag):
    with pytest.raises(ValueError, match="tag"):
        LogWriter(io.StringIO(), START_US).interval(filled(), 0, 1, tag)
