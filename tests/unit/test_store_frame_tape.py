"""Frames on a tape: lines with wall-clock stamps, and a disk that refuses."""

from __future__ import annotations

import io
import pathlib

import pytest

from hftbot.store.frame_tape import FrameTape


def test_each_frame_is_a_line_with_its_receive_stamp(tmp_path: pathlib.Path) -> None:
    told: list[str] = []
    tape = FrameTape(tmp_path / "market.raw", 1_000, told.append)
    tape.take(memoryview(b'{"channel":"book"}'), 7)
    tape.take(b'{\n"channel":\r\n"trade"}', 8)
    tape.close()
    tape.take(b"late", 9)
    assert (tmp_path / "market.raw").read_bytes() == (
        b'1007 {"channel":"book"}\n1008 { "channel":  "trade"}\n')
    assert (tape.frames, tape.failed, told) == (2, "", [])


def test_a_file_that_is_there_is_not_written_over(tmp_path: pathlib.Path) -> None:
    (tmp_path / "market.raw").write_text("kept")
    with pytest.raises(FileExistsError):
        FrameTape(tmp_path / "market.raw", 0, print)
    assert (tmp_path / "market.raw").read_text() == "kept"


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_ends_the_tape_and_is_told_once(tmp_path: pathlib.Path,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    full = io.FileIO("/dev/full", "w")
    monkeypatch.setattr(pathlib.Path, "open", lambda path, mode, buffering: full)
    tape = FrameTape(tmp_path / "market.raw", 0, told.append)
    for stamp in range(3):
        tape.take(b"{}", stamp)
    tape.close()
    assert len(told) == 1
    assert "No space left" in tape.failed
    assert tape.frames == 0
