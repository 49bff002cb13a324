"""The interpreted twins: apart from the compiled rooms, and a family among themselves."""

import importlib
import sys

import pytest

import fastcore
from twins import BOTH, both, interpreted

compiled_only = pytest.mark.skipif(not fastcore.compiled, reason="everything is interpreted here")


def test_both_has_an_entry_for_each_name():
    assert len(both("fastcore.probe.clock")) == len(BOTH)


@compiled_only
def test_twin_is_the_source_and_leaves_the_compiled_room_in_place():
    before = importlib.import_module("fastcore.probe.trackers")
    twin = interpreted("fastcore.probe.trackers")
    assert twin is not before
    assert twin.__file__.endswith("trackers.py")
    assert not before.__file__.endswith(".py")
    assert sys.modules["fastcore.probe.trackers"] is before
    assert fastcore.probe.trackers is before
    assert not any(isinstance(finder, fastcore._SourceFinder) for finder in sys.meta_path)


@compiled_only
def test_twins_import_each_other_and_only_once():
    trackers = interpreted("fastcore.probe.trackers")
    histogram = interpreted("fastcore.probe.histogram")
    assert trackers.room is histogram
    assert interpreted("fastcore.probe.trackers") is trackers
    assert isinstance(trackers.Trackers().get("risk_check"), histogram.Histogram)


@compiled_only
def test_failed_import_restores_the_compiled_rooms():
    before = importlib.import_module("fastcore.probe.clock")
    with pytest.raises(ModuleNotFoundError):
        interpreted("fastcore.probe.no_such_room")
    assert importlib.import_module("fastcore.probe.clock") is before
    assert fastcore.probe.clock is before


@compiled_only
def test_room_that_should_be_compiled_and_is_not_is_refused(monkeypatch):
    twin = interpreted("fastcore.probe.clock")
    monkeypatch.setitem(sys.modules, "fastcore.probe.clock", twin)
    with pytest.raises(ImportError, match="not compiled"):
        both("fastcore.probe.clock")
