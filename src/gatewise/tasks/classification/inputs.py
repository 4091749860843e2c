"""What a classifier is given: sequences and labels in any of their forms, turned into one and checked."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from gatewise.data import Ragged, Standardizer, read_table, read_ts, require_column
from gatewise.errors import DataError

ID, TIME, LABEL = "id", "time", "label"  # the columns that are taken where none is named


@dataclass(frozen=True)
class Columns:
    """The columns of a long table: `id`, `time`, `label`, `channels`, `group`; None finds the first three by name."""

    id: str | None = None
    time: str | None = None
    label: str | None = None
    channels: tuple[str, ...] | None = None
    group: str | None = None


def read_sequences(source: Any, columns: Columns, *, labelled: bool | None, grouped: bool = False) -> Ragged:
    """Sequences from what a user has.

    Args:
        source: a `Ragged`; a list of arrays `[T, X]` or `[T]`; one array `[S, T, X]` or `[S, T]`; a path to a `.ts`
            file; or a long table (a path, or a pandas, polars or Arrow table).
        columns: of a table. Without names the columns called "id", "time" and "label" are taken; without "time" the
            rows of a sequence are in order.
        labelled: whether a table's label column is needed (True), taken if it is there (None), or ignored (False).
        grouped: whether its group column is needed, where one is named; else it is taken if it is there.

    Raises:
        DataError: there are no sequences, or they cannot be read.
    """
    if isinstance(source, Ragged):
        return source
    if hasattr(source, "toarray"):
        raise DataError("sparse input is not supported: give sequences as arrays [T, X]")
    if hasattr(source, "__array__") and not (hasattr(source, "columns") or hasattr(source, "column_names")):
        source = np.asarray(source)  # a tensor, for instance
    if isinstance(source, (list, tuple, np.ndarray)):
        _refuse_complex(source)
        return Ragged.from_arrays(source)
    if isinstance(source, (str, Path)) and Path(source).suffix.lower() == ".ts":
        return read_ts(source)
    names = {columns.id or ID, columns.label or LABEL, *([columns.group] if columns.group else [])}
    return _from_table(read_table(source, names), columns, labelled, grouped)


def describe(sequences: Ragged, classes: int) -> str:
    """What was read, in a sentence."""
    lengths = sequences.lengths
    missing = int(np.isnan(sequences.values).sum())
    return (
        f"{len(sequences)} sequences of {lengths.min()} to {lengths.max()} steps, {sequences.n_channels} channels, "
        f"{classes} classes" + (f"; {missing} missing values, masked." if missing else ".")
    )


@dataclass(frozen=True, eq=False)
class Preparation:
    """How sequences become the network's inputs: scaled, missing values 0, and masks where training had missing ones.

    Attributes:
        scaler: fitted on the training part.
        difference_scale: standard deviation of each scaled channel's first differences there, `[X]`.
        masked: whether a mask channel (1 known, 0 missing) follows for each channel.
        channels: their names, where known.
    """

    scaler: Standardizer
    difference_scale: np.ndarray
    masked: bool
    channels: tuple[str, ...] | None

    @classmethod
    def fit(cls, sequences: Ragged, training: np.ndarray) -> "Preparation":
        """From the training part; masks if any of the sequences, those of the validation part too, has a gap."""
        part = sequences.select(training)
        never = np.isnan(part.values).all(0)
        if never.any():
            number = int(never.argmax())
            name = number if sequences.channels is None else f'"{sequences.channels[number]}"'
            raise DataError(f"channel {name} has no value in the training part: leave it out")
        scaler = Standardizer.fit(part.values)
        differences = np.diff(scaler.transform(part.values), axis=0)
        differences[part.offsets[1:-1] - 1] = np.nan  # from one sequence to the next
        scale = Standardizer.fit(differences).scale
        return cls(scaler, scale, bool(np.isnan(sequences.values).any()), sequences.channels)

    @property
    def n_channels(self) -> int:
        """X, the channels of the sequences."""
        return len(self.scaler.mean)

    def check(self, sequences: Ragged) -> None:
        """That the sequences have the channels of training. Raises `DataError`."""
        names = "" if self.channels is None else f" ({', '.join(self.channels[:20])})"
        if sequences.n_channels != self.n_channels:
            raise DataError(
                f"the sequences have {sequences.n_channels} channels, the model was trained on {self.n_channels}{names}"
            )
        if self.channels is not None and sequences.channels is not None and sequences.channels != self.channels:
            raise DataError(
                f"the sequences have the channels {', '.join(sequences.channels[:20])}; expected those of training, "
                f"in their order{names}"
            )

    def apply(self, sequences: Ragged) -> Ragged:
        """Inputs of the network: float32, without NaN; the masks are the last channels."""
        values = self.scaler.transform(sequences.values.astype(np.float64, copy=False))
        missing = np.isnan(values)
        values[missing] = 0.0  # in standard units: the channel's mean
        inputs = np.concatenate([values, ~missing], axis=1) if self.masked else values
        return Ragged(inputs.astype(np.float32), sequences.offsets)


def _from_table(table: pa.Table, columns: Columns, labelled: bool | None, grouped: bool) -> Ragged:
    def found(name: str | None, usual: str) -> str | None:
        return usual if name is None and usual in table.column_names else name

    identity, time, label = found(columns.id, ID), found(columns.time, TIME), found(columns.label, LABEL)
    if identity is None:
        raise DataError(
            'a table of sequences needs a column that names each row\'s sequence, and none is called "id": name it '
            f"with id=... There is: {', '.join(table.column_names[:20])}"
        )
    if label is not None and labelled is True:
        require_column(table, label, "label")
    if label is not None and label not in table.column_names:
        label = None
    if label is not None and labelled is False:
        table, label = table.drop_columns([label]), None
    group = columns.group
    if group is not None and grouped:
        require_column(table, group, "group")
    if group is not None and group not in table.column_names:
        group = None
    channels: Sequence[str] | None = columns.channels
    return Ragged.from_table(table, identity, time, channels, label, group)


def _refuse_complex(source: Any) -> None:
    parts = [source] if isinstance(source, np.ndarray) and source.dtype != object else source
    for i, part in enumerate(parts):
        if np.iscomplexobj(part):
            raise DataError(
                f"Complex data not supported: sequence {i} holds complex numbers, expected real ones [T, X]"
            )
