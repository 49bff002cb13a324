"""The tearsheet: one whole page, nothing loaded, nothing drawn outside its drawing."""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hftbot.backtest import plots
from hftbot.backtest.plots import Bar, Curve, Frame
from hftbot.backtest.report import Report, statistics
from hftbot.backtest.report_text import IN_CORE, figures
from hftbot.backtest.result import BacktestResult, Samples, SimFill
from hftbot.backtest.tearsheet import tearsheet
from made_up_run import BEGIN_NS, MadeUpRun, asset, assumptions, three

VOID = {"meta", "br", "link", "img", "input"}
ORDINARY = st.floats(-1e9, 1e9, allow_nan=False)


class Page(HTMLParser):
    """Checks that every element is closed in order, and keeps what the tests ask for."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.fixture(scope="module")
def reports() -> list[Report]:
    return [statistics(run) for run in three(steps=1200)]


@pytest.fixture(scope="module")
def html(reports: list[Report]) -> str:
    return tearsheet(reports)


def drawings(html: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(text) for text in re.findall(r"<svg.*?</svg>", html, re.S)]


def test_the_page_is_whole_and_loads_nothing(html: str) -> None:
    page = Page(html)
    assert html.startswith("<!doctype html>")
    assert not {"script", "link", "img", "iframe", "object", "embed"} & set(page.seen)
    assert not [pair for pair in page.attributes if pair[0].startswith("on")
                or pair[0] in ("src", "href", "action")]
    assert "url(" not in html
    assert "@import" not in html
    assert "http" not in html
    assert "prefers-color-scheme:dark" in html
    assert "<svg" in html


def test_every_figure_of_every_model_is_on_the_page(html: str, reports: list[Report]) -> None:
    text = Page(html).text
    for report in reports:
        for name, value in figures(report):
            assert name in text
            assert value in text
        for _, words in report.assumptions:
            assert words in text
    assert "Fill models side by side" in text
    assert "annualised figures say little" in text
    for title in ("Equity, USDT", "Drawdown, USDT", "Price and fills", "Inventory, BTC", "Markout",
                  "Queue wait", "Fill probability", "Latency", "What was assumed"):
        assert title in text


def test_fills_are_listed_to_the_last(html: str, reports: list[Report]) -> None:
    main = reports[1]
    assert f"The last 200 of {main.fills:,} fills" in html
    assert f"<td>{main.fill_list[-1].order_id}</td>" in html
    assert f"<td>{main.fill_list[-200].order_id}</td>" in html
    assert f"<td>{main.fill_list[-201].order_id}</td>" not in html


def test_each_drawing_is_xml_that_stays_inside_itself(html: str) -> None:
    found = drawings(html)
    assert len(found) == 8
    for drawing in found:
        wide, high = (float(part) for part in drawing.attrib["viewBox"].split()[2:])
        assert drawing.attrib["aria-label"]
        for part in drawing.iter():
            for name, limit in (("x", wide), ("x1", wide), ("x2", wide), ("cx", wide),
                                ("y", high), ("y1", high), ("y2", high), ("cy", high)):
                if name in part.attrib:
                    assert -0.1 <= float(part.attrib[name]) <= limit + 0.1, part.attrib
            for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", part.attrib.get("d", "")):
                assert -0.1 <= float(x) <= wide
                assert -0.1 <= float(y) <= high
        assert "nan" not in ElementTree.tostring(drawing, "unicode")


def test_names_cannot_write_html() -> None:
    run = MadeUpRun(1, 40).result
    evil = "<script>alert('x')</script>&\""
    run.strategy = evil
    run.settings = {evil: evil}
    run.notes.append(evil)
    run.figures = {evil: {evil: evil}}
    run.denied[evil] = 1
    run.assumptions = replace(run.assumptions, name=evil, queue=evil)
    run.assets = (replace(run.assets[0], symbol=evil, base=evil, quote=evil, data=(evil,)),)
    page = tearsheet([statistics(run)])
    assert "<script" not in page
    assert escape(evil) in page
    Page(page)
    drawings(page)


def test_a_profit_without_network_says_so_beside_it(html: str) -> None:
    page = tearsheet([statistics(MadeUpRun(3, 60, in_core=True).result)])
    tile = re.search(r'<div class="tile"><b>profit, USDT</b>.*?</div>', page)
    assert tile is not None
    assert IN_CORE in tile[0]
    assert f"Profit with {IN_CORE}" in page
    assert IN_CORE not in html


def test_one_model_stands_alone(reports: list[Report]) -> None:
    page = Page(tearsheet(reports[1:2]))
    assert "Fill models side by side" not in page.text
    assert "over the models" not in page.text
    assert "Figures" in page.text


def test_many_models_each_have_a_colour(reports: list[Report]) -> None:
    many = [replace(reports[0], name=f"model {number}") for number in range(7)]
    page = tearsheet([*many, reports[1]])
    Page(page)
    keys = set(re.findall(r'<span class="key (\w+)"><i></i>(model \d|calibrated)', page))
    assert ("calibrated", "calibrated") in keys
    assert len({style for style, _ in keys}) == 6


def test_an_idle_run_and_one_without_samples_have_a_page() -> None:
    nothing = BacktestResult(strategy="idle", assets=(asset(),), assumptions=assumptions())
    idle = BacktestResult(strategy="idle", assets=(asset(),), assumptions=assumptions(),
                          samples=Samples(1, 1_000_000_000), begin_ns=BEGIN_NS,
                          end_ns=BEGIN_NS + 10**10)
    for second in range(11):
        idle.samples.add(BEGIN_NS + second * 10**9, [(float("nan"), 0, 0.0, 0.0, 0.0)])
    for run in (nothing, idle):
        page = tearsheet([statistics(run)])
        assert "fills</summary>" not in page
        Page(page)
        drawings(page)


def test_two_currencies_have_two_parts() -> None:
    run = BacktestResult(strategy="two", assets=(asset(), asset("ETH/BTC")),
                         assumptions=assumptions(), samples=Samples(2, 10**9), begin_ns=BEGIN_NS,
                         end_ns=BEGIN_NS + 5 * 10**9)
    for second in range(6):
        run.samples.add(BEGIN_NS + second * 10**9, [(100.0, 0, 1.0 * second, 0.0, 0.0)] * 2)
    run.add_fill(SimFill(1, 5, 1, 700, 3, True, -0.01, BEGIN_NS + 10**9, BEGIN_NS + 10**9))
    text = Page(tearsheet([statistics(run)])).text
    for words in ("Equity, USDT", "Equity, BTC", "Inventory, ETH", "Inventory, BTC",
                  "The only fill"):
        assert words in text


def test_the_same_reports_give_the_same_page(reports: list[Report], html: str) -> None:
    assert tearsheet(reports) == html
    assert tearsheet([reports[1], reports[2], reports[0]]) == html


@given(ORDINARY, ORDINARY, st.floats(0, 1))
def test_a_frame_maps_its_range_onto_its_plane(one: float, other: float, part: float) -> None:
    low, high = sorted((one, other))
    frame = Frame(400.0, 200.0, (low, high), (low, high))
    value = low + (high - low) * part
    assert plots.LEFT - 0.01 <= frame.x(value) <= 400.0 - plots.RIGHT + 0.01
    assert plots.TOP - 0.01 <= frame.y(value) <= 200.0 - plots.BOTTOM + 0.01
    assert frame.x(low) <= frame.x(high)
    assert frame.y(low) >= frame.y(high)


@given(ORDINARY, st.floats(1e-6, 1e9), st.integers(2, 9))
def test_grid_steps_are_round_and_few(low: float, extent: float, count: int) -> None:
    values = (low, low + extent)
    if values[1] - values[0] < 1e-6:
        return
    step = plots.nice_step(values, count)
    assert f"{step:.6e}"[0] in "125"
    ticks = plots.ticks_of(values, step)
    assert len(ticks) <= count + 1
    assert (values[1] - values[0]) / step <= count + 1e-6
    assert (values[1] - values[0]) / step > count / 2.6


@given(st.floats(0.5, 1e7), st.integers(2, 12))
def test_time_marks_are_few_and_inside(span_s: float, count: int) -> None:
    marks = plots.time_marks(span_s, count)
    assert len(marks) <= count + 1
    assert all(0 <= at <= span_s + 1e-6 for at, _ in marks)
    assert len({text for _, text in marks}) == len(marks)


def test_marks_read_as_people_say_them() -> None:
    assert [text for _, text in plots.time_marks(345.0)] == [
        "0:00", "1:00", "2:00", "3:00", "4:00", "5:00"]
    assert [text for _, text in plots.time_marks(3 * 3600.0)][:3] == ["0h00", "0h30", "1h00"]
    assert [plots.number_text(value, step) for value, step in (
        (-1e-17, 0.1), (1234.5, 0.5), (1e6, 2e5), (0.015, 0.005))] == [
        "0", "1,234.5", "1,000,000", "0.015"]
    assert [plots.power_text(power) for power in (0, 2, 3, 7, 9, 12)] == [
        "1 ns", "100 ns", "1 us", "10 ms", "1 s", "1,000 s"]


def test_a_bar_reaches_from_zero_to_its_value() -> None:
    drawing = ElementTree.fromstring(plots.bars(
        [("1 s", [Bar(2.0, 0.5, "a", "up"), Bar(-1.0, 0.0, "b", "down")])], "two bars"))
    up, down = (part for part in drawing.iter() if part.tag == "rect")
    ground = float(up.attrib["y"]) + float(up.attrib["height"])
    assert ground == pytest.approx(float(down.attrib["y"]), abs=0.11)
    assert float(up.attrib["height"]) == pytest.approx(2 * float(down.attrib["height"]), abs=0.3)
    errors = [part for part in drawing.iter() if part.attrib.get("class") == "error"]
    assert len(errors) == 1


def test_a_staircase_holds_its_value_until_the_next() -> None:
    frame = Frame(400.0, 200.0, (0.0, 2.0), (0.0, 1.0))
    held = Curve("held", "held", [(0.0, 0.0), (1.0, 1.0), (2.0, 0.5)], stepped=True)
    frame.curve(held)
    frame.area(held)
    line, area = (part.split('d="')[1] for part in frame.parts)
    assert line.count("H") == line.count("V") == area.count("H") == area.count("V") == 2
    assert "L" not in line
    # From the ground to the first point, and from the last one back to the ground.
    assert area.count("L") == 2
    straight = Frame(400.0, 200.0, (0.0, 2.0), (0.0, 1.0))
    straight.curve(Curve("held", "held", held.points))
    assert straight.parts[0].count("L") == 2
