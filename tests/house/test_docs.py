"""The generated pages are what the code says now."""

from __future__ import annotations

import importlib.util
import pathlib
import re

import pytest

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"


def generator():
    """docs/generate.py as a module."""
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["words.md", "verdicts.md", "faults.md", "errors.md"])
def test_page_is_current(page: str) -> None:
    assert (DOCS / page).read_text(encoding="utf-8") == generator().PAGES[page](), \
        "run: python docs/generate.py"


def test_every_verdict_is_explained() -> None:
    from hftbot.words.verdict import EXPLAINED, Verdict
    assert set(EXPLAINED) == set(Verdict) - {Verdict.ALLOW}


MARKED = """
import pytest
from pytest import mark
pytestmark = [pytest.mark.law(2), pytest.mark.timeout(5)]
CASES = [1, pytest.param(2, marks=pytest.mark.fault("W2", "D1"))]

@pytest.mark.fault("W1")
@pytest.mark.parametrize("case", CASES)
def test_one(case): ...

class TestTwo:
    pytestmark = mark.fault("W1")

    @pytest.mark.parametrize("x", [pytest.param(1, marks=[mark.fault("W3")])])
    async def test_three(self, x): ...

@pytest.mark.fault("K1")
def not_a_test(): ...
"""


def marked(folder: pathlib.Path, text: str) -> pathlib.Path:
    (folder / "world").mkdir(parents=True)
    (folder / "world" / "test_x.py").write_text(text)
    return folder


def test_marks_are_found_wherever_they_may_stand(tmp_path: pathlib.Path) -> None:
    marks = generator()._beside("fault_marks").marks(marked(tmp_path, MARKED))
    file = "world/test_x.py"
    assert marks == {
        ("law", 2): [file], ("fault", "W1"): [f"{file}::test_one", f"{file}::TestTwo"],
        ("fault", "W2"): [f"{file}::test_one"], ("fault", "D1"): [f"{file}::test_one"],
        ("fault", "W3"): [f"{file}::TestTwo::test_three"]}


@pytest.mark.parametrize(("text", "words"), [
    ("@pytest.mark.fault('W99')\ndef test_y(): ...", "there is no fault 'W99'"),
    ("@pytest.mark.law(13)\ndef test_y(): ...", "there is no law 13"),
    ("@pytest.mark.law('1')\ndef test_y(): ...", "there is no law '1'"),
    ("@pytest.mark.fault(*ROWS)\ndef test_y(): ...", "test_x.py:1: write the fault out"),
])
def test_a_wrong_mark_fails_the_page(tmp_path: pathlib.Path, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        generator().faults_page(marked(tmp_path, text))


def test_a_row_with_neither_test_nor_reason_fails_the_page(tmp_path: pathlib.Path,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    page = generator()
    rows = page._beside("fault_rows")
    rows.ROWS = tuple((*row[:4], "" if row[0] == "W4" else row[4]) for row in rows.ROWS)
    files = {"fault_rows": rows, "fault_marks": page._beside("fault_marks")}
    monkeypatch.setattr(page, "_beside", files.__getitem__)
    tests = marked(tmp_path, "")
    with pytest.raises(ValueError, match="fault W4: neither a test nor a reason"):
        page.faults_page(tests)
    (tests / "test_w4.py").write_text("@pytest.mark.fault('W4')\ndef test_y(): ...")
    assert "`test_w4.py`: `test_y`" in page.faults_page(tests)
    rows.ROWS = tuple((*row[:4], "nobody wanted it") for row in rows.ROWS)
    text = page.faults_page(tests)
    assert text.count("nobody wanted it") == len(rows.ROWS) - 1
    assert "1 of 67 rows have a test." in text


def test_the_matrix_is_whole() -> None:
    rows = generator()._beside("fault_rows")
    names = [row[0] for row in rows.ROWS]
    assert len(names) == len(set(names)) == 67
    assert all(all(row[:4]) for row in rows.ROWS)
    assert list(rows.LAWS) == list(range(1, 13))


def controls() -> str:
    """The section of docs/operating.md that lists the guard's controls."""
    page = (DOCS / "operating.md").read_text(encoding="utf-8")
    return page.split("\n## Controls\n")[1].split("\n## ")[0]


def test_controls_name_tests_that_exist() -> None:
    named = set(re.findall(r"`(test_\w+)`", controls()))
    written = "".join(path.read_text(encoding="utf-8")
                      for path in (DOCS.parent / "tests").rglob("test_*.py"))
    assert len(named) > 20
    assert sorted(name for name in named if f"def {name}(" not in written) == []


def test_controls_name_settings_with_their_defaults() -> None:
    from hftbot.config.schema import keys
    section = controls()
    named = set(re.findall(r"`([A-Z_0-9]+)`", section)) - {"KILL"}
    assert sorted(named - set(keys())) == []
    told = re.findall(r"`([A-Z_0-9]+)` (\d+)", section.split("\n**Kills.**")[0])
    assert len(told) > 12
    assert [(name, default) for name, default in told if keys()[name].default != default] == []
    risk = {name for name, key in keys().items() if key.group == "risk"}
    assert sorted(risk - named) == []


def sections(page: pathlib.Path) -> list[str]:
    """The headings of a page as links name them; what stands in code blocks is none."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return [re.sub(r"[^\w\- ]", "", title).lower().replace(" ", "-")
            for title in re.findall(r"^#+ (.+)$", text, re.M)]


def broken(page: pathlib.Path) -> list[str]:
    """Links of a page whose place is not there."""
    found = []
    for file, section in re.findall(r"\]\(([\w./-]*)#([\w-]+)\)",
                                    page.read_text(encoding="utf-8")):
        target = page.parent / file if file else page
        if section not in sections(target):
            found.append(f"{page.name}: {file}#{section}")
    return found


def test_links_lead_to_sections_that_exist(tmp_path: pathlib.Path) -> None:
    pages = [DOCS.parent / "README.md", *DOCS.rglob("*.md")]
    assert [link for page in pages for link in broken(page)] == []
    planted = tmp_path / "page.md"
    planted.write_text("# Page\n\n[here](#page) [gone](#gone)\n```\n# gone\n```\n")
    assert broken(planted) == ["page.md: #gone"]


def test_operating_lists_all_its_sections() -> None:
    page = DOCS / "operating.md"
    contents = page.read_text(encoding="utf-8").split("\n## ")[0]
    assert re.findall(r"\(#([\w-]+)\)", contents)
    assert set(re.findall(r"\(#([\w-]+)\)", contents)) == set(sections(page)[1:])
