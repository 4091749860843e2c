"""A long series is trained on in memory near the size of its table."""

import tracemalloc

import numpy as np
import pyarrow as pa

from gatewise.tasks import Forecaster

ROWS = 200_000
MOST = 2.4  # times the bytes of the table; measured 2.03, and one more float64 array of all rows would be 0.5


def hourly(rows: int) -> pa.Table:
    rng = np.random.default_rng(0)
    hour = np.arange(rows)
    value = 100 + 20 * np.sin(2 * np.pi * hour / 24) + 10 * np.sin(2 * np.pi * hour / 168) + rng.normal(size=rows)
    return pa.table({"time": np.datetime64("1980-01-01T00:00", "us") + hour * np.timedelta64(60, "m"), "value": value})


def test_a_whole_fit_takes_little_more_memory_than_the_table() -> None:
    """NumPy's memory: all that grows with the table is NumPy's. torch's is that of a batch, whatever the table."""
    Forecaster("value", 2, members=1, max_epochs=1).fit(hourly(400))  # what is imported late is no part of it
    table = hourly(ROWS)
    tracemalloc.start()
    try:
        model = Forecaster("value", 2, hidden_size=4, members=1, max_epochs=1).fit(table)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert model.rows_ == ROWS
    assert peak < MOST * table.nbytes, f"{peak / table.nbytes:.2f} times the table"
