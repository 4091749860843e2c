"""Where in each season a row lies: waves looked up by phase, so that nothing is kept a row.

Legend: S series, W waves.
"""

import numpy as np
import torch
from torch import Tensor

from gatewise.data.panel import Panel
from gatewise.data.timeline import Frequency
from gatewise.tasks.forecasting.rows import Places
from gatewise.tasks.forecasting.widths import harmonics

YEAR = 365.2425 * 86_400e6  # microseconds


class Calendar:
    """Sine and cosine, a few harmonics each, of where rows lie in seasonal periods, and in the year where `yearly`.

    Args:
        panel: the series; a row lies one step after the row before, so its phase follows from its series' first one.
        periods: in steps.
        yearly: whether the day of the year has a wave as well.
    """

    def __init__(self, panel: Panel, periods: tuple[int, ...], yearly: bool) -> None:
        self._times, self._yearly = panel.times, yearly
        self._periods = periods
        self._tables = [_waves(m) for m in periods]  # float32 `[m, W]` each
        self._first = torch.from_numpy(_steps(panel.times[panel.offsets[:-1]], panel.frequency))

    def waves(self, places: Places) -> list[Tensor]:
        """The waves at rows `[...]`, float32 `[..., W_k]` for each period and for the year."""
        steps = self._first[places.series] + places.rows - places.starts
        found = [table[steps % m] for m, table in zip(self._periods, self._tables, strict=True)]
        if self._yearly:
            times = self._times[places.rows.numpy()]
            since = (times - times.astype("datetime64[Y]")).astype("timedelta64[us]").astype(np.int64)
            angle = since * (2 * np.pi / YEAR)
            found.append(torch.from_numpy(np.stack([np.sin(angle), np.cos(angle)], -1).astype(np.float32)))
        return found


def _steps(times: np.ndarray, frequency: Frequency) -> np.ndarray:
    """How many steps after a fixed moment the times `[S]` lie, int64: every series has its seasons from there."""
    if frequency.is_calendar:
        return frequency.locate(np.datetime64("1970-01-01", "us"), times)[0].astype(np.int64)
    return np.asarray(times, np.int64) // frequency.count


def _waves(m: int) -> Tensor:
    """The waves of each phase of a period, float32 `[m, W]`."""
    phase = np.arange(m)
    waves = [wave((2 * np.pi * k / m) * phase) for k in range(1, harmonics(m) + 1) for wave in (np.sin, np.cos)]
    return torch.from_numpy(np.stack(waves, 1).astype(np.float32) if waves else np.zeros((m, 0), np.float32))
