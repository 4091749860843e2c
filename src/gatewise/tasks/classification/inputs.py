"""What a classifier is given: sequences and labels in any of their forms, turned into one and checked."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.exceptions import DataConversionWarning

from gatewise.data import Ragged, Standardizer, read_table, read_ts, require_column
from gatewise.data.sequences import as_labels
from gatewise.errors import DataError


@dataclass(frozen=True)
class Columns:
    """The columns of a long table: `id`, `time`, `label` and `channels`; None finds the first three by that name."""

    id: str | None = None
    time: str | None = None
    label: str | None = None
    channels: tuple[str, ...] | None = None


def read_sequences(source: Any, columns: Columns, *, labelled: bool | None) -> Ragged:
    """Sequences from what a user has.

    Args:
        source: a `Ragged`; a list of arrays `[T, X]` or `[T]`; one array `[S, T, X]` or `[S, T]`; a path to a `.ts`
            file; or a long table (a path, or a pandas, polars or Arrow table).
        columns: of a table. Without names the columns called "id", "time" and "label" are taken; without "time" the
            rows of a sequence are in order.
        labelled: whether a table's label column is needed (True), taken if it is there (None), or ignored (False).

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
    return _from_table(read_table(source), columns, labelled)


def read_labels(y: Any, sequences: Ragged, purpose: str) -> np.ndarray:
    """Labels `[S]`, text or whole numbers: `y`, or those that came with the sequences.

    Raises:
        DataError: there are none, they are of another number than the sequences, or one is missing.
    """
    if y is None and sequences.labels is None:
        raise DataError(
            f"{purpose} requires y to be passed, but the target y is None and X brings no labels: give y, one label a "
            "sequence, or a table with a label column"
        )
    labels = sequences.labels if y is None else as_labels(_classes(y))
    assert labels is not None
    if len(labels) != len(sequences):
        raise DataError(
            f"expected one label a sequence: got {len(labels)} labels for {len(sequences)} sequences. "
            "Check that X and y hold the same sequences in the same order."
        )
    return labels


def read_groups(groups: Any, count: int) -> np.ndarray | None:
    """Group numbers `[S]` of any group names, or None. Raises `DataError` for another number of them."""
    if groups is None:
        return None
    names = as_labels(np.asarray(groups))
    assert names is not None
    if len(names) != count:
        raise DataError(f"expected one group a sequence: got {len(names)} groups for {count} sequences")
    return np.unique(names, return_inverse=True)[1]


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


def _from_table(table: pa.Table, columns: Columns, labelled: bool | None) -> Ragged:
    def found(name: str | None, usual: str) -> str | None:
        return usual if name is None and usual in table.column_names else name

    identity, time, label = found(columns.id, "id"), found(columns.time, "time"), found(columns.label, "label")
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
    channels: Sequence[str] | None = columns.channels
    return Ragged.from_table(table, identity, time, channels, label)


def _classes(y: Any) -> np.ndarray:
    """y as an array; a column `[S, 1]` as `[S]`, with scikit-learn's warning."""
    array = np.asarray(y)
    if array.ndim == 2 and array.shape[1] == 1:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected; it is read as one label a row.",
            DataConversionWarning,
            stacklevel=4,
        )
        array = array[:, 0]
    if array.dtype.kind == "f" and np.isfinite(array).all() and (array != np.round(array)).any():
        value = array[array != np.round(array)][0]
        raise DataError(f"y holds continuous values ({value:g}), expected classes: text or whole numbers")
    return array


def _refuse_complex(source: Any) -> None:
    parts = [source] if isinstance(source, np.ndarray) and source.dtype != object else source
    for i, part in enumerate(parts):
        if np.iscomplexobj(part):
            raise DataError(
                f"Complex data not supported: sequence {i} holds complex numbers, expected real ones [T, X]"
            )
