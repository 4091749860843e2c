"""Forecasting benchmarks: three sets, default settings, several seeds, one JSON line a seed.

    python benchmarks/forecasting.py [--seeds 5] [--sets airline taylor beijing] [--threads 2] [--out FILE]

Protocols. Airline (Box & Jenkins 1976, series G): months 1-132 train, one forecast of the last 12. Taylor (2003): half
hours, the first 3,360 train, the last 672 are forecast from 14 origins, 48 steps each, from all that came before.
Beijing PM2.5 (Liang et al. 2015): hours of 2010-2013 train, forecasts of 24 hours from every hour of 2014; gaps of the
target are filled forward, for inputs and scores alike; the weather columns are past covariates.
"""

import csv
import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from data.packages import member, taylor
from gatewise.tasks import Forecaster
from runner import run

WEATHER = ("DEWP", "TEMP", "PRES", "cbwd", "Iws", "Is", "Ir")


@dataclass(frozen=True)
class Split:
    """A table of which the first `train` rows train; the rest is forecast `windows` times, `stride` steps apart."""

    table: pa.Table
    train: int
    target: str
    horizon: int
    windows: int
    stride: int
    scores: dict[str, Callable[[dict[str, Any]], float]]
    past: tuple[str, ...] = ()


def _mape(metrics: dict[str, Any]) -> float:
    return metrics["mape"]


def airline_split() -> Split:
    rows = list(csv.DictReader(io.StringIO(member("airline").decode())))
    table = pa.table({"month": [r["Date"] for r in rows], "passengers": [float(r["Passengers"]) for r in rows]})
    return Split(table, 132, "passengers", 12, 1, 12, {"mape": _mape})


def taylor_split() -> Split:
    demand = taylor()
    times = np.datetime64("2000-06-05T00:00", "us") + np.arange(len(demand)) * np.timedelta64(30, "m")
    return Split(pa.table({"time": times, "demand": demand}), 3_360, "demand", 48, 14, 48, {"mape": _mape})


def beijing_split() -> Split:
    rows = list(csv.DictReader(io.StringIO(member("beijing").decode())))
    values = np.array([np.nan if r["pm2.5"] == "NA" else float(r["pm2.5"]) for r in rows])
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))))
    filled = np.where(last >= 0, values[last], np.nan)
    times = np.datetime64("2010-01-01T00:00", "us") + np.arange(len(rows)) * np.timedelta64(60, "m")
    columns: dict[str, Any] = {"time": times, "pm2.5": filled}
    columns |= {n: [r[n] if n == "cbwd" else float(r[n]) for r in rows] for n in WEATHER}
    train = int((times < np.datetime64("2014-01-01")).sum())
    scores = {"rmse 1": lambda m: m["rmse_by_lead"][0], "rmse 24": lambda m: m["rmse_by_lead"][23]}
    return Split(pa.table(columns), train, "pm2.5", 24, len(rows) - train - 23, 1, scores, WEATHER)


SETS: dict[str, Callable[[], Split]] = {"airline": airline_split, "taylor": taylor_split, "beijing": beijing_split}


def measure(split: Split, seed: int, threads: int) -> dict[str, Any]:
    began = time.perf_counter()
    model = Forecaster(split.target, split.horizon, past=split.past, seed=seed, threads=threads)
    model.fit(split.table.slice(0, split.train))
    seconds = time.perf_counter() - began
    metrics = model.evaluate(split.table, split.windows, split.stride)
    found = {name: round(score(metrics), 4) for name, score in split.scores.items()}
    found |= {f"baseline {name}": round(score(metrics["baseline"]), 4) for name, score in split.scores.items()}
    return {**found, "coverage": round(metrics["coverage"], 3), "seconds": round(seconds, 1),
            "recipe": model.recipe_.to_dict()}  # fmt: skip


if __name__ == "__main__":
    run(__doc__.splitlines()[0], SETS, measure, ("mape", "rmse 1", "rmse 24", "coverage", "seconds"))
