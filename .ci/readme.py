"""Print the shell lines of one README section, as printed there: readme.py README.md 'Set up'."""

import re
import sys


def block(page: str, title: str) -> str:
    """The first shell block below the heading; exits with a message if there is none."""
    section = re.search(rf"^##+ {re.escape(title)}\s*$(.*?)(?=^##? |\Z)", page, re.M | re.S)
    found = section and re.search(r"^```(?:bash|sh|console)\n(.*?)^```", section[1], re.M | re.S)
    if not found:
        sys.exit(f"README has no shell block under '{title}'")
    return found[1]


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as readme:
        print(block(readme.read(), sys.argv[2]), end="")
