import tracemalloc
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewise.data import Panel, Roles, Windows
from gatewise.errors import DataError


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.integers(1, 5), st.integers(1, 4))
def test_all_windows_inside_series_and_no_others(lengths, length, stride):
    offsets = np.append(0, np.cumsum(lengths))
    expected = [
        slice(begin, begin + length) for a, b in pairwise(offsets) for begin in range(a, b - length + 1, stride)
    ]
    windows = Windows(offsets, length, stride)
    assert len(windows) == len(expected)
    assert [windows[k] for k in range(len(windows))] == expected
    array = np.arange(offsets[-1] * 2).reshape(-1, 2)
    order = np.random.default_rng(0).permutation(len(windows))
    batch = windows.gather(array, order)
    assert batch.shape == (length, len(windows), 2)
    for column, k in enumerate(order):
        np.testing.assert_array_equal(batch[:, column], array[expected[k]])
        assert windows.series_of(k) == np.searchsorted(offsets, expected[k].start, side="right") - 1


def test_arrays_of_any_layout():
    windows = Windows(np.array([0, 3, 8]), 2)
    base = np.arange(48.0).reshape(8, 6)
    for array in (base[:, ::2], base[:, 0], np.asfortranarray(base), base[::-1], base.astype(np.int32)):
        batch = windows.gather(array, [0, 3])
        np.testing.assert_array_equal(batch, np.stack([array[0:2], array[4:6]], axis=1))
        batch[:] = 0  # a copy of its own
    assert base[0, 1] == 1


def test_errors():
    windows = Windows(np.array([0, 4]), 2)
    for bad in ({"length": 0}, {"length": 2, "stride": 0}):
        with pytest.raises(DataError, match="at least 1; got 0"):
            Windows(np.array([0, 4]), **bad)
    with pytest.raises(DataError, match="4 rows; the array has 5"):
        windows.gather(np.zeros(5), [0])
    for k in (3, -1):
        with pytest.raises(IndexError, match=f"3 windows; got the index {k}"):
            windows.starts(k)
    with pytest.raises(IndexError):
        windows[3]
    assert windows[-1] == slice(2, 4)


def test_two_million_rows_take_little_more_memory_than_their_table():
    count, length = 2_000_000, 168
    table = pa.table(
        {
            "t": np.datetime64("2020-01-01", "us") + np.arange(count) * np.timedelta64(60_000_000, "us"),
            "y": np.sin(np.arange(count)),
        }
    )
    tracemalloc.start()
    panel = Panel.from_table(table, Roles("y"))
    after_reading, peak_reading = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    windows = Windows(panel.offsets, length)
    rng = np.random.default_rng(0)
    for starts in rng.integers(0, len(windows), (20, 64)):
        windows.gather(panel.target, starts)
    peak_gathering = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    starts = np.array([0, len(windows) - 1])
    batch = windows.gather(panel.target, starts)
    np.testing.assert_array_equal(batch[:, 1], panel.target[-length:])
    assert len(windows) == count - length + 1
    # arrow's own memory is not traced: the table is another 32 MB
    assert after_reading < 1.5 * table.nbytes
    assert peak_reading < 5 * table.nbytes
    assert peak_gathering - after_reading < 2_000_000  # some batches of 64 x 168 x 8 bytes; all windows are 2.7 GB
