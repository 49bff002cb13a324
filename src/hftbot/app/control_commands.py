"""What a running bot says and does when it is asked on its control socket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hftbot.app.jobs import closings_content
from hftbot.app.reporter import Reporter
from hftbot.app.view import View
from hftbot.errors import ConfigError
from hftbot.live.control import CONTROL_FILE, Control
from hftbot.live.flatten import Flattener, sentence
from hftbot.live.session import Session
from hftbot.watch.logs import Logs

CANCELLED_S = 15.0


def control_of(folder: Path, session: Session, flattener: Flattener, reporter: Reporter,
               view: View, logs: Logs) -> Control:
    """The control socket of a run, not yet listening. Commands:

    * ``status``: what status.json says, as of now;
    * ``view``: what the live view shows;
    * ``flatten`` (symbols: a list, empty for all) and ``cancel-all``.
    """
    async def flatten(request: dict[str, Any]) -> dict[str, Any]:
        return await close(session, flattener, request.get("symbols", []))

    async def cancel(request: dict[str, Any]) -> dict[str, Any]:
        return await cancel_all(session)

    return Control(folder / CONTROL_FILE, {"status": lambda request: reporter.content(),
                                           "view": lambda request: view.content(),
                                           "flatten": flatten, "cancel-all": cancel},
                   redact=logs.redactor.tree, complain=logs.error)


async def close(session: Session, flattener: Flattener, symbols: object) -> dict[str, Any]:
    """Close these markets in a running bot; they stay closed until its next start.

    Raises ConfigError for a symbol that it does not trade.
    """
    grids = {grid.symbol: grid for grid in session.world.instruments}
    if not isinstance(symbols, list) or not all(isinstance(name, str) for name in symbols):
        raise ConfigError("symbols: a list of texts")
    for name in symbols:
        if name not in grids:
            raise ConfigError(f"--symbol {name[:40]}: this bot trades {', '.join(grids)}")
    wanted = [grid for grid in grids.values() if not symbols or grid.symbol in symbols]
    session.notes.warn(f"asked to close {', '.join(grid.symbol for grid in wanted)}")
    closings = await flattener.close(grid.index for grid in wanted)
    seen = await session.open_orders()
    ours = None if seen is None else sum(
        1 for order in seen if any(order.instrument == grid.index for grid in wanted))
    flat = all(closing.flat for closing in closings) and ours == 0
    return {**closings_content(closings, flat, ours), "lines": [
        sentence(closing, grids[closing.symbol].qty_text) for closing in closings]}


async def cancel_all(session: Session) -> dict[str, Any]:
    """Cancel every order of this bot and ask the venue whether one is left.

    ``open_orders`` None: it could not be asked.
    """
    engine = session.engine
    before = engine.open_client_ids()
    session.notes.warn(f"asked to cancel all: {len(before)} orders")
    engine.cancel_everything()
    await session.wait_condition(
        lambda: not any(client_id in engine.open_client_ids() for client_id in before),
        CANCELLED_S)
    seen = await session.open_orders()
    left = None if seen is None else sum(1 for order in seen if order.client_id in before)
    return {"asked": len(before), "open_orders": left}
