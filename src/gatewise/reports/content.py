"""What a report says, as plain data: this room draws it and knows nothing of estimators.

Numbers may come as any sequence or NumPy array; they are kept as tuples of Python floats, with None where a value is
missing or not finite, so that every record turns into JSON and back unchanged.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from gatewise.errors import ConfigurationError
from gatewise.reports.calibration import CalibrationBins
from gatewise.reports.reading import Reading
from gatewise.reports.record import Record
from gatewise.reports.timeline import Times
from gatewise.reports.track import Track
from gatewise.reports.values import Values, numbers, same_length, table, times_of


@dataclass(frozen=True)
class Metric(Record):
    """One column of a metrics table: its usual name, and which direction is better."""

    name: str
    better: Literal["lower", "higher"] = "lower"

    def __post_init__(self) -> None:
        if self.better not in ("lower", "higher"):
            raise ConfigurationError(f'metric "{self.name}": better is "lower" or "higher", got {self.better!r}')


@dataclass(frozen=True)
class MetricsTable(Record):
    """Methods in rows, metrics in columns; `values` is [rows, columns], None where a metric was not computed.

    >>> table = MetricsTable(("gatewise", "seasonal naive"), (Metric("MAPE %"),), ((3.4,), (9.99,)))
    >>> table.best(0)
    (0,)
    """

    rows: tuple[str, ...]
    columns: tuple[Metric, ...]
    values: tuple[Values, ...]

    def __post_init__(self) -> None:
        where = "MetricsTable"
        object.__setattr__(self, "rows", tuple(self.rows))
        object.__setattr__(self, "columns", tuple(self.columns))
        object.__setattr__(self, "values", table(self.values, f"{where}.values"))
        same_length(len(self.rows), "rows", where, values=self.values)
        for row in self.values:
            same_length(len(self.columns), "columns", where, **{"a row of values": row})

    def best(self, column: int) -> tuple[int, ...]:
        """The rows with the best value of a column; none where there is nothing to compare."""
        values = {k: row[column] for k, row in enumerate(self.values)}
        known = {k: value for k, value in values.items() if value is not None}
        if len(known) < 2:
            return ()
        target = min(known.values()) if self.columns[column].better == "lower" else max(known.values())
        return tuple(k for k, value in known.items() if value == target)


@dataclass(frozen=True)
class Curve(Record):
    """One training run: loss and validation metric of each epoch (from epoch 1), and the epoch that was kept."""

    name: str
    training: Values
    validation: Values = ()
    best_epoch: int | None = None

    def __post_init__(self) -> None:
        where = f'Curve "{self.name}"'
        object.__setattr__(self, "training", numbers(self.training, f"{where}.training"))
        object.__setattr__(self, "validation", numbers(self.validation, f"{where}.validation"))
        if self.validation:
            same_length(len(self.training), "training", where, validation=self.validation)
        if self.best_epoch is not None and not 1 <= self.best_epoch <= len(self.training):
            raise ConfigurationError(
                f"{where}: expected best_epoch within 1 to {len(self.training)}, got {self.best_epoch}"
            )


@dataclass(frozen=True)
class LossCurves(Record):
    """The training runs behind a model (several for an ensemble), and what was measured in them.

    >>> LossCurves((Curve("member 1", (0.9, 0.5), (1.1, 0.8), best_epoch=2),), validation="validation MAE").runs[0].name
    'member 1'
    """

    runs: tuple[Curve, ...]
    loss: str = "training loss"
    validation: str = "validation loss"

    def __post_init__(self) -> None:
        object.__setattr__(self, "runs", tuple(self.runs))


@dataclass(frozen=True)
class ForecastPanel(Record):
    """One series: what was known, what was forecast, and (where known) what came.

    `history_times` and `history` are [T]; `times`, `forecast`, `truth`, `baseline` and each entry of `quantiles` are
    [leads]. Times are ISO 8601 strings or whole numbers. `truth` and `baseline` may be empty. `target` names the
    forecast column and `unit` what it is measured in; `origin` is the time from which the forecast was made
    (default: the last time of the history).

    >>> panel = ForecastPanel("shop 1", ("2024-01", "2024-02"), (3, 4), ("2024-03",), (4.5,),
    ...                       truth=(5,), quantiles={0.9: (6,), 0.1: (4,)})
    >>> list(panel.quantiles), panel.origin
    ([0.1, 0.9], '2024-02')

    Raises:
        ConfigurationError: lengths that do not fit together, or a quantile level outside 0 to 1.
    """

    series: str
    history_times: Times
    history: Values
    times: Times
    forecast: Values
    truth: Values = ()
    quantiles: Mapping[float, Values] = field(default_factory=dict)
    baseline: Values = ()
    baseline_name: str = "baseline"
    target: str = "value"
    unit: str = ""
    origin: str | int | None = None

    def __post_init__(self) -> None:
        where = f'ForecastPanel "{self.series}"'
        for name in ("history_times", "times"):
            object.__setattr__(self, name, times_of(getattr(self, name), f"{where}.{name}"))
        for name in ("history", "forecast", "truth", "baseline"):
            object.__setattr__(self, name, numbers(getattr(self, name), f"{where}.{name}"))
        levels = {float(level): values for level, values in self.quantiles.items()}
        for level in levels:
            if not 0 < level < 1:
                raise ConfigurationError(f"{where}: expected quantile levels between 0 and 1, got {level}")
        bands = {level: numbers(levels[level], f"{where}.quantiles") for level in sorted(levels)}
        object.__setattr__(self, "quantiles", bands)
        if not self.times:
            raise ConfigurationError(f"{where}: expected at least one forecast time, got none")
        times_of((*self.history_times, *self.times), f"{where}.times")
        same_length(len(self.history_times), "history_times", where, history=self.history)
        same_length(len(self.times), "times", where, forecast=self.forecast)
        same_length(len(self.times), "times", where, **{f"quantile {level}": band for level, band in bands.items()})
        for name in ("truth", "baseline"):
            if getattr(self, name):
                same_length(len(self.times), "times", where, **{name: getattr(self, name)})
        if self.origin is None and self.history_times:
            object.__setattr__(self, "origin", self.history_times[-1])

    def bands(self) -> tuple[tuple[float, float], ...]:
        """Pairs of lower and upper quantile level, the widest pair first.

        >>> ForecastPanel("s", (), (), (1,), (1.0,), quantiles={0.1: (0,), 0.5: (1,), 0.9: (2,)}).bands()
        ((0.1, 0.9),)
        """
        levels = list(self.quantiles)
        return tuple((levels[k], levels[-1 - k]) for k in range(len(levels) // 2))


@dataclass(frozen=True)
class ConfusionMatrix(Record):
    """`counts` is [K, K]: true classes in rows, predicted classes in columns.

    >>> matrix = ConfusionMatrix(("a", "b"), ((3, 1), (0, 4)))
    >>> matrix.accuracy, matrix.recall(0)
    (0.875, 0.75)
    """

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        where = "ConfusionMatrix"
        object.__setattr__(self, "labels", tuple(str(label) for label in self.labels))
        object.__setattr__(self, "counts", tuple(tuple(int(count) for count in row) for row in self.counts))
        same_length(len(self.labels), "labels", where, counts=self.counts)
        for row in self.counts:
            same_length(len(self.labels), "labels", where, **{"a row of counts": row})
            if min(row) < 0:
                raise ConfigurationError(f"{where}: expected counts of at least 0, got {min(row)}")

    @property
    def accuracy(self) -> float | None:
        """Share of the diagonal; None without any count."""
        total = sum(map(sum, self.counts))
        return sum(row[k] for k, row in enumerate(self.counts)) / total if total else None

    def recall(self, k: int) -> float | None:
        """Share of class `k` that was found; None where the class does not occur."""
        total = sum(self.counts[k])
        return self.counts[k][k] / total if total else None

    def confusions(self) -> tuple[tuple[int, int, int], ...]:
        """(true, predicted, count) of every confusion that occurs, the most frequent first."""
        pairs = [(k, j, count) for k, row in enumerate(self.counts) for j, count in enumerate(row) if count and j != k]
        return tuple(sorted(pairs, key=lambda pair: -pair[2]))


GATES: Mapping[str, str] = {"i": "input gate", "f": "forget gate", "o": "output gate", "c": "cell state"}


@dataclass(frozen=True)
class CellTrace(Record):
    """A look into the cell: what the gates and cells of some units did over one sequence.

    `inputs` is [T, X] with one name a column in `input_names`; `gates` maps i, f, o (all within 0 to 1) and c to
    [T, units]; `units` numbers the shown hidden units, of `of_units` in the layer. `times` may be empty: steps then
    count from 0. `most_active` chooses the units.

    Raises:
        ConfigurationError: lengths that do not fit together, an unknown gate, c missing, a gate outside 0 to 1.
    """

    title: str
    inputs: tuple[Values, ...]
    input_names: tuple[str, ...]
    gates: Mapping[str, tuple[Values, ...]]
    units: tuple[int, ...]
    of_units: int
    times: Times = ()

    def __post_init__(self) -> None:
        where = f'CellTrace "{self.title}"'
        object.__setattr__(self, "inputs", table(self.inputs, f"{where}.inputs"))
        object.__setattr__(self, "input_names", tuple(self.input_names))
        for name in self.gates:
            if name not in GATES:
                raise ConfigurationError(f'{where}: unknown gate "{name}"; expected some of {", ".join(GATES)}')
        if "c" not in self.gates:
            raise ConfigurationError(f"{where}: expected the cell state c among the gates, got {list(self.gates)}")
        gates = {name: table(self.gates[name], f"{where}.gates.{name}") for name in GATES if name in self.gates}
        object.__setattr__(self, "gates", gates)
        object.__setattr__(self, "units", tuple(int(unit) for unit in self.units))
        object.__setattr__(self, "times", times_of(self.times, f"{where}.times"))
        if not self.inputs or not self.units:
            raise ConfigurationError(f"{where}: expected at least one time step and one unit")
        if self.times:
            same_length(len(self.inputs), "inputs", where, times=self.times)
        for row in self.inputs:
            same_length(len(self.input_names), "input_names", where, **{"a row of inputs": row})
        for name, rows in gates.items():
            same_length(len(self.inputs), "inputs", where, **{f"gate {name}": rows})
            for row in rows:
                same_length(len(self.units), "units", where, **{f"a row of gate {name}": row})
                outside = [value for value in row if value is not None and not -1e-6 <= value <= 1 + 1e-6]
                if name != "c" and outside:
                    raise ConfigurationError(f"{where}: expected gate {name} within 0 to 1, got {outside[0]}")

    @classmethod
    def most_active(
        cls,
        title: str,
        inputs: Any,
        input_names: Iterable[str],
        gates: Mapping[str, Any],
        *,
        times: Iterable[str | int] = (),
        count: int = 16,
    ) -> "CellTrace":
        """A trace of the `count` units whose cell state varies most over time, the most active first.

        `inputs` is [T, X] and each entry of `gates` [T, units], as arrays or nested sequences.

        >>> c = [[0.0, 1.0, -3.0], [0.1, -1.0, 3.0]]
        >>> CellTrace.most_active("demo", [[1], [2]], ["x"], {"c": c}, count=2).units
        (2, 1)
        """
        tables = {name: table(rows, f'CellTrace "{title}".gates.{name}') for name, rows in gates.items()}
        of_units = len(tables["c"][0]) if tables.get("c") else 0
        for name, rows in tables.items():
            for row in rows:
                same_length(of_units, "the cell state c", f'CellTrace "{title}"', **{f"a row of gate {name}": row})
        variances = [_variance([row[unit] for row in tables["c"]]) for unit in range(of_units)]
        units = tuple(sorted(range(of_units), key=lambda unit: (-variances[unit], unit))[:count])
        chosen = {name: tuple(tuple(row[unit] for unit in units) for row in rows) for name, rows in tables.items()}
        return cls(
            title=title,
            inputs=inputs,
            input_names=tuple(input_names),
            gates=chosen,
            units=units,
            of_units=of_units,
            times=tuple(times),
        )

    def longest_memory(self) -> tuple[int, float, float] | None:
        """(unit, mean forget gate, half-life in steps) of the shown unit that forgets least; None without gate f.

        The mean is geometric, because over the sequence a cell's content is multiplied by the product of f; half of it
        is left after log(1/2) / log(mean) steps.
        """
        if "f" not in self.gates:
            return None
        means = []
        for k in range(len(self.units)):
            column = [row[k] for row in self.gates["f"]]
            known = [max(value, 1e-12) for value in column if value is not None]
            means.append(math.exp(sum(map(math.log, known)) / len(known)) if known else 0.0)
        best = max(range(len(means)), key=means.__getitem__)
        mean = min(means[best], 1.0)
        if mean <= 0:
            return None
        return self.units[best], mean, math.log(0.5) / math.log(mean) if mean < 1 else math.inf


def _variance(values: list[float | None]) -> float:
    known = [value for value in values if value is not None]
    mean = math.fsum(known) / max(len(known), 1)
    return math.fsum((value - mean) ** 2 for value in known) / max(len(known), 1)


Task = Literal["forecast", "classify", "generate", "label", "transcribe"]


@dataclass(frozen=True)
class Report(Record):
    """Everything one report shows; parts that are None or empty are left out.

    `facts` are (label, value) pairs about data, model and training; `notes` are whole sentences. Every panel in
    `forecasts` is drawn (about 40 kB each), so choose some where there are hundreds of series.

    >>> report = Report("Airline", "forecast", MetricsTable(("gatewise",), (Metric("MAE"),), ((1.0,),)))
    >>> Report.from_dict(report.to_dict()) == report
    True
    """

    title: str
    task: Task
    metrics: MetricsTable | None = None
    subtitle: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    history: LossCurves | None = None
    forecasts: tuple[ForecastPanel, ...] = ()
    confusion: ConfusionMatrix | None = None
    cell: CellTrace | None = None
    readings: tuple[Reading, ...] = ()
    calibration: CalibrationBins | None = None
    tracks: tuple[Track, ...] = ()

    def __post_init__(self) -> None:
        if self.task not in get_args(Task):
            raise ConfigurationError(f"Report: task is one of {', '.join(get_args(Task))}, got {self.task!r}")
        object.__setattr__(self, "facts", tuple((str(label), str(value)) for label, value in self.facts))
        object.__setattr__(self, "notes", tuple(self.notes))
        object.__setattr__(self, "forecasts", tuple(self.forecasts))
        object.__setattr__(self, "readings", tuple(self.readings))
        object.__setattr__(self, "tracks", tuple(self.tracks))
