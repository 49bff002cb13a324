"""What docs/seed_003.md names is there: its files, its tests, its settings and its words."""

from __future__ import annotations

import pathlib
import re

from hftbot.config.presets import preset
from hftbot.config.schema import keys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "seed_003.md").read_text(encoding="utf-8")


def test_every_file_and_test_it_names_exists() -> None:
    files = set(re.findall(r"`((?:strategy|app|bench)/\w+\.py)`", PAGE))
    assert len(files) > 7
    for name in files:
        assert (ROOT / name).exists() or (ROOT / "src" / "hftbot" / name).exists(), name
    written = "".join(path.read_text(encoding="utf-8")
                      for path in (ROOT / "tests").rglob("test_*.py"))
    for name in set(re.findall(r"`(test_\w+)`", PAGE)):
        assert f"def {name}(" in written, name


def test_every_setting_it_names_exists_and_has_the_value_it_tells() -> None:
    named = set(re.findall(r"`([A-Z][A-Z_]+[A-Z])(?:=[^`]*)?`", PAGE))
    assert len(named) > 15
    assert sorted(named - set(keys())) == []
    told = dict(re.findall(r"`([A-Z_]+)=([\w.]+)`", PAGE))
    in_force = {name: key.default for name, key in keys().items()} | dict(preset("micro_scalper"))
    wrong = {name: value for name, value in told.items()
             if name != "ENTRY_ORDER" and in_force[name] != value}
    assert wrong == {}


def test_the_figures_it_names_are_told() -> None:
    from hftbot.strategy.micro_scalper import MicroScalper
    told = MicroScalper(target_day=100).statistics()
    for word in ("executions", "velocity", "symbols", "hours", "hints", "throttled", "orders_most",
                 "late_orders", "refused"):
        assert f"`{word}`" in PAGE
        assert word in told
