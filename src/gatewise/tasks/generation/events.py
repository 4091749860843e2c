"""Polyphonic events: pieces of frames, in each of which any number of events sound."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gatewise.data.columns import series_codes
from gatewise.data.table import is_text, read_table, require_column
from gatewise.errors import DataError

EVENTS, PIECE = "events", "piece"  # the columns of a table

Frame = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Pieces:
    """S pieces.

    Attributes:
        frames: of each piece its frames in order, of each of these the names of its events.
        names: what messages call each.
    """

    frames: tuple[tuple[Frame, ...], ...]
    names: tuple[str, ...]


def read_events(source: Any, column: str | None = None, piece: str | None = None) -> Pieces:
    """Pieces of events.

    Args:
        source: a table (CSV, TSV, Parquet, or a data frame) with a row for each frame, in order: the names of its
            events in the column `events`, parted by spaces and empty where nothing sounds, and in the column `piece`
            what it is a frame of (without that column there is one piece). Or a sequence of pieces, each a sequence of
            frames, each a sequence of names (texts or whole numbers); or, for a piece, a piano roll: an array `[T, E]`
            that is not 0 where an event sounds, whose names are then 0 to E - 1.
        column: of a table, that holds the events; None takes "events".
        piece: of a table, that names the piece; None takes "piece" if there is one.

    Raises:
        DataError: nothing there, a column is missing, or a piece goes on after another one has begun; or something is
            no piece, frame or name.

    >>> read_events([[[60, 64], [], ["x"]]]).frames
    ((('60', '64'), (), ('x',)),)
    """
    if isinstance(source, Pieces):
        return source
    if isinstance(source, (list, tuple)) and not isinstance(source, str):
        return _from_lists(source)
    if isinstance(source, np.ndarray):
        raise DataError("expected a list of piano rolls [T, E], got one array: put it into a list")
    return _from_table(source, column or EVENTS, piece)


def _from_lists(source: Sequence[Any]) -> Pieces:
    if not source:
        raise DataError("expected at least one piece, got none")
    pieces = []
    for number, piece in enumerate(source):
        if isinstance(piece, np.ndarray):
            if piece.ndim != 2 or piece.dtype.kind not in "biuf":
                raise DataError(f"piece {number}: expected a piano roll [T, E], got {piece.dtype} {list(piece.shape)}")
            frames = tuple(tuple(map(str, np.flatnonzero(frame).tolist())) for frame in piece)
        elif isinstance(piece, (list, tuple)):
            frames = tuple(_frame(frame, f"piece {number}, frame {t}") for t, frame in enumerate(piece))
        else:
            raise DataError(f"piece {number} is {type(piece).__name__}; expected a list of frames, or an array [T, E]")
        if not frames:
            raise DataError(f"piece {number} is empty: every piece needs at least one frame")
        pieces.append(frames)
    return Pieces(tuple(pieces), tuple(f"piece {number}" for number in range(len(pieces))))


def _frame(frame: Any, where: str) -> Frame:
    if not isinstance(frame, (list, tuple, set, frozenset, np.ndarray)):
        raise DataError(f"{where} is {frame!r:.40}; expected a list of the events that sound")
    names = []
    for event in frame:
        name = str(event) if isinstance(event, (int, np.integer)) and not isinstance(event, bool) else event
        if not isinstance(name, str) or name.split() != [name]:
            raise DataError(f"{where}: {event!r:.40} is no event; expected whole numbers, or names without spaces")
        names.append(name)
    return tuple(sorted(set(names), key=by_number))


def _from_table(source: Any, column: str, piece: str | None) -> Pieces:
    table = read_table(source, (column, *(() if piece is None else (piece,))))
    where = f'"{source}"' if isinstance(source, (str, os.PathLike)) else "the table"
    events = require_column(table, column, "events")
    if not is_text(events.type):
        # Frames of one number each, or none, are read as numbers.
        numbers = events.to_numpy()
        if numbers.dtype.kind not in "iuf" or (numbers[np.isfinite(numbers)] % 1).any():
            raise DataError(f'{where}: the column "{column}" holds {events.type}, expected names of events')
        cells = [str(int(value)) if np.isfinite(value) else "" for value in numbers]
    else:
        cells = [value or "" for value in events.to_pylist()]
    frames = [tuple(sorted(set(cell.split()), key=by_number)) for cell in cells]
    name = piece if piece is not None else PIECE if PIECE in table.column_names else None
    if name is None:
        return Pieces((tuple(frames),), (where,))
    codes, ids = series_codes(require_column(table, name, "piece"), name)
    begins = np.flatnonzero(np.diff(codes, prepend=-1))
    if len(begins) != len(ids):
        known: set[int] = set()
        for row in begins.tolist():
            if int(codes[row]) in known:
                raise DataError(
                    f'{where}, row {row + 1}: piece "{ids[codes[row]]}" goes on after another has begun; sort the rows '
                    "so that the frames of each piece are together, in order"
                )
            known.add(int(codes[row]))
    ends = [*begins[1:].tolist(), len(frames)]
    parts = [tuple(frames[a:b]) for a, b in zip(begins.tolist(), ends, strict=True)]
    return Pieces(tuple(parts), tuple(str(ids[codes[row]]) for row in begins.tolist()))


def by_number(name: str) -> tuple[float, str]:
    """Whole numbers in their order, before all other names."""
    return (float(name), name) if re.fullmatch(r"-?\d+", name) else (np.inf, name)
