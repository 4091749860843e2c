"""What a labeller is given: sequences with a label or a value for each of their steps, in any form, checked.

Legend: S sequences, N steps of all of them, T steps of one, X channels, V values of a step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from gatewise.data import Ragged, read_table, require_column
from gatewise.data.columns import numeric_column
from gatewise.data.sequences import sequence_rows
from gatewise.errors import DataError
from gatewise.tasks.classification.inputs import ID, LABEL, TIME, Columns, read_sequences


@dataclass(frozen=True, eq=False)
class LabelledSteps:
    """Sequences, and what is known of their steps.

    Attributes:
        sequences: S sequences of N steps in all.
        labels: of each step, as they came: `[N]` of any type, or numbers `[N, V]`; None where there are none.
        times: the steps' time stamps `[N]`, where a table has them.
    """

    sequences: Ragged
    labels: np.ndarray | None = None
    times: pa.ChunkedArray | None = None

    def of(self, i: int) -> slice:
        """The steps of sequence i."""
        return slice(int(self.sequences.offsets[i]), int(self.sequences.offsets[i + 1]))


def read_steps(
    source: Any,
    y: Any,
    columns: Columns,
    targets: Sequence[str],
    *,
    labelled: bool | None,
    grouped: bool = False,
    part: Literal["train", "test"] = "test",
) -> LabelledSteps:
    """Sequences and the labels of their steps, from what a user has.

    Args:
        source: sequences in any form that a classifier takes, where a table has a label in each row; or a folder of
            recordings with phones (see `read_frames`).
        y: one array of T labels for each sequence, or one array `[S, T]`; values also `[T, V]`. None: those of a table.
        columns: of a table, `label` left out.
        targets: the table's columns of labels or values; none takes the one called "label".
        labelled: whether labels are needed (True), taken if they are there (None), or ignored (False).
        grouped: whether the table's column of groups is needed, where one is named.
        part: of a folder of TIMIT.

    Raises:
        DataError: sequences or labels that cannot be read, or that are not as many.
    """
    if isinstance(source, LabelledSteps):
        return source if y is None else LabelledSteps(source.sequences, _given(y, source.sequences), source.times)
    if isinstance(source, (str, Path)) and Path(source).is_dir():
        from gatewise.tasks.labelling.speech import read_frames

        found = read_frames(source, part)
        return found if y is None else LabelledSteps(found.sequences, _given(y, found.sequences))
    if isinstance(source, (str, Path)) and Path(source).suffix.lower() == ".ts":
        raise DataError(f'"{source}" is a .ts file, which has no labels of steps: give a table with one row a step')
    if isinstance(source, Ragged | list | tuple | np.ndarray) or not _is_table(source):
        sequences = read_sequences(source, columns, labelled=False)
        if y is None and labelled:
            raise DataError("y is None and X brings no labels: give y, an array of T labels for each sequence")
        return LabelledSteps(sequences, None if y is None else _given(y, sequences))
    names = {columns.id or ID, *(targets or (LABEL,)), *([columns.group] if columns.group else [])}
    found = _from_table(read_table(source, names), columns, targets, labelled=labelled if y is None else False,
                        grouped=grouped)  # fmt: skip
    return found if y is None else LabelledSteps(found.sequences, _given(y, found.sequences), found.times)


def _is_table(source: Any) -> bool:
    return isinstance(source, str | Path) or hasattr(source, "columns") or hasattr(source, "column_names")


def _from_table(
    table: pa.Table, columns: Columns, targets: Sequence[str], *, labelled: bool | None, grouped: bool
) -> LabelledSteps:
    identity = columns.id if columns.id is not None or ID not in table.column_names else ID
    time = columns.time if columns.time is not None or TIME not in table.column_names else TIME
    if identity is None:
        raise DataError(
            'a table of sequences needs a column that names each row\'s sequence, and none is called "id": name it '
            f"with id=... There is: {', '.join(table.column_names[:20])}"
        )
    wanted = list(targets or (LABEL,))
    if labelled:
        for name in wanted:
            require_column(table, name, "label")
    there = [name for name in wanted if name in table.column_names]
    if labelled is False or len(there) < len(wanted):
        bare, wanted = table.drop_columns(there), []
    else:
        bare = table.drop_columns(wanted)
    group = columns.group
    if group is not None and grouped:
        require_column(table, group, "group")
    if group is not None and group not in table.column_names:
        group = None
    if columns.channels is not None and (twice := [name for name in columns.channels if name in wanted]):
        raise DataError(f'column "{twice[0]}" has two roles, label and channel; a column has one')
    sequences = Ragged.from_table(bare, identity, time, columns.channels, None, group)
    order = sequence_rows(table, identity, time).order
    times = None if time is None else table.column(time).take(pa.array(order))
    if not wanted:
        return LabelledSteps(sequences, None, times)
    if len(wanted) > 1:
        found = np.stack([numeric_column(table.column(name), name, "label") for name in wanted], axis=1)[order]
    else:
        found = _cells(table.column(wanted[0]).take(pa.array(order)))
    return LabelledSteps(sequences, found, times)


def _cells(column: pa.ChunkedArray) -> np.ndarray:
    """A column as it is, missing cells None (of text and whole numbers) or NaN."""
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.float64()).to_numpy()
    if not pa.types.is_integer(kind) and not pa.types.is_boolean(kind):
        column = column.cast(pa.string())
    if column.null_count == 0:
        return np.asarray(column.to_numpy())
    return np.array(column.to_pylist(), dtype=object)


def _given(y: Any, sequences: Ragged) -> np.ndarray:
    """y as one array of all steps `[N]` or `[N, V]`."""
    if isinstance(y, str | bytes) or not hasattr(y, "__len__"):
        raise DataError(f"expected y to be an array of labels for each sequence, got {type(y).__name__}")
    if len(y) != len(sequences):
        raise DataError(f"expected labels for each of {len(sequences)} sequences, got {len(y)} of them")
    parts = [_array(part, i) for i, part in enumerate(y)]
    for i, (part, length) in enumerate(zip(parts, sequences.lengths, strict=True)):
        if part.ndim not in (1, 2) or len(part) != length:
            raise DataError(
                f"y of sequence {i} is {list(part.shape)}, expected one label for each of its {length} steps"
            )
        if part.ndim != parts[0].ndim or part.shape[1:] != parts[0].shape[1:]:
            raise DataError(f"y of sequence {i} is {list(part.shape)}, that of sequence 0 {list(parts[0].shape)}")
    if any(part.dtype == object for part in parts) or len({part.dtype.kind in "US" for part in parts}) > 1:
        parts = [part.astype(object) for part in parts]
    return np.concatenate(parts)


def _array(part: Any, i: int) -> np.ndarray:
    try:
        array = np.asarray(part)
    except ValueError as error:
        raise DataError(f"y of sequence {i} is no array of labels: {error}") from error
    if isinstance(part, list | tuple) and array.dtype.kind in "US" and any(not isinstance(p, str) for p in part):
        array = np.array(part, dtype=object)  # numpy would write None as "None"
    return array
