"""The points of an InkML trace: what a trace format promises, and the notation in which a trace gives it.

W3C (2011), "Ink Markup Language (InkML)", sections 3.1 (trace formats) and 3.2.1 (traces).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gatewise.errors import DataError

EXPLICIT, DIFFERENCE, SECOND_DIFFERENCE = "!", "'", '"'

_VALUE = re.compile(
    r"""\s*
    (?P<order>[!'"])? \s*
    (?: (?P<sign>[-+])? \s*
        (?: \#(?P<hex>[0-9A-Fa-f]{1,64}) | (?P<number>(?: \d+ \.?\d* | \.\d+ ) (?: [eE][-+]?\d+ )?) )
      | (?P<word>[TF*?])
    ) \s*""",
    re.VERBOSE,
)

SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


@dataclass(frozen=True)
class Channel:
    """One of the numbers of a point: its name, and what turns it into ours (x right, y down, t in seconds)."""

    name: str
    factor: float = 1.0


@dataclass(frozen=True)
class TraceFormat:
    """Channels that every point has, in their order, and how many more a point may have."""

    regular: tuple[Channel, ...] = (Channel("X"), Channel("Y"))
    n_intermittent: int = 0

    def __post_init__(self) -> None:
        names = [channel.name for channel in self.regular]
        for name in ("X", "Y"):
            if names.count(name) != 1:
                raise DataError(
                    f"the trace format has {names.count(name)} regular channels {name} among {', '.join(names)}: "
                    "expected one X and one Y"
                )
        if names.count("T") > 1:
            raise DataError("the trace format has more than one channel T")

    @property
    def columns(self) -> tuple[int, ...]:
        """Where X, Y and, if there is one, T stand among the regular channels."""
        names = [channel.name for channel in self.regular]
        return tuple(names.index(name) for name in ("X", "Y", "T") if name in names)


@dataclass
class _Course:
    """What one channel has come to in a trace."""

    value: float = 0.0
    speed: float = 0.0
    given: float = 0.0  # what the newest difference was
    order: str = EXPLICIT
    begun: bool = False

    def take(self, order: str | None, number: float | None, where: str) -> float:
        """The channel's next value; no number is the wildcard, which goes on as before."""
        self.order = order or self.order
        if not self.begun and (self.order != EXPLICIT or number is None):
            raise DataError(f"{where}: the first point of a trace has to be explicit, not a difference from nothing")
        before = self.value
        if self.order == EXPLICIT:
            self.value = before if number is None else number
            self.speed = self.value - before if self.begun else 0.0
        elif self.order == DIFFERENCE:
            self.speed = self.speed if number is None else number
            self.value = before + self.speed
        else:
            self.given = self.given if number is None else number
            self.speed += self.given
            self.value = before + self.speed
        self.begun = True
        return self.value


def read_trace(text: str, form: TraceFormat, where: str) -> list[list[float]]:
    """The points x, y and, if the format has one, t of a trace.

    Args:
        text: the content of a trace: points separated by commas.
        form: what a point has.
        where: what stands in messages for the trace.

    Raises:
        DataError: there is no point, something that is no value, a point of more or fewer values than the format says,
            a first point that is not explicit, or a place or time that is not known.

    >>> read_trace("1125 18432,'23'43,\\"7\\"-8,3-5", TraceFormat(), "trace 1")
    [[1125.0, 18432.0], [1148.0, 18475.0], [1178.0, 18510.0], [1211.0, 18540.0]]
    """
    body = text.strip()
    if not body:
        raise DataError(f"{where} has no points: expected at least one")
    courses = [_Course() for _ in form.regular]
    points = []
    for number, part in enumerate(body.removesuffix(",").split(","), 1):
        place = f"{where}, point {number}"
        values = list(_values(part, place))
        least, most = len(courses), len(courses) + form.n_intermittent
        if not least <= len(values) <= most:
            names = " ".join(channel.name for channel in form.regular)
            more = f" and at most {form.n_intermittent} more" if form.n_intermittent else ""
            raise DataError(f"{place}: got {len(values)} values, expected {least} ({names}){more}")
        for index, (course, channel) in enumerate(zip(courses, form.regular, strict=True)):
            order, number_or_word = values[index]
            if isinstance(number_or_word, float):
                course.take(order, number_or_word, place)
            elif number_or_word == "*":
                course.take(order, None, place)
            elif index in form.columns:
                raise DataError(f'{place}: channel {channel.name} is "{number_or_word}", expected a number')
        points.append([courses[i].value * form.regular[i].factor for i in form.columns])
    return points


def _values(part: str, where: str) -> Iterator[tuple[str | None, float | str]]:
    at = 0
    while at < len(part):
        match = _VALUE.match(part, at)
        if match is None:
            raise DataError(
                f'{where}: expected a value such as 12, -3.5, \'4, "-1 or *, got "{part[at:].strip()[:40]}"'
            )
        sign = -1.0 if match["sign"] == "-" else 1.0
        if match["word"]:
            yield match["order"], match["word"]
        elif match["hex"]:
            yield match["order"], sign * float.fromhex(match["hex"])
        else:
            yield match["order"], sign * float(match["number"])
        at = match.end()
