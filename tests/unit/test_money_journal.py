"""Journal: what was appended is read back, whatever happened to the end of the file."""

import os
import struct

import pytest

from lane_rig import forms, room
from twins import BOTH


def journal(form):
    return room(form, "fastcore.money.journal")


def words(i):
    return tuple(i * 10 + k - (1 << 40) for k in range(8))


@forms
def test_records_are_read_back(form, tmp_path):
    path = tmp_path / "j"
    log = journal(form).Journal(path, 1 << 16, b"settings")
    assert log.append(9, b"") == 1
    assert log.append(10, memoryview(b"payload")) == 2
    assert log.append_words(1, *words(3)) == 3
    assert log.append(11, bytearray(range(256))) == 4
    records = list(journal(form).read_records(path))
    assert [(r[0], r[1]) for r in records] == [(1, 9), (2, 10), (3, 1), (4, 11)]
    assert [r[2] for r in records[:2]] == [b"", b"payload"]
    assert journal(form).row_words(records[2][2]) == words(3)
    assert records[3][2] == bytes(range(256))
    assert journal(form).read_header(path) == b"settings" == log.header
    assert os.stat(path).st_mode & 0o777 == 0o600
    log.close()


def test_both_forms_write_the_same_bytes(tmp_path):
    files = []
    for form in BOTH:
        log = journal(form).Journal(tmp_path / form, 1 << 14, b"header" * 20)
        for i in range(50):
            log.append(i, bytes(range(i)))
            log.append_words(i, *words(i))
        log.close()
        files.append((tmp_path / form).read_bytes())
    assert len(set(files)) == 1


@forms
def test_reopened_journal_goes_on(form, tmp_path):
    path = tmp_path / "j"
    for run in range(3):
        log = journal(form).Journal(path, 1 << 14, b"run %d" % run)
        assert log.sequence == run * 2
        log.append_words(run, *words(run))
        log.append(run, b"x" * run)
        log.close()
    assert [r[0] for r in journal(form).read_records(path)] == [1, 2, 3, 4, 5, 6]
    assert journal(form).read_header(path) == b"run 0"


@forms
def test_full_journal_refuses_and_stays_whole(form, tmp_path):
    log = journal(form).Journal(tmp_path / "j", 4096 + 64)
    count = 0
    while log.append_words(1, *words(0)) > 0:
        count += 1
    assert log.append_words(1, *words(0)) == log.append(1, b"x" * 100) == -1
    assert (log.sequence, log.refused) == (count, 3)
    assert log.size <= log.capacity
    log.close()
    assert len(list(journal(form).read_records(tmp_path / "j"))) == count > 40


@forms
def test_closed_journal_refuses(form, tmp_path):
    log = journal(form).Journal(tmp_path / "j", 1 << 13)
    log.append(1, b"a")
    log.close()
    log.close()
    assert log.append(1, b"b") == log.append_words(1, *words(0)) == -1


@pytest.mark.fault("D3")
@forms
@pytest.mark.parametrize("cut", [1, 8, 23, 24, 60, 87])
def test_torn_record_does_not_exist(form, tmp_path, cut):
    path = tmp_path / "j"
    log = journal(form).Journal(path, 1 << 14)
    log.append_words(1, *words(1))
    at = log.size
    log.append_words(2, *words(2))
    log.close()
    # As the append works: everything but the length is there, up to the cut.
    content = bytearray(path.read_bytes())
    content[at:at + 4] = bytes(4)
    content[at + cut:at + 88] = bytes(88 - cut)
    path.write_bytes(content)
    assert [r[0] for r in journal(form).read_records(path)] == [1]
    log = journal(form).Journal(path, 1 << 14)
    assert (log.sequence, log.size) == (1, at)
    log.append(7, b"next")
    log.close()
    assert [(r[0], r[1]) for r in journal(form).read_records(path)] == [(1, 1), (2, 7)]
    assert not (tmp_path / "j.damaged").exists()


@pytest.mark.fault("D3")
@forms
def test_each_flipped_bit_ends_the_journal_there_and_nothing_is_thrown_away(form, tmp_path):
    path = tmp_path / "j"
    log = journal(form).Journal(path, 1 << 13)
    start = log.size
    for i in range(3):
        log.append_words(i, *words(i))
    log.close()
    whole = path.read_bytes()
    for at in range(start + 88, start + 176, 5):
        content = bytearray(whole)
        content[at] ^= 1 << at % 8
        path.write_bytes(content)
        assert [r[0] for r in journal(form).read_records(path)] == [1]
    log = journal(form).Journal(path, 1 << 13)
    assert log.append(5, b"new") == 2
    log.close()
    assert [r[0] for r in journal(form).read_records(path)] == [1, 2]
    assert (tmp_path / "j.damaged").read_bytes() == bytes(content[start + 88:])


@forms
def test_old_record_behind_the_end_is_not_taken_for_a_new_one(form, tmp_path):
    path = tmp_path / "j"
    log = journal(form).Journal(path, 1 << 13)
    start = log.size
    log.append_words(1, *words(1))
    log.append_words(2, *words(2))
    log.close()
    content = bytearray(path.read_bytes())
    content[start + 88:start + 176] = content[start:start + 88]
    path.write_bytes(content)
    assert [r[0] for r in journal(form).read_records(path)] == [1]


@forms
@pytest.mark.parametrize("content", [b"x" * 5000, b"HFTBOTJ1" + bytes(20), b"HFTBOTJ1" +
                                     struct.pack("<II", 5, 1) + bytes(5000)])
def test_other_files_are_refused_and_left_alone(form, tmp_path, content):
    path = tmp_path / "j"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="journal"):
        journal(form).Journal(path, 1 << 14)
    with pytest.raises(ValueError, match="journal"):
        list(journal(form).read_records(path))
    assert path.read_bytes() == content


@forms
def test_no_room_or_no_folder_is_told(form, tmp_path):
    with pytest.raises(ValueError, match="at least"):
        journal(form).Journal(tmp_path / "j", 100)
    with pytest.raises(OSError):
        journal(form).Journal(tmp_path / "absent" / "j", 1 << 14)


@forms
def test_records_are_there_without_close(form, tmp_path):
    log = journal(form).Journal(tmp_path / "j", 1 << 14)
    log.append_words(1, *words(1))
    assert len(list(journal(form).read_records(tmp_path / "j"))) == 1
    log.sync()
    log.close()
