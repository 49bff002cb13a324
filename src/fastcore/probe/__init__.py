"""Measuring: clock, stopwatch, histogram, trackers."""
