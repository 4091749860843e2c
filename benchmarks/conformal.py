"""What a conformal band covers: default settings, several seeds, one JSON line a seed.

    python benchmarks/conformal.py [--seeds 5] [--threads 1] [--out FILE]

Taylor (2003): half hours, the first 3,360 train, the last 672 are forecast from 14 origins, 48 steps each, from all
that came before, as in forecasting.py. Measured is the share of these 672 values between the quantiles 0.1 and 0.9,
which are to cover 80 %: calibrated for each lead (`conformal=0.8`), and with the one factor that all leads share
without it. Calibration sees the validation part of the training rows alone. The same networks are measured with both:
the band's shifts are left out for the second number.
"""

from dataclasses import replace
from typing import Any

from forecasting import Split, taylor_split
from gatewise.tasks import Forecaster
from runner import run

COVERAGE = 0.8


def measure(split: Split, seed: int, threads: int) -> dict[str, Any]:
    model = Forecaster(split.target, split.horizon, conformal=COVERAGE, seed=seed, threads=threads)
    model.fit(split.table.slice(0, split.train))
    found: dict[str, Any] = {}
    fitted = model.fitted_
    for name, band in (("", fitted.recipe.band), ("factor ", ())):
        model.fitted_ = replace(fitted, recipe=replace(fitted.recipe, band=band))
        backtest = model.backtest(split.table, split.windows, split.stride)
        metrics = backtest.metrics()
        found |= {
            f"{name}coverage": round(metrics["coverage"], 4),
            f"{name}pinball": round(metrics["pinball"], 2),
            f"{name}width": round(float((backtest.quantiles[..., -1] - backtest.quantiles[..., 0]).mean()), 1),
        }
    return found


if __name__ == "__main__":
    names = ("coverage", "pinball", "width")
    run(__doc__.splitlines()[0], {"taylor": taylor_split}, measure, (*names, *(f"factor {name}" for name in names)))
