"""One sequence, and what a labeller says of its steps, as a report shows it."""

from dataclasses import dataclass

from gatewise.errors import ConfigurationError
from gatewise.reports.record import Record
from gatewise.reports.values import Values, numbers, same_length, table


@dataclass(frozen=True)
class Track(Record):
    """A sequence over time, and under it labels or values of its steps.

    `signal` is [T, X] with one name a column in `channels`. `said` is what the model says, in a word or two. Of labels
    `predicted` and `truth` are [T], numbers of `labels`, -1 where there is none; of values `values` and `true_values`
    are [T]. `truth` and `true_values` are empty where nothing is known. `threshold` is drawn as a level.

    Raises:
        ConfigurationError: lengths that do not fit together, or a label's number that is none.

    >>> Track("a", ((0.0,), (1.0,)), ("x",), "label", labels=("low", "high"), predicted=(0, 1)).truth
    ()
    """

    name: str
    signal: tuple[Values, ...]
    channels: tuple[str, ...]
    said: str
    labels: tuple[str, ...] = ()
    predicted: tuple[int, ...] = ()
    truth: tuple[int, ...] = ()
    values: Values = ()
    true_values: Values = ()
    threshold: float | None = None

    def __post_init__(self) -> None:
        where = f'Track "{self.name}"'
        object.__setattr__(self, "signal", table(self.signal, f"{where}.signal"))
        object.__setattr__(self, "channels", tuple(self.channels))
        object.__setattr__(self, "labels", tuple(str(label) for label in self.labels))
        for name in ("predicted", "truth"):
            object.__setattr__(self, name, tuple(int(number) for number in getattr(self, name)))
        for name in ("values", "true_values"):
            object.__setattr__(self, name, numbers(getattr(self, name), f"{where}.{name}"))
        if not self.signal:
            raise ConfigurationError(f"{where}: expected at least one step")
        for row in self.signal:
            same_length(len(self.channels), "channels", where, **{"a row of the signal": row})
        for name in ("predicted", "truth", "values", "true_values"):
            if getattr(self, name):
                same_length(len(self.signal), "the signal", where, **{name: getattr(self, name)})
        wrong = [number for number in (*self.predicted, *self.truth) if not -1 <= number < len(self.labels)]
        if wrong:
            raise ConfigurationError(f"{where}: expected numbers of {len(self.labels)} labels, or -1, got {wrong[0]}")
