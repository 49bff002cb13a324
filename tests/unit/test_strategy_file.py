"""Loading strategies: built in, from a user's file, and the ways it can go wrong."""

from __future__ import annotations

import pathlib

import pytest

from hftbot.app.strategy_file import BUILT_IN, load
from hftbot.errors import ConfigError
from hftbot.strategy.micro_scalper import MicroScalper
from hftbot.words.market import Side
from hftbot.words.ports import Strategy
from scripted_desk import ScriptedDesk, bitcoin

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "touch_taker.py"
BID, ASK = 600_000, 600_001


def write(folder, text, name="mine.py"):
    """A user's file."""
    path = folder / name
    path.write_text(text)
    return path


def test_built_in_names():
    assert load("micro_scalper") is MicroScalper
    for name in BUILT_IN:
        assert issubclass(load(name), Strategy)


def test_the_example_s_docstring_names_itself():
    assert "--strategy examples/touch_taker.py:TouchTaker" in EXAMPLE.read_text()


def test_the_example_trades_both_ways():
    desk = ScriptedDesk(bitcoin())
    desk.start(load(f"{EXAMPLE}:TouchTaker")())
    desk.show(BID, ASK, 10**8, 10**8)
    assert desk.placed == []
    desk.show(BID, ASK, 10**9, 10**7)
    desk.show(BID, ASK, 10**9, 10**7)
    desk.run(1_000)
    desk.run(1_000_000)
    assert [order.side for order in desk.placed] == [Side.BUY]
    desk.run(2_000_000)
    desk.run(1_000)
    assert [order.side for order in desk.placed] == [Side.BUY, Side.SELL]
    assert desk.held[0] == 0
    assert desk.strategy.statistics() == {"buys": 1, "sells": 1, "denied": 0}


def test_the_class_may_be_left_out_if_there_is_one(tmp_path):
    text = "from hftbot import Strategy\nclass Mine(Strategy):\n    name = 'mine'\n"
    assert load(str(write(tmp_path, text))).name == "mine"
    both = write(tmp_path, text + "class Other(Strategy):\n    pass\n", "both.py")
    with pytest.raises(ConfigError, match="strategies in it: Mine, Other"):
        load(str(both))


def test_dataclasses_in_a_user_s_file_work(tmp_path):
    path = write(tmp_path, "from __future__ import annotations\nimport dataclasses\n"
                 "from hftbot import Strategy\n@dataclasses.dataclass\nclass Row:\n"
                 "    x: int = 1\nclass Mine(Strategy):\n    row = Row()\n")
    assert load(f"{path}:Mine").row.x == 1


@pytest.mark.parametrize(("text", "spec", "message"), [
    ("x = 1\n\ny = 1/0\n", ":Mine", "mine.py, line 3: ZeroDivisionError: division by zero"),
    ("x = (\n", ":Mine", "mine.py, line 1: SyntaxError"),
    ("import nowhere_to_be_found\n", ":Mine", "line 1: ModuleNotFoundError"),
    ("raise SystemExit('gone')\n", ":Mine", "line 1: SystemExit: gone"),
    ("x = 1\n", ":Mine", "defines no Mine (strategies in it: none)"),
    ("from hftbot import Strategy\nclass Mine(Strategy):\n    pass\n", ":Mime", "mean Mine"),
    ("class Mine:\n    pass\n", ":Mine", "not a class derived from hftbot.Strategy"),
    ("Mine = 3\n", ":Mine", "not a class derived"),
    ("x = 1\n", "", "must be followed by :Class"),
    ("x = 1\n", ":", "must follow the colon"),
    ("x = '\0'\n", ":Mine", "mine.py"),
])
def test_a_wrong_file_is_named_with_its_line(tmp_path, text, spec, message):
    with pytest.raises(ConfigError) as caught:
        load(f"{write(tmp_path, text)}{spec}")
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("spec", "message"), [
    ("micro_scalpr", "did you mean micro_scalper?"), ("", "built-in"),
    ("nowhere.py:Mine", "there is no file nowhere.py"), ("a/b.txt:Mine", "path/to/file.py:Class"),
    ("C:\\x\\mine.py", "no file"), ("\0.py:Mine", "")])
def test_a_wrong_name_is_refused(spec, message):
    with pytest.raises(ConfigError) as caught:
        load(spec)
    assert message in str(caught.value)
