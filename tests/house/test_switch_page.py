"""docs/switches.md is what the exchange's settings say now."""

from test_docs import DOCS, generator


def test_the_page_of_switches_is_current_and_explains_each() -> None:
    page = generator().PAGES["switches.md"]()
    assert (DOCS / "switches.md").read_text(encoding="utf-8") == page, \
        "run: python docs/generate.py"
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert len(rows) > 15
    assert all(row[1].endswith(".") for row in rows), [row[0] for row in rows
                                                       if not row[1].endswith(".")]
