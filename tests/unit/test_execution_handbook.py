"""The handbook of high-frequency execution: its snippets run, its commands and claims are there."""

from __future__ import annotations

import ast
import asyncio
import logging
import os
import pathlib
import re
from typing import Any

import pytest

from embedded_exchange import serving

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = pathlib.Path(os.environ.get("HFTBOT_SHARED", ROOT.parent / "shared"))
SEED = SHARED / "seeds" / "001_05150d2b74376839.txt"
needs_seed = pytest.mark.skipif(not SEED.exists(), reason="the handbook is not here")
BOOK = {"bids": [[50000, 10.0], [49999, 5.0]], "asks": [[50001, 8.0], [50002, 12.0]]}
MOMENT_S = 0.01


def snippets() -> list[str]:
    """The Python snippets of the handbook with their import lines changed, but the CrewAI one."""
    blocks = re.findall(r"```python\n(.*?)```", SEED.read_text(encoding="utf-8"), re.DOTALL)
    return [block.replace("core.modules.hft_execution", "hftbot.execution") for block in blocks
            if "crewai" not in block.lower()]


async def ran(block: str, names: dict[str, Any]) -> None:
    """Run a snippet as if its reader stood in a coroutine."""
    code = compile(block, "<snippet>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    outcome = eval(code, names)
    if outcome is not None:
        await outcome


@needs_seed
def test_every_snippet_of_the_handbook_runs(tmp_path: pathlib.Path,
                                            capsys: pytest.CaptureFixture[str]) -> None:
    """In its order, with the names that it takes for granted, on the engine that it makes first."""
    blocks = snippets()
    assert len(blocks) == 14

    async def work(names: dict[str, Any]) -> Any:
        await ran(blocks[0], names)
        engine = names["engine"]
        engine.order_timeout_s = 0.05

        async def quoted() -> None:
            while engine.total_orders < 4:
                await asyncio.sleep(MOMENT_S)

        names.update(quoted=quoted, order_id=next(iter(engine.active_orders)))
        for block in blocks[1:]:
            await ran(block.replace("# ... strategy runs ...", "await quoted()"), names)
            # An account belongs to one engine at a time: the one that is open stays.
            names["engine"] = engine
        await ran("engine.execution_history = engine.execution_history[-1000:]", names)
        await names["backtest_engine"].close()
        await engine.close()
        return engine

    with serving(tmp_path) as facts:
        engine = asyncio.run(work({
            "__name__": "handbook", "exchange": facts["rest_url"], "current_order_book": BOOK,
            "historical_order_book": BOOK, "price": 50000, "quantity": 1.0,
            "logger": logging.getLogger("handbook"), "custom_position": 0.0}))
    assert engine.total_orders >= 5
    assert not engine.active_orders
    told = capsys.readouterr().out
    for word in ("Executed: ", "Latency: ", "Queue wait time: ", "Fill rate: ", "  Achieved: "):
        assert word in told


@needs_seed
def test_the_handbooks_test_commands_name_what_is_there() -> None:
    commands = re.findall(r"^pytest (\S+)", SEED.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(commands) == 4
    for command in commands:
        path, *names = command.split("::")
        written = (ROOT / path).read_text(encoding="utf-8")
        assert all(f"class {name}:" in written for name in names)


@needs_seed
def test_the_page_quotes_the_handbook() -> None:
    """Each claim of docs/seed_001.md is in the handbook, in its words."""
    page = (ROOT / "docs" / "seed_001.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^\| \"(.+?)\" \|", page, re.MULTILINE)
    assert len(quoted) > 20
    seed = " ".join(SEED.read_text(encoding="utf-8").split())
    assert [claim for claim in quoted if claim not in seed] == []
