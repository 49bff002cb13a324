"""The program: ``hftbot`` and ``python -m hftbot``."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Run the command line; returns the exit code.

    Until a command takes Ctrl-C in hand it ends the process at once: raised as an exception in
    the middle of an import it could be swallowed there, or be shown as a traceback.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from hftbot.app import cli
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
