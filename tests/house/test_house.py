"""The house rules hold in this project, and each rule is proved by planted violations."""

from __future__ import annotations

import importlib
import pathlib
from collections.abc import Callable, Iterator

import doors
import floors
import pytest
import shapes
from plants import INNOCENT, PLANTS, Plant
from tree import Tree

ROOT = pathlib.Path(__file__).resolve().parents[2]
Rule = Callable[[Tree], Iterator[str]]
RULES: dict[str, Rule] = {rule.__name__: rule
                          for rule in (*floors.RULES, *shapes.RULES, *doors.RULES)}
PLANTED = [pytest.param(name, plant, id=f"{name}-{number}")
           for name, plants in PLANTS.items() for number, plant in enumerate(plants)]


@pytest.fixture(scope="session")
def house() -> Tree:
    """The project itself, read once."""
    return Tree(ROOT)


def planted(folder: pathlib.Path, files: dict[str, str]) -> Tree:
    """A small tree with these files."""
    for shown, text in files.items():
        path = folder / shown
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Tree(folder)


@pytest.mark.parametrize("name", RULES)
def test_rule_holds(name: str, house: Tree) -> None:
    """The whole project keeps the rule; the failure lists every place that does not."""
    found = list(RULES[name](house))
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(("name", "plant"), PLANTED)
def test_rule_bites(name: str, plant: Plant, tmp_path: pathlib.Path) -> None:
    """A planted violation is found, and named with its place."""
    files, words = plant
    found = list(RULES[name](planted(tmp_path, files)))
    assert any(words in line for line in found), found
    assert all(":" in line for line in found)


def test_every_rule_is_planted() -> None:
    """No rule without proof, no proof without a rule."""
    assert set(PLANTS) == set(RULES)


def test_innocent_tree_is_in_order(tmp_path: pathlib.Path) -> None:
    """What only looks like a violation is let pass by every rule."""
    tree = planted(tmp_path, INNOCENT)
    found = [line for rule in RULES.values() for line in rule(tree)]
    assert not found, "\n" + "\n".join(found)


def test_doors_open() -> None:
    """Every name that hftbot offers can be fetched."""
    hftbot = importlib.import_module("hftbot")
    for name in hftbot.__all__:
        assert getattr(hftbot, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Gone'"):
        _ = hftbot.Gone


def test_every_room_of_the_table_is_known() -> None:
    """The import table names only rooms that it holds itself."""
    known = set(floors.MAY_IMPORT) | {"*"}
    assert all(set(row) <= known for row in floors.MAY_IMPORT.values())
