"""Tests of cells one has written: `check_cell` proves what a cell's equations promise to everything made of them."""

from gatewise.testing.check import Report, check_cell

__all__ = ["Report", "check_cell"]
