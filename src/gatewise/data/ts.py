"""The .ts format of the UEA & UCR time series classification archives.

Löning et al. (2019), "sktime: A Unified Interface for Machine Learning with Time Series", whose loader defined it:
header lines `@key value`, then one sequence a line: channels separated by colons, values by commas, the label last.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gatewise.data.sequences import Ragged
from gatewise.errors import DataError, nearest

TRUTH = {"true": True, "false": False}
FLAGS = {
    "timestamps": "timeStamps",
    "missing": "missing",
    "univariate": "univariate",
    "equallength": "equalLength",
    "targetlabel": "targetLabel",
}
NUMBERS = {"dimensions": "dimensions", "dimension": "dimensions", "serieslength": "seriesLength"}
KEYS = {"problemname": "problemName", "classlabel": "classLabel", **FLAGS, **NUMBERS}


@dataclass
class _Header:
    flags: dict[str, bool] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    labels: tuple[str, ...] | None = None


def read_ts(path: str | Path) -> Ragged:
    """Read a `.ts` file: ragged or equal lengths, any number of channels, `?` or `NaN` as missing values.

    The labels are text. Raises `DataError` with the line number for anything malformed: an unknown header key, a value
    that is no number, channels of one sequence that differ in length or number, a label the header does not list.
    """
    path = Path(path)
    if not path.is_file():
        near = nearest(path.name, (p.name for p in path.parent.glob("*.ts"))) if path.parent.is_dir() else ""
        raise DataError(f'no file "{path}": {near or "its folder does not exist"}')
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f'"{path}" is not UTF-8 text: byte {error.start} {error.reason}') from error
    header, begun = _Header(), False
    parts: list[np.ndarray] = []
    labels: list[str] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line, where = raw.strip(), f'"{path}", line {number}'
        if not line or line.startswith(("#", "%")):
            continue
        if not begun:
            begun = _read_key(line, header, where)
            continue
        sequence, label = _read_sequence(line, header, where)
        if parts and sequence.shape[1] != parts[0].shape[1]:
            raise DataError(f"{where}: {sequence.shape[1]} channels, where the first sequence has {parts[0].shape[1]}")
        parts.append(sequence)
        if label is not None:
            labels.append(label)
    if not begun:
        raise DataError(f'"{path}" has no line @data: expected a .ts file with a header, @data and a sequence a line')
    if not parts:
        raise DataError(f'"{path}" has no sequences after @data: at least one is needed')
    return Ragged.from_arrays(parts, labels if header.labels is not None else None)


def _read_key(line: str, header: _Header, where: str) -> bool:
    """Take one line of the header in; true once it is `@data`."""
    key, *rest = line.split()
    if not key.startswith("@"):
        raise DataError(f'{where}: expected a header line such as "@classLabel true 1 2", or @data; got "{line[:60]}"')
    name = key[1:].lower()
    if name == "data":
        if header.flags.get("timestamps"):
            raise DataError(f"{where}: time stamps inside a .ts file are not supported; write the file without them")
        if header.flags.get("targetlabel"):
            raise DataError(f"{where}: this file is for regression (@targetLabel true); expected class labels")
        return True
    if name not in KEYS:
        raise DataError(f'{where}: unknown key "{key}": {nearest(key[1:], KEYS.values())}')
    if name == "problemname":
        return False
    value = rest[0].lower() if rest else ""
    if name in NUMBERS:
        if not value.isdigit() or int(value) < 1:
            raise DataError(f'{where}: {key} must be a whole number from 1 on, got "{value}"')
        header.numbers[NUMBERS[name]] = int(value)
        return False
    if value not in TRUTH:
        raise DataError(f'{where}: {key} must be true or false, got "{value}"')
    if name == "classlabel":
        if TRUTH[value] and len(rest) == 1:
            raise DataError(f"{where}: @classLabel true must be followed by the labels")
        header.labels = tuple(rest[1:]) if TRUTH[value] else None
    else:
        header.flags[name] = TRUTH[value]
    return False


def _read_sequence(line: str, header: _Header, where: str) -> tuple[np.ndarray, str | None]:
    channels = line.split(":")
    label = None
    if header.labels is not None:
        label = channels.pop().strip()
        if not channels:
            raise DataError(f'{where}: expected values and a class label separated by ":"; got "{line[:60]}"')
        if label not in header.labels:
            raise DataError(f'{where}: label "{label[:60]}" is not in the header: {nearest(label, header.labels)}')
    wanted = 1 if header.flags.get("univariate") else header.numbers.get("dimensions")
    if wanted is not None and len(channels) != wanted:
        raise DataError(f"{where}: {len(channels)} channels, where the header says {wanted}")
    values = [_read_values(text, i, where) for i, text in enumerate(channels)]
    lengths = {len(channel) for channel in values}
    if len(lengths) > 1:
        raise DataError(f"{where}: channels of different lengths {sorted(lengths)}; all of a sequence need the same")
    length = header.numbers.get("seriesLength")
    if header.flags.get("equallength") and length is not None and lengths != {length}:
        raise DataError(f"{where}: {len(values[0])} time steps, where the header says {length}")
    return np.stack(values, axis=1), label


def _read_values(text: str, channel: int, where: str) -> np.ndarray:
    fields = text.split(",")
    try:
        values = np.array(fields, np.float64)
    except ValueError:
        # slow, but only on lines with missing values or mistakes
        values = np.array([_read_value(field.strip(), i, channel, where) for i, field in enumerate(fields)])
    if np.isinf(values).any():
        raise DataError(f"{where}, channel {channel}: an infinite value; use ? for a missing one")
    return values


def _read_value(text: str, step: int, channel: int, where: str) -> float:
    if text == "?":
        return float("nan")
    try:
        return float(text)
    except ValueError:
        raise DataError(f'{where}, channel {channel}, time step {step + 1}: "{text[:40]}" is not a number') from None
