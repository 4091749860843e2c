"""Data that ships with the package."""

from pathlib import Path

import pyarrow as pa

from gatewise.data.table import read_table


def airline_path() -> Path:
    """The file behind `airline`."""
    return Path(__file__).with_name("airline.csv")


def airline() -> pa.Table:
    """International airline passengers, monthly totals in thousands, January 1949 to December 1960.

    144 rows, columns `month` and `passengers`. Box, G. E. P. & Jenkins, G. M. (1976), Time Series Analysis: Forecasting
    and Control, revised edition, Holden-Day: series G.

    >>> airline().slice(0, 2).to_pylist()
    [{'month': '1949-01', 'passengers': 112}, {'month': '1949-02', 'passengers': 118}]
    """
    return read_table(airline_path())
