"""Writes words, verdicts, errors and faults (.md) from code and tests: python docs/generate.py

tests/house holds that the pages are current.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import importlib.util
import inspect
import pathlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import hftbot.words
from hftbot import errors
from hftbot.venue.kraken import refusals
from hftbot.words import verdict

HERE = pathlib.Path(__file__).resolve().parent

# Words that no class of hftbot.words carries: meaning, where it lives.
SPOKEN = {
    "Tick": ("one price step of an Instrument; prices are whole ticks", "everywhere"),
    "Lot": ("one size step; sizes are whole lots", "everywhere"),
    "Level": ("price and size on one side of a book", "fastcore.market.book"),
    "OrderBook": ("all levels of one instrument", "fastcore.market.book"),
    "FairPrice": ("our model's value, the only float in the path", "fastcore.market.fair"),
    "Signal": ("an opinion: direction, strength, until when", "hftbot.signal"),
    "ClientId": ("our idempotency key: 5 bits strategy, 16 run, 32 order; journaled before "
                 "sending, never reused", "hftbot.words.order"),
    "Doubt": ("sent, outcome not known; keeps its exposure, never sent again under a new id",
              "hftbot.words.order"),
    "Position": ("net lots, cost and realised of one Instrument", "fastcore.money.position"),
    "Exposure": ("position plus live and doubtful orders, worst case", "fastcore.money.risk"),
    "Venue": ("an exchange", "hftbot.venue"),
    "Feed": ("the room that reads a venue's market; sans-IO", "hftbot.venue"),
    "Gateway": ("the room that speaks orders to a venue; sans-IO", "hftbot.venue"),
    "Link": ("a Wire's life: connect, stale, backoff", "hftbot.wire.link"),
    "Lane": ("one instrument's hot half: frame in, event bits out", "fastcore.lane.lane"),
    "Guard": ("risk limits and halt", "hftbot.engine.guard"),
    "Router": ("mode, throttle and batching between desk and gateway", "hftbot.engine.router"),
    "Ledger": ("fills applied once, positions, profit", "hftbot.engine.ledger"),
    "Journal": ("append-only record of events, the truth", "fastcore.money.journal"),
    "World": ("clock, feeds, gateways and store together: live or backtest", "hftbot.live"),
    "Halt": ("sticky stop: no new risk, cancel all, a human clears it", "hftbot.engine.guard"),
}
NOT = {
    "Tick": "a market update (`on_book`, `on_trade`)", "Lot": "contract, share",
    "Instrument": "symbol (a string of the venue)", "OrderBook": "BookTop",
    "BookTop": "RefPrice", "RefPrice": "FairPrice", "FairPrice": "mid", "Trade": "Fill",
    "Fill": "Trade", "Signal": "Intent", "Intent": "OpenOrder",
    "Verdict": "reject (the venue's answer)", "ClientId": "the venue's order id",
    "OpenOrder": "Intent", "Doubt": "rejected", "Position": "balance", "Exposure": "Position",
    "VenueMode": "World", "Feed": "Wire", "Wire": "Gateway", "Link": "Wire",
    "Desk": "manager (a banned word)", "Journal": "log (text for people)",
    "Store": "Journal (the truth)", "World": "environment", "Halt": "pause",
}


def _modules() -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(hftbot.words.__path__):
        yield importlib.import_module(f"hftbot.words.{found.name}")


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ").strip()


def _content(kind: type) -> str:
    """The members of an enum or the fields of a record."""
    if issubclass(kind, enum.Enum):
        return ", ".join(f"`{member.name}`" for member in kind)
    if dataclasses.is_dataclass(kind):
        return ", ".join(f"`{field.name}`" for field in dataclasses.fields(kind))
    return ""


def words_page() -> str:
    """docs/words.md."""
    rows = {word: (meaning, f"`{where}`" if "." in where else where, "")
            for word, (meaning, where) in SPOKEN.items()}
    for module in _modules():
        for name, kind in vars(module).items():
            if inspect.isclass(kind) and kind.__module__ == module.__name__:
                content = "" if kind is verdict.Verdict else _content(kind)
                rows[name] = (_first_line(kind), f"`{module.__name__}`", content)
    lines = ["# Words", "",
             "One meaning each. This page is written by `docs/generate.py` from the docstrings of",
             "`hftbot.words`; change them there.", "",
             "| word | meaning | holds | lives in | not to be confused with |",
             "|---|---|---|---|---|"]
    for word in sorted(rows, key=str.lower):
        meaning, where, content = rows[word]
        lines.append(f"| {word} | {meaning} | {content} | {where} | {NOT.get(word, '')} |")
    return "\n".join(lines) + "\n"


def _tree(kind: type, depth: int = 0) -> Iterator[tuple[int, type]]:
    yield depth, kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from _tree(child, depth + 1)


def verdicts_page() -> str:
    """docs/verdicts.md."""
    lines = ["# Verdicts and errors", "",
             "Written by `docs/generate.py` from `hftbot.words.verdict` and `hftbot.errors`.", "",
             "## Verdicts", "",
             "The guard answers every Intent with a mask: 0 allows, else each rule that said no",
             "sets its bit. `Desk.place` returns the negative of the mask;",
             "`hftbot.words.verdict.explain` prints it.",
             "", "| bit | verdict | reason |", "|---|---|---|"]
    for rule, reason in verdict.EXPLAINED.items():
        lines.append(f"| {int(rule).bit_length() - 1} | `{rule.name}` | {reason} |")
    lines += ["", "## Errors", "",
              "Operating errors are a tree, and each says what the desk does. The exit code is",
              "what the process ends with if nobody handles it.", "",
              "| error | meaning | remedy | exit code |", "|---|---|---|---|"]
    for depth, kind in _tree(errors.HftbotError):
        assert issubclass(kind, errors.HftbotError)
        lines.append(f"| {'&nbsp;' * 4 * depth}`{kind.__name__}` | {_first_line(kind)} | "
                     f"{kind.remedy} | {kind.exit_code} |")
    return "\n".join(lines) + "\n"


def _beside(name: str) -> ModuleType:
    """A file of this folder, which is no package, as a module."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _tests_of(names: list[str]) -> str:
    """Names of one cell; tests of one file share its name."""
    files: dict[str, list[str]] = {}
    for name in names:
        file, _, test = name.partition("::")
        files.setdefault(file, []).extend([test] if test else [])
    return "<br>".join(f"`{file}`" + (": " if tests else "") + ", ".join(
        f"`{test}`" for test in tests) for file, tests in files.items())


def _outcome(found: dict[tuple[str, Any], list[str]], mark: tuple[str, Any], reason: str) -> str:
    if mark in found:
        return _tests_of(found.pop(mark))
    if not reason:
        raise ValueError(f"{mark[0]} {mark[1]}: neither a test nor a reason")
    return f"**open**: {reason}"


def faults_page(tests: pathlib.Path = HERE.parent / "tests") -> str:
    """docs/faults.md. Raises ValueError for a row without test and reason, or an unknown mark."""
    rows = _beside("fault_rows")
    found = _beside("fault_marks").marks(tests)
    families: dict[str, list[str]] = {}
    shown = 0
    for name, fault, expected, injector, reason in rows.ROWS:
        shown += ("fault", name) in found
        cell = _outcome(found, ("fault", name), reason)
        families.setdefault(name[0], []).append(
            f"| {name} | {fault} | {expected} | {injector} | {cell} |")
    laws = [f"| {number} | {law} | {_outcome(found, ('law', number), rows.NOT_YET)} |"
            for number, law in rows.LAWS.items()]
    if found:
        kind, name = next(iter(found))
        raise ValueError(f"{found[kind, name][0]}: there is no {kind} {name!r}")
    lines = ["# Faults", "",
             "What can go wrong, what must hold then, and the tests that show it. Written by",
             "`docs/generate.py` from `docs/fault_rows.py` and the marks `fault` and `law` of the",
             "tests; paths are below `tests/`. The injector is the wire (W), the exchange (X), the",
             "clock (K), the process (P), the disk (D) or the configuration (C); numbers in",
             "brackets are laws.", "",
             f"{shown} of {len(rows.ROWS)} rows have a test."]
    for letter, cells in families.items():
        lines += ["", f"## {rows.FAMILIES[letter]}", "",
                  "| id | fault | what must hold | injector | shown by |", "|---|---|---|---|---|",
                  *cells]
    lines += ["", "## Laws", "", "| law | | asserted by |", "|---|---|---|", *laws]
    return "\n".join(lines) + "\n"


REMEDIES = {
    "retry": "later, by a new decision: the order does not exist, and nothing is sent again by "
             "itself",
    "resync": "a new nonce, a new token or a new snapshot, then on",
    "drop": "told to the strategy, and forgotten",
    "ask": "the order is in DOUBT and keeps its exposure until the venue's list or stream decides",
    "halt": "everything is cancelled and the bot stops; a human clears it"}


def errors_page() -> str:
    """docs/errors.md."""
    lines = ["# Kraken's errors", "",
             "Every error string that Kraken documents, and what the desk does about it. Written",
             "by `docs/generate.py` from `hftbot.venue.kraken.refusals`; a string that a reference",
             "or a recording holds and this table does not fails a test.", "",
             "| the desk does | that is |", "|---|---|",
             *(f"| {word} | {meaning} |" for word, meaning in REMEDIES.items())]
    for family, rows in refusals.FAMILIES.items():
        lines += ["", f"## {family}", "", "| error | when | class | the desk does |",
                  "|---|---|---|---|"]
        for code, (kind, when) in rows.items():
            does = "ask (an order), else retry" if code in refusals.UNKNOWN else kind.remedy
            lines.append(f"| `{code}` | {when} | `{kind.__name__}` | {does} |")
    lines += ["", "An error string that is not listed is a `VenueReject`: told, dropped and "
              "counted as", "`unmapped_errors` in the summary."]
    return "\n".join(lines) + "\n"


PAGES = {"words.md": words_page, "verdicts.md": verdicts_page, "faults.md": faults_page,
         "errors.md": errors_page, "switches.md": lambda: str(_beside("switch_page").page())}

if __name__ == "__main__":
    for shown, page in PAGES.items():
        (HERE / shown).write_text(page(), encoding="utf-8")
