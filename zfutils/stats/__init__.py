"""Intervals and tests for everything that is measured, and numbers in words."""
