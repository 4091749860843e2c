"""How busy others keep the machine while something is measured."""

import os
from pathlib import Path

_STATISTICS = Path("/proc/stat")
_IDLE = (3, 4)  # of the first line's numbers: idle, and idle with input or output outstanding
_WHOLE = 8  # those after it are counted in the ones before as well


class Load:
    """The share of all cores that others took since this was made; Linux only."""

    def __init__(self) -> None:
        self._before = _busy(), _own()

    def others(self) -> float | None:
        """From 0 to 1, what a hypervisor gave to other machines included; None where it cannot be known."""
        (then, own_then), now = self._before, _busy()
        if then is None or now is None:
            return None
        (busy, total), (busy_then, total_then) = now, then
        if total <= total_then:
            return 0.0
        return round(max(0.0, busy - busy_then - (_own() - own_then)) / (total - total_then), 3)


def _busy() -> tuple[float, float] | None:
    """Seconds in which cores were busy, and all, since the machine started."""
    if not _STATISTICS.is_file():
        return None
    ticks = [int(text) for text in _STATISTICS.read_text("ascii").splitlines()[0].split()[1 : 1 + _WHOLE]]
    second = os.sysconf("SC_CLK_TCK")
    return (sum(ticks) - sum(ticks[place] for place in _IDLE)) / second, sum(ticks) / second


def _own() -> float:
    """Seconds of processor time of this process and the children that have ended."""
    return sum(os.times()[:4])
