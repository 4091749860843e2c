"""Data: tables, time lines, panels of series, ragged sequences, windows, scalers."""

from gatewise.data.panel import Panel, Roles, check_target
from gatewise.data.table import read_table, require_column, table_columns, write_table
from gatewise.data.timeline import Frequency, parse_times

__all__ = [
    "Frequency",
    "Panel",
    "Roles",
    "check_target",
    "parse_times",
    "read_table",
    "require_column",
    "table_columns",
    "write_table",
]
