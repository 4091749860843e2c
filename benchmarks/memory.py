"""Memory of training: the peak above what the process holds before `fit`, for one long series; one JSON line.

    OMP_NUM_THREADS=1 python benchmarks/memory.py [--rows 2000000] [--max-minutes 1] [--source table|parquet|csv]

An hourly series of a time stamp and a value, 16 bytes a row. `table` hands `fit` an Arrow table that is already in
memory; the files are read by `fit` itself, so that the table counts as part of what it takes. The peak is the kernel's
(`VmHWM`), set back before `fit`; Linux only.
"""

import argparse
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from gatewise.data.table import write_table
from gatewise.tasks import Forecaster
from runner import emit, machine


def series(rows: int) -> pa.Table:
    """A daily and a weekly season, a random walk and noise."""
    rng = np.random.default_rng(0)
    hour = np.arange(rows)
    value = 100 + 20 * np.sin(2 * np.pi * hour / 24) + 10 * np.sin(2 * np.pi * hour / 168)
    value += 0.05 * rng.standard_normal(rows).cumsum() + rng.standard_normal(rows)
    return pa.table({"time": np.datetime64("1800-01-01T00:00", "us") + hour * np.timedelta64(60, "m"), "value": value})


def memory(field: str) -> float:
    """A field of the process's status in MB (10^6 bytes)."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1_024 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--horizon", type=int, default=24)
    parser.add_argument("--max-minutes", type=float, default=1.0)
    parser.add_argument("--source", choices=("table", "parquet", "csv"), default="table")
    options = parser.parse_args()
    table = series(options.rows)
    size = table.nbytes / 1e6
    # The first fit of a process loads what torch and scikit-learn load late: that is no part of the table's cost.
    Forecaster("value", 1, members=1, max_epochs=1).fit(table.slice(0, 200))
    with tempfile.TemporaryDirectory() as folder:
        source: Any = table
        if options.source != "table":
            source = Path(folder) / f"series.{options.source}"
            write_table(table, source)
            del table
        pa.default_memory_pool().release_unused()
        Path("/proc/self/clear_refs").write_text("5")  # sets VmHWM back to what is resident now
        before = memory("VmRSS")
        began = time.perf_counter()
        model = Forecaster("value", options.horizon, max_minutes=options.max_minutes).fit(source)
        seconds = time.perf_counter() - began
        extra = memory("VmHWM") - before
    found = {
        "rows": options.rows,
        "source": options.source,
        "table_mb": round(size, 1),
        "peak_above_mb": round(extra, 1),
        "peak_above_over_table": round(extra / size, 2),
        "seconds": round(seconds, 1),
        "recipe_season": model.recipe_.season,
        "members": len(model.fitted_.members),
    }
    emit({**found, **machine(1)})


if __name__ == "__main__":
    main()
