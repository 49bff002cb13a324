"""Frames on a tape: whole lines with wall-clock stamps, and a disk that refuses."""

from __future__ import annotations

import io
import pathlib

import pytest

from hftbot.store import frame_tape
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


def test_lines_are_written_after_a_second_or_when_there_are_many(tmp_path: pathlib.Path) -> None:
    """What a killed run leaves: nothing is in any buffer but the last second's lines."""
    path = tmp_path / "market.raw"
    tape = FrameTape(path, 0, print)
    second = frame_tape.WAITING_NS_MAX
    tape.take(b"a", second + 1)
    tape.take(b"b", second + 2)
    assert path.read_bytes() == b"1000000001 a\n"
    tape.take(b"c", 2 * second + 2)
    assert path.read_bytes().endswith(b"1000000002 b\n2000000002 c\n")
    tape.take(b"d" * (frame_tape.WAITING_BYTES_MAX + 1), 2 * second + 3)
    assert path.read_bytes().endswith(b"dd\n")


def test_a_file_that_is_there_is_not_written_over(tmp_path: pathlib.Path) -> None:
    (tmp_path / "market.raw").write_text("kept")
    with pytest.raises(FileExistsError):
        FrameTape(tmp_path / "market.raw", 0, print)
    assert (tmp_path / "market.raw").read_text() == "kept"


class Refusing(io.FileIO):
    """A file of which the disk takes no more, or only three bytes."""

    takes = -1

    def write(self, content: bytes) -> int:  # type: ignore[override]
        if self.takes < 0:
            raise OSError(28, "No space left on device")
        return super().write(content[:self.takes])


@pytest.mark.parametrize(("takes", "words"), [(-1, "No space left"), (3, "only a part")])
def test_a_full_disk_ends_the_tape_and_is_told_once(
        tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, takes: int, words: str) -> None:
    told: list[str] = []
    monkeypatch.setattr(frame_tape, "FileIO", Refusing)
    monkeypatch.setattr(Refusing, "takes", takes)
    tape = FrameTape(tmp_path / "market.raw", 0, told.append)
    for second in range(3):
        tape.take(b"{}", 2 * second * frame_tape.WAITING_NS_MAX + 1)
    tape.close()
    assert len(told) == 1
    assert words in tape.failed
