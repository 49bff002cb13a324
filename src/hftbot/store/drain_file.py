"""DRAIN: a file that asks the bot to cancel what is open and to end in order, without a halt."""

from __future__ import annotations

from pathlib import Path

DRAIN_FILE = "DRAIN"


class DrainFile:
    """Anybody who may write to the state directory may ask; the bot takes the file away.

    Unlike KILL it leaves no halt behind: the next start trades.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / DRAIN_FILE

    def take(self) -> bool:
        """True if the file was there; one that cannot be removed asks again at the next start."""
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        except OSError:
            return self.path.exists()
        return True
