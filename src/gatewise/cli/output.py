"""What a command prints: one JSON object on stdout, or short tables for people; notes go to stderr."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

LOWER_IS_BETTER = ("mae", "rmse", "mape", "smape", "mase", "pinball", "log_loss", "cer", "wer", "per")


def print_error(message: str) -> None:
    """One message on stderr."""
    print(f"error: {message}", file=sys.stderr)


def print_note(text: str) -> None:
    """A remark on stderr, where it does not mix with results."""
    print(text, file=sys.stderr)


def print_json(value: Mapping[str, Any]) -> None:
    """The one JSON object of `--json`; numbers that are not finite become null, which JSON has a word for."""
    print(json.dumps(plain(value), allow_nan=False))


def plain(value: Any) -> Any:
    """Of JSON types only: NumPy numbers become Python's, tuples lists, numbers that are not finite None.

    >>> plain({"mae": float("nan"), "leads": (1, 2)})
    {'mae': None, 'leads': [1, 2]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, Sequence):
        return [plain(entry) for entry in value]
    return str(value)


def print_facts(facts: Mapping[str, str]) -> None:
    """Aligned lines of names and values on stdout."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")


def print_metrics(metrics: Mapping[str, Any], title: str) -> None:
    """A table of the metrics beside the baseline's, on stdout."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    baseline = metrics.get("baseline")
    baseline = baseline if isinstance(baseline, Mapping) else {}
    table = Table()
    table.add_column("metric")
    table.add_column("model", justify="right")
    if baseline:
        table.add_column(Text(str(baseline.get("name", "baseline"))), justify="right")
    for name, value in metrics.items():
        if not _is_number(value):
            continue
        row = [Text(name), Text(_number(value))]
        if baseline:
            other = baseline.get(name)
            row.append(Text(_number(other) if _is_number(other) else ""))
        table.add_row(*row)
    console = Console(file=sys.stdout, highlight=False)
    console.print(Text(title, style="bold"), soft_wrap=True)
    console.print(table)
    if metrics.get("leaderboard"):
        console.print(_leaderboard(metrics["leaderboard"]))


def _leaderboard(standings: Sequence[Mapping[str, Any]]) -> Any:
    """Methods in rows, the best first; metrics in columns."""
    from rich.table import Table
    from rich.text import Text

    names = list(dict.fromkeys(n for row in standings for n, value in row.items() if _is_number(value)))
    table = Table("method")
    for name in names:
        table.add_column(Text(name), justify="right")
    for row in standings:
        cells = [_number(row[name]) if _is_number(row.get(name)) else "" for name in names]
        table.add_row(Text(str(row["name"])), *(Text(cell) for cell in cells))
    return table


def _is_number(value: Any) -> bool:
    value = plain(value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> str:
    value = plain(value)
    return str(value) if isinstance(value, int) else f"{value:.4g}"
