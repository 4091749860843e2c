"""Data: tables, time lines, panels of series, ragged sequences, windows, scalers."""

from gatewise.data.examples import airline, airline_path
from gatewise.data.panel import Panel, Roles, check_target
from gatewise.data.scaling import Standardizer
from gatewise.data.sequences import Ragged
from gatewise.data.table import read_table, require_column, table_columns, write_table
from gatewise.data.timeline import Frequency, parse_times
from gatewise.data.transcripts import Transcripts, read_transcripts
from gatewise.data.ts import read_ts
from gatewise.data.windows import Windows

__all__ = [
    "Frequency",
    "Panel",
    "Ragged",
    "Roles",
    "Standardizer",
    "Transcripts",
    "Windows",
    "airline",
    "airline_path",
    "check_target",
    "parse_times",
    "read_table",
    "read_transcripts",
    "read_ts",
    "require_column",
    "table_columns",
    "write_table",
]
