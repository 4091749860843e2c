"""Times as reports hold them: ISO 8601 strings or whole numbers, read for plotting and shortened for reading."""

from collections.abc import Sequence
from datetime import datetime

from gatewise.errors import ConfigurationError

Times = tuple[str | int, ...]


def read(times: Sequence[str | int], where: str = "times") -> list[datetime] | list[int]:
    """Times as wall-clock datetimes (with the offset of the first one, if it has one) or as whole numbers.

    >>> read(("1960-01", "1960-02-01T12:00"))
    [datetime.datetime(1960, 1, 1, 0, 0), datetime.datetime(1960, 2, 1, 12, 0)]
    >>> read((0, 1))
    [0, 1]

    Raises:
        ConfigurationError: strings and numbers mixed, a string that is no ISO 8601 time, or offsets only now and then.
    """
    numbers = [time for time in times if isinstance(time, int)]
    if len(numbers) == len(times):
        return numbers
    if numbers:
        raise ConfigurationError(f"{where}: expected either ISO 8601 strings or whole numbers, got both")
    moments = [_moment(str(time), where) for time in times]
    zone = moments[0].tzinfo
    if any((moment.tzinfo is None) != (zone is None) for moment in moments):
        raise ConfigurationError(f"{where}: expected an offset from UTC on all times or on none, got both")
    if zone is None:
        return moments
    # One fixed offset keeps the axis increasing where a clock is set back.
    return [moment.astimezone(zone).replace(tzinfo=None) for moment in moments]


def _moment(time: str, where: str) -> datetime:
    try:
        # Python reads no year-month, which is how monthly data is often written.
        return datetime.fromisoformat(f"{time}-01" if len(time) == 7 and time[4] == "-" else time)
    except ValueError:
        raise ConfigurationError(
            f'{where}: expected ISO 8601 times such as "2024-03-01T12:30" or whole numbers, got {time!r}'
        ) from None


def labels(times: Sequence[str | int]) -> list[str]:
    """Times as short text: as much of the date and the clock as these times need.

    >>> labels(("1960-01-01T00:00:00", "1960-02-01T00:00:00"))
    ['1960-01', '1960-02']
    >>> labels(("2024-03-01T00:00:00", "2024-03-01T00:30:00"))
    ['2024-03-01 00:00', '2024-03-01 00:30']
    """
    moments = read(times)
    clocks = [moment for moment in moments if isinstance(moment, datetime)]
    if not clocks:
        return [str(moment) for moment in moments]
    seconds = any(moment.second or moment.microsecond for moment in clocks)
    clock = any(moment.hour or moment.minute for moment in clocks)
    days = any(moment.day != 1 for moment in clocks) or (len(clocks) == 1 and len(str(times[0])) != 7)
    # Cut from isoformat, not strftime, which drops leading zeros of early years on some systems.
    length = 19 if seconds else 16 if clock else 10 if days else 7
    return [moment.isoformat(" ")[:length] for moment in clocks]
