"""Stands in for the cython module where Cython is not installed (the interpreted rooms)."""

compiled = False
