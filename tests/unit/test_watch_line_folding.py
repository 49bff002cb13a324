"""Long lines on a narrow terminal, and as they are everywhere else."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import termios

import pytest

from hftbot.watch.line_folding import fitted, folded

ROW = "  fees       0: the embedded account trades free, as the premise is; a real account pays"
TOTAL = "Profit     +0.135237 USD net of fees, synthetic: our own market made it, not a real one"
MORE = "           100.13 USD held, and nothing protects it while no bot runs: no stop rests there"


def test_a_row_goes_on_under_its_text() -> None:
    assert folded(ROW, 60).split("\n") == [
        "  fees       0: the embedded account trades free, as the",
        "             premise is; a real account pays"]
    assert folded(TOTAL, 60).split("\n")[1].startswith(" " * 11 + "market made it")
    assert folded(MORE, 60).split("\n")[1].startswith(" " * 11 + "bot runs: no stop")
    assert folded("a line without a name that is too long for it, really", 40).split("\n")[1] == (
        "  for it, really")


@pytest.mark.parametrize("columns", [40, 60, 79, 80, 200])
def test_nothing_is_lost_and_every_line_fits(columns: int) -> None:
    text = "\n".join([ROW, "", TOTAL, MORE, "=" * 40])
    assert folded(text, columns).split() == text.split()
    assert max(map(len, folded(text, columns).split("\n"))) <= columns


def test_paths_stay_whole_and_a_tiny_terminal_gets_lines_as_they_are() -> None:
    path = "/a" * 60
    assert path in folded(f"  state      {path} and more", 80)
    assert folded(ROW, 20) == ROW


def test_only_a_terminal_folds() -> None:
    assert fitted(ROW, io.StringIO()) == ROW
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
    with os.fdopen(ours, "rb"), os.fdopen(theirs, "w") as terminal:
        assert fitted(ROW, terminal) == folded(ROW, 60) != ROW
