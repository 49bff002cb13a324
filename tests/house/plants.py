"""One planted violation, or more, for each house rule: proof that the rule bites.

A plant is a small tree of files; each value of ``PLANTS`` lists (files, words of the finding).
"""

from __future__ import annotations

Plant = tuple[dict[str, str], str]


def _one(path: str, text: str, finding: str) -> Plant:
    return {path: text}, finding


def _at(room: str, line: str, finding: str) -> Plant:
    return _one(f"src/{room.replace('.', '/')}/planted.py", line + "\n", finding)


def _long_function() -> str:
    return "def long():\n" + "    x = 1\n" * 70


PLANTS: dict[str, list[Plant]] = {
    "downwards": [
        _at("fastcore.market", "from fastcore.money import orders", "may not import"),
        _at("fastcore.probe", "import fastcore.market.book", "fastcore.probe may not import"),
        _at("fastcore.codec", "from fastcore.market.book import OrderBook", "may not import"),
        _at("fastcore.sim", "from fastcore.lane.lane import Lane", "may not import"),
        _one("src/fastcore/market/planted.pxd", "from fastcore.money.orders cimport OrderTable\n",
             "fastcore.market may not import fastcore.money"),
        _one("src/fastcore/market/planted.pyx", "cimport fastcore.lane.lane\n", "may not import"),
        _one("src/fastcore/market/planted.py", "from cython.cimports.fastcore.money import x\n",
             "fastcore.market may not import fastcore.money"),
        _at("hftbot.words", "from hftbot.engine import engine", "may not import"),
        _at("hftbot.words", "import hftbot.config.schema", "may not import"),
        _at("hftbot.engine", "from hftbot.signal import momentum", "may not import"),
        _at("hftbot.engine", "from hftbot.venue.kraken import feed", "may not import"),
        _at("hftbot.engine", "from hftbot import strategy", "may not import"),
        _at("hftbot.venue.kraken", "from hftbot.engine import desk", "may not import"),
        _at("hftbot.venue.kraken", "from ...signal import momentum", "may not import"),
        _at("hftbot.wire", "from hftbot.store import ledger_db", "may not import"),
        _at("hftbot.store", "from hftbot.engine import ledger", "may not import"),
        _at("hftbot.strategy", "from hftbot.engine import engine", "may not import"),
        _at("hftbot.strategy", "from fastcore.money import orders", "may not import"),
        _at("hftbot.live", "from hftbot.backtest import data", "may not import"),
        _at("hftbot.watch", "from hftbot.live import session", "may not import"),
        _at("hftbot.live", "from hftbot.app import cli", "may not import"),
        _one("src/hftbot/timing.py", "from hftbot.watch import report\n", "may not import"),
        _at("hftbot.parlour", "X = 1", "no room of docs/house.md"),
    ],
    "exchange_writes_with_its_own_hands": [
        _at("hftbot.exchange", "from fastcore.codec.kraken import exact", "may not use"),
        _at("hftbot.exchange", "from fastcore.market import checksum", "may not use"),
        _at("hftbot.exchange", "from hftbot.venue.kraken import sign", "may not use"),
        _at("hftbot.live", "from hftbot.exchange import server", "only app"),
    ],
    "pure_rooms": [
        _at("hftbot.engine", "import time", "time is banned"),
        _at("hftbot.venue.kraken", "from asyncio import Queue", "asyncio is banned"),
        _at("hftbot.strategy", "import random", "random is banned"),
        _at("hftbot.exchange", "import asyncio", "asyncio is banned"),
        _at("hftbot.words", "import logging", "logging is banned"),
        _at("hftbot.signal", "import datetime\ndatetime.now()", "reads the real clock"),
    ],
    "machine_room_stands_alone": [
        _at("fastcore.market", "import numpy", "fastcore may not import numpy"),
        _at("fastcore.market", "import json", "fastcore may not import json"),
        _at("fastcore.lane", "from hftbot.words import order", "may not import hftbot"),
    ],
    "guardian_only_cancels": [
        _one("src/hftbot/app/guardian.py", "from hftbot.live.session import Session",
             "may not reach hftbot.live.session"),
        ({"src/hftbot/app/guardian.py": "from hftbot.live import dead_man",
          "src/hftbot/live/dead_man.py": "def late():\n    import hftbot.engine.router\n"},
         "may not reach hftbot.engine.router"),
    ],
    "kept_to_their_rooms": [
        _at("hftbot.live", "import sqlite3", "belongs to"),
        _at("hftbot.watch", "import multiprocessing", "belongs to no room"),
        _at("hftbot.strategy", "import numpy", "belongs to"),
    ],
    "no_hidden_imports": [
        _at("hftbot.engine", "import importlib\nimportlib.import_module('x')", "hides an import"),
    ],
    "small_enough": [
        _at("hftbot.engine", "X = 1\n" * 501, "longer than 500 lines"),
        _at("hftbot.engine", _long_function(), "at most 70"),
        _one("src/fastcore/codec/planted.pyx", "cdef int x(int y):\n" + "    y = 1\n" * 70,
             "x is 71 lines"),
        _one("src/fastcore/codec/planted.pyx", "\n" * 701, "longer than 700 lines"),
        _one("src/fastcore/codec/planted.pxd", "\n" * 201, "longer than 200 lines"),
        _one("tests/unit/test_x.py", "#" * 101, "101 columns"),
    ],
    "few_make_targets": [
        _one("Makefile", "".join(f"t{i}:\n" for i in range(13)), "13 targets"),
    ],
    "file_names": [
        _one("src/hftbot/engine/utils.py", "", "may not be called utils"),
        _one("src/fastcore/market/core.pxd", "", "may not be called core"),
        _one("src/hftbot/engine/data.py", "", "may not be called data"),
        _one("src/hftbot/engine/OrderDesk.py", "", "snake case"),
        _one("src/hftbot/venue/kraken/kraken_feed.py", "", "no venue prefix"),
    ],
    "units_last": [
        _at("hftbot.engine", "delay_ms = 1", "in milliseconds"),
        _at("hftbot.engine", "def wait(ms_left): return 1", "in milliseconds"),
        _one("src/fastcore/lane/planted.pxd", "cdef int age_ms\n", "in milliseconds"),
    ],
    "full_words": [
        _at("hftbot.engine", "order_msg = 1", "write message for msg"),
        _at("hftbot.engine", "def price(px): return 1", "write ticks for px"),
    ],
    "class_names": [
        _at("hftbot.engine", "class OrderManager:\n    x = 1", "no Manager"),
    ],
    "finished": [
        _at("hftbot.engine", "# TO" + "DO: later", "left open"),
        _at("hftbot.engine", "raise NotImplemented" + "Error", "left open"),
        _at("hftbot.engine", "def place():\n    pass", "empty stub"),
        _at("hftbot.engine", "def place():\n    '''Doc.'''\n    ...", "empty stub"),
        _at("hftbot.engine", "class Order:\n    pass", "empty stub"),
    ],
    "speaks_of_the_project_only": [
        _one("docs/page.md", "see /wo" + "rk/main", "not about the project"),
        _at("hftbot.engine", "# written by Cla" + "ude", "not about the project"),
        _one(".ci/run", "cd /ro" + "ot/x", "not about the project"),
    ],
    "comments_are_sentences": [
        _at("hftbot.engine", "# place(order)", "commented-out"),
        _at("hftbot.engine", "# x = 1", "commented-out"),
    ],
    "no_dead_files": [
        _at("hftbot.engine", "X = 1", "nobody imports"),
    ],
    "no_dead_test_files": [
        _one("tests/unit/test_x.py", "X = 1\n", "has no test"),
        _one("tests/unit/x_test.py", "def test_x(): assert True\n", "never collected"),
        _one("tests/naive/x.py", "X = 1\n", "nobody imports it"),
    ],
    "exports_resolve": [
        _at("hftbot.engine", "__all__ = ['gone']", "__all__ names 'gone'"),
        _one("src/hftbot/__init__.py", "_DOORS = {'Gone': 'hftbot.words.market'}\n",
             "has no Gone"),
    ],
    "stubs_match": [
        _one("src/fastcore/codec/x.pyx", "def f(a):\n    return a\n", "no .py and no .pyi"),
        ({"src/fastcore/codec/x.pyx": "def f(a):\n    return a\n",
          "src/fastcore/codec/x.py": "def f(a):\n    return a\n",
          "src/fastcore/codec/x.pyi": "def f(b): ...\n"}, "the twin has"),
        ({"src/fastcore/codec/x.pyx": "def f(a):\n    return a\ncpdef int g(a):\n    return a\n",
          "src/fastcore/codec/x.py": "def f(a):\n    return a\n",
          "src/fastcore/codec/x.pyi": "def f(a): ...\n"}, "g is not in both"),
    ],
    "nothing_generated": [
        _one("src/fastcore/market/book.c", "/* Generated by Cython 3.3 */\n", "not kept"),
        _one(".gitignore", "build/\n", "*.so is not ignored"),
    ],
    "profile_is_the_original": [
        _one(".env.hft", "LOOP_INTERVAL_MS=50\n", "must both be there"),
        ({".env.hft": "A=1\n", "src/hftbot/config/profiles/hft.env": "A=2\n"}, "differs from"),
    ],
    "one_title": [
        _one("docs/page.md", "# One\n# Two\n", "2 titles"),
        _one("docs/page.md", "words\n", "0 titles"),
    ],
    "links_lead_somewhere": [
        _one("docs/page.md", "# One\n[two](two.md)\n", "two.md is not there"),
    ],
}

# What looks like a violation and is none: no rule may speak.
INNOCENT: dict[str, str] = {
    "Makefile": "test:\n\ttrue\n",
    ".gitignore": "*.so\nbuild/\n",
    ".env.hft": "LOOP_INTERVAL_MS=50\n",
    "src/hftbot/config/profiles/hft.env": "LOOP_INTERVAL_MS=50\n",
    "README.md": "# hftbot\n\n[words](docs/words.md) [abroad](https://example.com)\n",
    "docs/words.md": "# Words\n\n```bash\n# a comment, not a title\n```\n",
    "src/hftbot/__init__.py": "_DOORS = {'Tick': 'hftbot.words.market'}\n",
    "src/hftbot/words/market.py": "class Tick:\n    '''A price step.'''\n",
    "src/hftbot/config/schema.py": "from hftbot.words.market import Tick\n"
                                   "loop_interval_ms = Tick\n",
    "src/hftbot/app/cli.py": "import os\nfrom hftbot.exchange import server\n"
                             "from hftbot.config import schema\nX = os, server, schema\n",
    "src/hftbot/exchange/server.py": "import asyncio\nfrom aiohttp import web\nX = asyncio, web\n",
    "src/fastcore/probe/clock.py": "from time import time_ns\nX = time_ns\n",
    "src/fastcore/lane/lane.py": "from fastcore.probe import clock\nX = clock\n",
    "src/fastcore/lane/lane.pxd": "from libc.stdint cimport int64_t\n",
    "src/hftbot/app/compose.py": "from fastcore.lane import lane\n# Why this is so: x = 1 is\n"
                                 "# not code here.\nX = lane\n\n\nclass Port(Protocol):\n"
                                 "    def send(self): ...\n",
    "src/hftbot/__main__.py": "from hftbot.app import cli, compose\nX = cli, compose\n",
    "tests/unit/test_lane.py": "def test_lane():\n    assert True\n",
}
