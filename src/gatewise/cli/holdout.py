"""Keep the last rows of each series out of a training, to be forecast afterwards."""

from importlib.util import find_spec

import numpy as np
import pyarrow as pa

from gatewise.data.columns import find_time_column, numeric_column, series_codes
from gatewise.data.panel import Roles
from gatewise.data.table import require_column
from gatewise.data.timeline import read_times
from gatewise.errors import ConfigurationError, DataError


def without_last(table: pa.Table, roles: Roles, n: int) -> pa.Table:
    """The table without what is later than all but the last `n` time stamps with a known target, series by series.

    Raises:
        DataError: a missing or unreadable column, or a series that would lose all its known targets.

    >>> table = pa.table({"year": [1949, 1950, 1951, 1952], "sales": [1.0, 2.0, 3.0, None]})
    >>> without_last(table, Roles("sales"), 2)["year"].to_pylist()
    [1949]
    """
    for name, role in ((roles.target, "target"), (roles.time, "time"), (roles.id, "id")):
        if name is not None:
            require_column(table, name, role)
    known = ~np.isnan(numeric_column(table.column(roles.target), roles.target, "target"))
    time = roles.time or find_time_column(table, roles.names)
    times = np.arange(table.num_rows) if time is None else read_times(table.column(time), time)[0]
    series, ids = (
        (np.zeros(table.num_rows, np.int64), ("",))
        if roles.id is None
        else series_codes(table.column(roles.id), roles.id)
    )
    kept = np.zeros(table.num_rows, bool)
    for i, name in enumerate(ids):
        rows = series == i
        stamps = np.unique(times[rows & known])
        if len(stamps) <= n:
            who = f'series "{name}"' if name else "the table"
            raise DataError(
                f"{who} has {len(stamps)} rows with a known target, of which --holdout {n} leaves none to train on; "
                "hold out fewer"
            )
        kept |= rows & (times <= stamps[-n - 1])
    return table.filter(pa.array(kept))


def check_holdout(holdout: int, horizon: int) -> int:
    """The number of forecasts, one horizon apart, that fill the held-out rows.

    Raises:
        ConfigurationError: the held-out rows are not whole horizons.

    >>> check_holdout(336, 48)
    7
    """
    if holdout < 0 or (horizon > 0 and holdout % horizon):
        raise ConfigurationError(
            f"--holdout is {holdout}, expected 0 or a multiple of the horizon ({horizon}), such as {horizon}"
        )
    return holdout // horizon if horizon > 0 else 0


def check_leaderboard(holdout: int) -> None:
    """Refuse a leaderboard that could not be made after the training, before it: `ConfigurationError`."""
    if not holdout:
        raise ConfigurationError("--leaderboard scores rows that were held out: say how many with --holdout")
    if find_spec("statsforecast") is None:
        raise ConfigurationError(
            '--leaderboard needs statsforecast, which is not installed: pip install "gatewise[leaderboard]"'
        )
