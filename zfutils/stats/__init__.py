"""Intervals for everything that is measured, what a design could have seen, and numbers in words."""
