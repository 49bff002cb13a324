"""The import rule: only downwards, never sideways; only ``app`` knows everyone.

``MAY_IMPORT`` is the table of docs/house.md. A room is known by its longest matching prefix.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tree import Import, Source, Tree

OWN = ("hftbot", "fastcore")
CORE = ("fastcore.probe", "fastcore.market", "fastcore.money", "fastcore.sim", "fastcore.codec",
        "fastcore.lane")
WORDS = ("hftbot.words", "hftbot.errors", "hftbot.config")
VENUES = ("hftbot.venue.kraken", "hftbot.venue.hyperliquid", "hftbot.venue.polymarket")
MINDS = ("hftbot.signal", "hftbot.engine", *VENUES)
LOW = (*CORE, *WORDS)
HANDS_BELOW_WORLDS = (*LOW, *MINDS, "hftbot.wire", "hftbot.store", "hftbot.strategy",
                      "hftbot.venue", "hftbot.timing")

MAY_IMPORT: dict[str, tuple[str, ...]] = {
    # floor 0, from the bottom; codec stands beside the ladder
    "fastcore": (),
    "fastcore.probe": (),
    "fastcore.market": ("fastcore.probe",),
    "fastcore.money": ("fastcore.probe", "fastcore.market"),
    "fastcore.sim": ("fastcore.probe", "fastcore.market", "fastcore.money"),
    "fastcore.codec": (),
    "fastcore.lane": CORE[:-1],
    # floor 1
    "hftbot.words": CORE,
    "hftbot.errors": (),
    "hftbot.config": (*CORE, "hftbot.words", "hftbot.errors"),
    # floor 2
    **dict.fromkeys(MINDS, LOW),
    "hftbot.venue": (),
    # floor 3
    "hftbot.wire": LOW,
    "hftbot.store": LOW,
    "hftbot.strategy": ("hftbot.words", "hftbot.errors", "hftbot.signal", "fastcore.market"),
    "hftbot.exchange": (*WORDS, "fastcore.sim", "fastcore.probe"),
    # the seed's measuring door: a leaf on fastcore.probe, so the worlds may print with it
    "hftbot.timing": ("fastcore.probe",),
    # floor 4
    "hftbot.live": HANDS_BELOW_WORLDS,
    "hftbot.backtest": HANDS_BELOW_WORLDS,
    "hftbot.watch": HANDS_BELOW_WORLDS,
    # floor 5: None means everyone
    "hftbot.app": ("*",),
    "hftbot.execution": ("*",),
    "hftbot": ("*",),
}
PURE = (*CORE, *WORDS, *MINDS, "hftbot.strategy", "hftbot.exchange")
HANDS = {"asyncio", "socket", "ssl", "time", "random", "os", "threading", "uuid", "logging",
         "sqlite3", "subprocess", "selectors", "multiprocessing", "signal", "concurrent",
         "secrets", "picows", "uvloop", "aiohttp", "ccxt", "socketserver",
         "http.client", "http.server", "urllib.request"}
# One module in a pure room may hold one hand; each line says why.
HAND_GIVEN: dict[str, set[str]] = {
    "fastcore.probe.clock": {"time"},  # it is the clock
    "fastcore.money.journal": {"os"},  # it maps a file
    "fastcore": {"os"},  # FASTCORE_PURE chooses the interpreted rooms
    # the exchange's only hands: its sockets, its clock, its seeded randomness
    "hftbot.exchange.server": {"asyncio", "aiohttp", "time", "os", "signal", "random"},
    "hftbot.exchange.state_file": {"os"},  # it keeps the accounts on disk
}
# What a third-party package or a sharp tool may be used for, and where.
KEPT_TO: dict[str, tuple[str, ...]] = {
    "picows": ("hftbot.wire", "hftbot.app"),
    "uvloop": ("hftbot.wire", "hftbot.live", "hftbot.app"),
    "aiohttp": ("hftbot.wire", "hftbot.exchange", "hftbot.app"),
    "sqlite3": ("hftbot.store", "hftbot.watch", "hftbot.app"),
    "numpy": ("hftbot.backtest", "hftbot.app"),
    "pyarrow": ("hftbot.backtest",),
    "ccxt": ("hftbot.app",),
    "rich": ("hftbot.watch",),
    "keyring": ("hftbot.app",),
    "multiprocessing": (),
    "orjson": (),
    "pickle": (),
    "hdrhistogram": (),
    "hdrh": (),
}
CORE_STDLIB = {"__future__", "array", "struct", "typing", "collections", "dataclasses", "math",
               "decimal", "zlib", "binascii", "base64", "mmap", "cython", "libc", "cpython",
               "importlib", "sys", "contextlib"}
CORE_GIVEN = {"fastcore.probe.histogram_codec": {"re", "datetime"},  # the log's dated header
              "fastcore.codec": {"json", "libcpp", "re", "datetime"}}
GUARDIAN = "hftbot.app.guardian"
ORDER_PATH = ("fastcore.lane", "fastcore.money", "hftbot.engine", "hftbot.strategy",
              "hftbot.signal", "hftbot.live.session", "hftbot.live.world", "hftbot.live.connect",
              "hftbot.venue.kraken.gateway", "hftbot.venue.kraken.feed", "hftbot.wire.ws",
              "hftbot.wire.link", "hftbot.wire.picows_wire", "hftbot.wire.aiohttp_wire",
              "hftbot.exchange")
CLOCK_READERS = {"now", "utcnow", "today"}


ROOTS = {"hftbot": "hftbot", "hftbot.__main__": "hftbot", "fastcore": "fastcore",
         "fastcore._shim": "fastcore", "fastcore._bits": "fastcore"}


def room_of(module: str) -> str:
    """The room that a dotted module belongs to, or the empty string."""
    best = ROOTS.get(module, "")
    for room in MAY_IMPORT:
        if room not in {"hftbot", "fastcore"} and len(room) > len(best) \
                and (module == room or module.startswith(room + ".")):
            best = room
    return best


def _targets(tree: Tree, found: Import) -> Iterator[str]:
    """``from a import b`` means a.b where that is a module or a room, else a."""
    parts = [found.module + "." + name for name in found.names]
    modules = [part for part in parts if part in tree.modules or part in MAY_IMPORT]
    yield from modules
    if len(modules) < len(parts) or not parts:
        yield found.module


def _allowed(mine: str, target: str) -> bool:
    theirs = room_of(target)
    if theirs == mine or MAY_IMPORT[mine] == ("*",) or target.split(".")[0] not in OWN:
        return True
    if theirs == "fastcore":
        return mine.startswith("fastcore") or mine in {"hftbot.live", "hftbot.watch"}
    if theirs == "hftbot":
        return mine in {"hftbot.live", "hftbot.backtest", "hftbot.watch"}
    return theirs in MAY_IMPORT[mine]


def downwards(tree: Tree) -> Iterator[str]:
    """A room imports only the rooms of its row."""
    for file in tree.product:
        mine = room_of(file.module)
        if not mine:
            yield f"{file.shown}:1: no room of docs/house.md holds {file.module}"
            continue
        for found in file.imports:
            for target in _targets(tree, found):
                if not _allowed(mine, target):
                    yield f"{file.shown}:{found.line}: {mine} may not import {target}"


def exchange_writes_with_its_own_hands(tree: Tree) -> Iterator[str]:
    """The judge shares no code with the client, in either direction."""
    for file in tree.product:
        in_exchange = room_of(file.module) == "hftbot.exchange"
        for found in file.imports:
            for target in _targets(tree, found):
                theirs = room_of(target)
                if in_exchange and theirs and theirs not in MAY_IMPORT["hftbot.exchange"] \
                        and theirs != "hftbot.exchange":
                    yield f"{file.shown}:{found.line}: the exchange may not use {target}"
                if theirs == "hftbot.exchange" and not in_exchange \
                        and room_of(file.module) != "hftbot.app":
                    yield f"{file.shown}:{found.line}: only app may import the exchange"


def pure_rooms(tree: Tree) -> Iterator[str]:
    """Time, randomness, ids and I/O enter pure rooms through ports."""
    for file in tree.product:
        if not room_of(file.module).startswith(PURE):
            continue
        given = HAND_GIVEN.get(file.module, set())
        for found in file.imports:
            hand = {found.module, found.module.split(".")[0]} & HANDS - given
            if hand:
                yield (f"{file.shown}:{found.line}: {hand.pop()} is banned in "
                       f"{room_of(file.module)}")
        if file.module != "hftbot.exchange.server":
            yield from _clock_reads(file)


def _clock_reads(file: Source) -> Iterator[str]:
    for node in file.nodes:
        if isinstance(node, ast.Attribute) and node.attr in CLOCK_READERS \
                and isinstance(node.value, ast.Name) and node.value.id in {"datetime", "date"}:
            yield f"{file.shown}:{node.lineno}: {node.value.id}.{node.attr} reads the real clock"


def machine_room_stands_alone(tree: Tree) -> Iterator[str]:
    """fastcore imports itself, a short list of the standard library, and nothing else."""
    for file in tree.product:
        if not file.module.startswith("fastcore"):
            continue
        given = CORE_STDLIB | CORE_GIVEN.get(room_of(file.module), set()) \
            | CORE_GIVEN.get(file.module, set()) | HAND_GIVEN.get(file.module, set())
        for found in file.imports:
            top = found.module.split(".")[0]
            if top != "fastcore" and top not in given:
                yield f"{file.shown}:{found.line}: fastcore may not import {top}"


def kept_to_their_rooms(tree: Tree) -> Iterator[str]:
    """A third-party package is used where its room is, and nowhere else."""
    for file in tree.product:
        for found in file.imports:
            rooms = KEPT_TO.get(found.module.split(".")[0])
            if rooms is not None and not room_of(file.module).startswith(rooms or ("-",)):
                where = " and ".join(rooms) or "no room"
                yield f"{file.shown}:{found.line}: {found.module} belongs to {where}"


def no_hidden_imports(tree: Tree) -> Iterator[str]:
    """import_module and __import__ hide an import from this rule: only the doors use them."""
    for file in tree.product:
        if room_of(file.module) in {"hftbot", "hftbot.app", "fastcore"}:
            continue
        for node in file.nodes:
            name = getattr(node, "attr", getattr(node, "id", ""))
            if isinstance(node, ast.Attribute | ast.Name) \
                    and name in {"import_module", "__import__"}:
                yield f"{file.shown}:{node.lineno}: {name} hides an import"


def guardian_only_cancels(tree: Tree) -> Iterator[str]:
    """Nothing that the guardian imports, however far down, can make or send an order."""
    files = {file.module: file for file in tree.product if file.suffix == ".py"}
    waiting, reached = [GUARDIAN] if GUARDIAN in files else [], {GUARDIAN}
    while waiting:
        file = files[waiting.pop()]
        for found in file.imports:
            for target in _targets(tree, found):
                if target.startswith(ORDER_PATH):
                    yield f"{file.shown}:{found.line}: the guardian may not reach {target}"
                elif target in files and target not in reached:
                    reached.add(target)
                    waiting.append(target)


RULES = (downwards, guardian_only_cancels, exchange_writes_with_its_own_hands, pure_rooms,
         machine_room_stands_alone, kept_to_their_rooms, no_hidden_imports)
