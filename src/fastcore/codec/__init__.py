"""Bytes to ticks and lots, and orders to text."""
