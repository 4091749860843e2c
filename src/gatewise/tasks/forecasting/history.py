"""What a table has to hold for a forecaster to be trained on it, or to forecast from it."""

from collections.abc import Sequence

from gatewise.data.panel import Panel
from gatewise.errors import DataError


def check_training(panel: Panel, horizon: int) -> None:
    """Refuse series too short to train on, with `DataError`."""
    needed = 2 * horizon + 8
    for i, n in enumerate(panel.observed_lengths):
        if n < needed:
            raise DataError(
                f'{_series(panel, i)} has {n} rows with a known "{panel.roles.target}", but a horizon of {horizon} '
                f"needs at least {needed} (two horizons and a window of 8); give more rows or a shorter horizon"
            )


def check_history(panel: Panel, fewest: int) -> None:
    """Refuse series too short to forecast from, with `DataError`."""
    for i, n in enumerate(panel.observed_lengths):
        if n < fewest:
            raise DataError(
                f'{_series(panel, i)} has {n} rows with a known "{panel.roles.target}": this model needs a history of '
                f"at least {fewest} to forecast from"
            )


def check_future(panel: Panel, names: Sequence[str], horizon: int) -> None:
    """Refuse a table whose future covariates end before the horizon does, with `DataError`."""
    if not names:
        return
    for i, (n, k) in enumerate(zip(panel.lengths, panel.observed_lengths, strict=True)):
        if n - k < horizon:
            of = f' of series "{panel.ids[i]}"' if panel.roles.id else ""
            raise DataError(
                f"the future covariates ({', '.join(names)}) have to be known for the {horizon} steps to forecast, but "
                f'the table holds {n - k} rows after the last known "{panel.roles.target}"{of}; add rows with the '
                "covariates and an empty target"
            )


def _series(panel: Panel, i: int) -> str:
    return f'series "{panel.ids[i]}"' if panel.roles.id else "the series"
