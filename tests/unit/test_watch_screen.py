"""watch.panes, alarms and figures: what the live view says, at every size."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from hftbot.watch import alarms
from hftbot.watch.figures import (
    age,
    bar,
    chart,
    clock,
    grouped,
    micros,
    money,
    span,
    sparkline,
)

pytest.importorskip("rich")
from hftbot.watch import screen
from hftbot.watch.panes import Scene, frame

SIZES = [(80, 24), (160, 50), (120, 30), (119, 16), (79, 15), (200, 60), (40, 10), (20, 3), (1, 1)]


def content(**changes):
    """What a trading bot answers."""
    market = {"symbol": "BTC/USD", "quote": "USD", "trust": "TRUSTED", "age_us": 12_300,
              "bid": "59953.0", "bid_size": "0.12000000", "ask": "59953.1",
              "ask_size": "1.50000000", "spread_bps": 0.0167, "position": "0.00166651",
              "average": 59_950.1, "decimals": 1, "unrealised": 0.0048, "realised": 1.25,
              "fills": 7, "quote_buy": "59952.9", "quote_sell": "59953.3"}
    order = {"id": 1, "symbol": "BTC/USD", "side": "BUY", "ticks": 599529, "price": "59952.9",
             "size": "0.00100000", "filled": "0.00000000", "tif": "GTC", "state": "LIVE",
             "age_us": 12_345_678, "own": True}
    fill = {"ts_us": 1_795_246_195_789_380, "symbol": "BTC/USD", "side": "SELL",
            "size": "0.00166651", "price": "60004.3", "fee": 0.04, "maker": False, "wait_us": 2657}
    row = {"count": 1523, "min_us": 6.7, "avg_us": 84.4, "p50_us": 80.3, "p95_us": 147.1,
           "p99_us": 194.8, "max_us": 3154.0}
    return {"pid": 4711, "version": "0.1.0", "run": 12, "mode": "sim", "venue": "kraken",
            "now_us": 1_795_246_200_973_437, "duration_s": 754.0, "state": "trading",
            "stop_reason": "", "guard": "ACTIVE", "guard_reason": "", "sticky": False,
            "guarded": True, "breaker": "", "venue_mode": "OPEN", "blind": False,
            "doubtful": False, "disabled": [], "missing": "", "feed_age_us": 423,
            "markets": [market], "orders": [order], "open_orders": 1, "realised_usd": 12.4,
            "unrealised_usd": -0.0216, "fees_usd": 0.0345, "net_usd": 12.3439,
            "loss_today_usd": 0.0, "loss_max_usd": 25.0, "balances": {"USD": 9981.99, "BTC": 0.1},
            "orders_sent": 123, "fills": 45, "rejects": 0, "doubts": 0, "denied": {},
            "frames": 444, "latency": {"loop_iteration": row, "risk_check": {**row, "count": 0}},
            "limits": {"messages": {"used": 12, "max": 100},
                       "trading": {"BTC/USD": {"used": 57.0, "max": 60, "decay_per_s": 1.0}}},
            "strategy": {"micro_scalper": {"trades": 22, "wins": 15, "gross": 12.4, "adopted": ""}},
            "fills_last": [fill],
            "events": [[1_795_246_194_122_720, "warn", "venue says: EService:Busy"],
                       [1_795_246_190_000_000, "info", "BTC/USD: book is TRUSTED"]], **changes}


def text(told, columns=80, rows=24, **scene):
    return [line.plain for line in frame(Scene(told, **scene), columns, rows)]


def style_at(line, column):
    """All styles in force at one cell."""
    found = {str(line.style)} | {str(part.style) for part in line.spans
                                 if part.start <= column < part.end}
    return " ".join(sorted(found))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("utf", [True, False])
def test_screen_frame_fits_every_terminal(size, utf):
    columns, rows = size
    many = content(markets=content()["markets"] * 9, orders=content()["orders"] * 40,
                   open_orders=55, fills_last=content()["fills_last"] * 40,
                   events=content()["events"] * 30, guard="HALTED", guard_reason="x" * 400,
                   blind=True, doubtful=True, guarded=False)
    for told in (content(), many, {}, {"markets": [{}], "orders": [{}], "latency": {"a": {}}}):
        for trouble in ("", "NO ANSWER: it is stopped"):
            lines = frame(Scene(told, trouble, 3.0, (1.0, 2.0, 1.5), 4.0, utf), columns, rows)
            assert len(lines) == rows
            assert all(line.cell_len <= columns for line in lines)
            assert utf or all(line.plain.isascii() for line in lines)


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
def test_screen_shows_what_a_trader_asks_for(size):
    page = "\n".join(text(content(), *size, fills_a_minute=11.0))
    for wanted in ("SIMULATED", "TRADING", "59,953.0", "59,953.1", "0.02", "+0.00166651",
                   "+12.3439 USD synthetic", "realised +12.4000", "open -0.0216", "fees 0.0345",
                   "0.00 of 25.00", "59,952.9", "LIVE", "12.3s", "80.30", "147", "195", "57/60",
                   "12/100", "venue says: EService:Busy", "sent 123", "(11/min)", "60,004.3"):
        assert wanted in page, wanted


def test_screen_columns_do_not_move_with_the_figures():
    """Calm: the same field stands at the same place, whatever its value."""
    first = text(content())
    market = {**content()["markets"][0], "bid": "9.5", "ask": "123456.7", "position": "",
              "unrealised": 0.0, "age_us": 0}
    second = text(content(markets=[market]))
    row = next(index for index, line in enumerate(first) if line.startswith(" BTC/USD"))
    head = first[row - 1]
    for title in ("bid", "ask", "position", "age"):
        end = head.index(title) + len(title)
        for line in (first[row], second[row]):
            assert line[end - 1] != " "
            assert line[end:end + 1] in ("", " ")


def test_screen_money_is_green_or_red_and_zero_is_plain():
    for net, colour in ((1.0, "green"), (-1.0, "red"), (0.0, None), (0.00001, None)):
        line = frame(Scene(content(net_usd=net)), 80, 24)[1]
        styles = style_at(line, line.plain.index("USD") - 2)
        assert (colour in styles) if colour else not {"green", "red"} & set(styles.split())


@pytest.mark.parametrize(("changes", "word", "sentence", "kind"), [
    ({"guard": "HALTED", "guard_reason": "daily loss 37.60", "sticky": True}, "HALTED",
     "HALTED: daily loss 37.60; stays until `hftbot resume --yes`", "alarm"),
    ({"guard": "REDUCING", "guard_reason": "daily loss 25.01"}, "REDUCING",
     "REDUCING, exits only: daily loss 25.01", "caution"),
    ({"blind": True}, "BLIND", "BLIND: the trading link is down", "alarm"),
    ({"markets": [{"symbol": "BTC/USD", "trust": "SUSPECT"}]}, "NO TRUSTED BOOK",
     "BTC/USD: book SUSPECT, not trusted", "alarm"),
    ({"orders": [{"state": "DOUBT"}]}, "TRADING", "1 order IN DOUBT", "alarm"),
    ({"guarded": False}, "TRADING", "NO GUARDIAN", "alarm"),
    ({"doubtful": True}, "TRADING", "a position disagrees with the venue", "alarm"),
    ({"venue_mode": "CANCEL_ONLY"}, "TRADING", "venue is CANCEL ONLY", "caution"),
    ({"breaker": "OPEN: EService:Busy"}, "TRADING", "breaker OPEN: EService:Busy", "caution"),
    ({"limits": {"trading": {"BTC/USD": {"used": 45, "max": 60, "cancel_reserve": 15}}}},
     "TRADING", "BTC/USD 45 of 60: what is left is for cancels", "caution"),
    ({"disabled": ["mine"]}, "TRADING", "strategy disabled: mine", "caution"),
    ({"state": "stopping", "stop_reason": "Ctrl-C"}, "STOPPING", "STOPPING (Ctrl-C)", "caution"),
    ({"state": "starting", "blind": True, "missing": "private stream"}, "STARTING",
     "starting: waits for private stream", "caution")])
def test_screen_halt_and_distrust_cannot_be_overlooked(changes, word, sentence, kind):
    """A bar over the whole width on the second line, and the word on the first."""
    for columns, rows in ((80, 24), (160, 50)):
        lines = frame(Scene(content(**changes)), columns, rows)
        assert f" {word} " in lines[0].plain
        told = " ".join(line.plain.strip() for line in lines[1:3])
        assert sentence in " ".join(told.split())
        wanted = {"alarm": "bold white on red", "caution": "black on yellow"}[kind]
        assert lines[1].cell_len == columns
        assert all(wanted in style_at(lines[1], column) for column in (0, columns - 1))


def test_screen_says_what_base_fees_would_have_left():
    line = frame(Scene(content(net_at_base_fees_usd=-0.8)), 80, 24)[2]
    assert "at base fees -0.8000" in line.plain
    assert "red" in style_at(line, line.plain.index("-0.8000"))
    assert "base fees" not in "".join(text(content(net_at_base_fees_usd=None)))


def test_screen_text_of_others_cannot_move_the_cursor():
    evil = "\x1b[2J\x1b]0;title\x07\x9b31m\r\b\u202eabc"
    told = content(guard="HALTED", guard_reason=evil, events=[[1, "warn", evil]], state=evil,
                   venue=evil, strategy={evil: {evil: evil}},
                   markets=[{**content()["markets"][0], "symbol": evil}])
    for columns, rows in ((80, 24), (160, 50)):
        lines = frame(Scene(told), columns, rows)
        assert all(line.plain.isprintable() and line.cell_len <= columns for line in lines)
        assert any("[2J" in line.plain for line in lines)


def test_screen_without_colours_shows_alarms_in_reverse():
    lines = frame(Scene(content(guard="HALTED", guard_reason="x"), colour=False), 80, 24)
    assert lines[1].plain.startswith("!! HALTED: x")
    assert "reverse" in style_at(lines[1], 79)


def test_screen_shows_all_kinds_of_figures_of_a_strategy():
    figures = {"trades": 3, "zero": 0, "gross": 1.23456789, "last_denial": "DENY_FUNDS",
               "velocity": {"last_minute": 4, "per_day": 0}, "empty": {"exit": {}},
               "symbols": {"BTC/USD": {"trades": 2}, "ETH/USD": {"trades": 1}},
               "hints": ["only 3 trades"]}
    page = "\n".join(text(content(strategy={"mine": figures}), 160, 50))
    for wanted in ("MINE", "1.2346", "last denial DENY_FUNDS", "velocity last minute 4",
                   "symbols BTC/USD trades 2", "symbols ETH/USD trades 1", "hints only 3 trades"):
        assert wanted in page, wanted
    assert "zero" not in page
    assert "per day" not in page
    assert "empty" not in page


def test_screen_calm_means_no_bar():
    assert alarms.found(content()) == []
    assert not any("on red" in str(part.style) or "on yellow" in str(part.style)
                   for line in frame(Scene(content()), 160, 50) for part in line.spans)


def test_screen_old_figures_are_marked_as_old():
    lines = text(content(), trouble="NO ANSWER: the bot did not answer", silent_s=12.0)
    assert "NO ANSWER" in lines[0]
    assert "what you see is 12 s old" in lines[1]


@pytest.mark.parametrize(("last", "kind"), [
    (f"it stopped; {alarms.PROVED}", "caution"), ("it stopped; orders may be open", "alarm"),
    ("pid 7 is gone without a word", "alarm")])
def test_screen_bot_that_is_gone_is_an_alarm_unless_nothing_is_open(last, kind):
    trouble = f"NO BOT: {last}"
    assert alarms.state_word(content(), trouble) == ("NO BOT", kind)
    assert alarms.found(content(), trouble, 3.0)[0] == (kind, f"{trouble}; what you see is 3 s old")


def test_screen_before_the_first_answer_says_that_it_starts():
    lines = text({}, trouble="STARTING: the bot does not listen yet")
    assert " STARTING " in lines[0]
    assert "does not listen yet" in lines[1]
    assert "old" not in lines[1]


def test_screen_long_alarm_takes_a_second_line_and_keeps_its_remedy():
    lines = text(content(guard="HALTED", guard_reason="daily loss 37.60 reached one and a half "
                         "times the limit 25.00", sticky=True))
    assert "hftbot resume --yes" in lines[2]


def test_screen_real_money_stands_out():
    line = frame(Scene(content(mode="live")), 80, 24)[0]
    assert "reverse" in style_at(line, line.plain.index("REAL"))
    assert "synthetic" not in "".join(text(content(mode="live")))


def test_screen_hides_nothing_silently():
    orders = [{**content()["orders"][0], "id": number, "age_us": number} for number in range(30)]
    orders[3]["state"] = "DOUBT"
    page = "\n".join(text(content(orders=orders, open_orders=34)))
    assert "34 open, 2" in page
    assert "not shown" in page
    assert "DOUBT" in page
    assert "more not shown" in "\n".join(text(content(markets=content()["markets"] * 30)))
    alarmed = text(content(guard="HALTED", blind=True, doubtful=True, guarded=False,
                           disabled=["a"], breaker="OPEN: x"))
    assert "more)" in alarmed[4]
    assert not alarmed[5].strip().startswith("(")


def test_screen_once_prints_plain_text(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    screen.once(content(), 80, 24, colour=False)
    lines = out.getvalue().splitlines()
    assert len(lines) == 24
    assert "\x1b" not in out.getvalue()
    assert "+12.3439 USD" in lines[1]


def test_screen_trace_counts_fills_and_begins_anew_with_another_bot():
    trace = screen.Trace()
    assert trace.fills_a_minute is None
    for second in range(0, 91):
        trace.add(content(fills=second, net_usd=second), float(second))
    assert trace.fills_a_minute == pytest.approx(60.0)
    assert list(trace.net)[-3:] == [88.0, 89.0, 90.0]
    trace.add(content(pid=4712, fills=1), 92.0)
    assert trace.fills_a_minute is None
    assert len(trace.net) == 1


def test_screen_only_the_child_loads_rich():
    code = ("import hftbot.app.compose, hftbot.app.cli, sys; hftbot.app.cli.build_parser(); "
            "sys.exit('rich' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


@pytest.mark.parametrize(("shown", "wanted"), [
    (grouped("59953.0"), "59,953.0"), (grouped("-1234567"), "-1,234,567"), (grouped("-"), "-"),
    (money(0.0), "+0.0000"), (money(-12.34567), "-12.3457"), (money(1234.567), "+1,234.57"),
    (micros(0.04), "0.04"), (micros(99.994), "99.99"), (micros(99.996), "100"),
    (micros(99_999.4), "99,999"), (micros(123_456.0), "123ms"), (micros(60e6), "60s"),
    (age(None), "-"), (age(423), "0ms"), (age(999_499), "999ms"), (age(12_345_678), "12.3s"),
    (age(754e6), "12.6m"), (age(7.2e9), "2.0h"), (age(1e12), "12d"),
    (clock(1_795_246_195_789_380), "07:29:55.789380"), (clock(1_795_246_195_789_380, 3),
                                                        "07:29:55.789"),
    (clock(0, 0), "00:00:00"), (span(754), "00:12:34"), (span(90_061), "1d 01:01:01"),
    (bar(0, 100, 4), "░░░░"), (bar(1, 100, 4), "█░░░"), (bar(100, 100, 4), "████"),
    (bar(9, 0, 3, utf=False), "###"), (sparkline([], 5), ""), (sparkline([1.0, 1.0], 5), "▁▁"),
    (sparkline([0.0, 1.0, 2.0], 9), "▁▅█"), (chart([0.0, 1.0, 2.0], 9, 2), [" ▁█", "▁██"]),
    (chart([1.0], 9, 2), ["", ""]), (chart([3.0, 3.0], 9, 2), ["  ", "▁▁"]),
    (len(sparkline([float(i) for i in range(99)], 9)), 9)])
def test_screen_figures(shown, wanted):
    assert shown == wanted
