"""What a running bot answers on its control socket."""

from __future__ import annotations

from pathlib import Path

from hftbot.app.reporter import Reporter
from hftbot.app.view import View
from hftbot.live.control import CONTROL_FILE, Control
from hftbot.watch.logs import Logs


def control_of(folder: Path, reporter: Reporter, view: View, logs: Logs) -> Control:
    """The control socket of a run, not yet listening. Commands:

    * ``status``: what status.json says, as of now;
    * ``view``: what the live view shows.
    """
    return Control(folder / CONTROL_FILE, {"status": lambda request: reporter.content(),
                                           "view": lambda request: view.content()},
                   redact=logs.redactor.tree, complain=logs.error)
