"""Three full reports of the size users see, from seeded numbers; every part of a report is in one of them."""

import numpy as np
from numpy.typing import NDArray

from gatewise.reports import (
    CalibrationBins,
    CellTrace,
    ConfusionMatrix,
    Curve,
    ForecastPanel,
    LossCurves,
    Metric,
    MetricsTable,
    Reading,
    ReadSymbol,
    Report,
)
from gatewise.reports.content import numbers

# Box, Jenkins & Reinsel, Time Series Analysis, series G: airline passengers a month, thousands, 1949 to 1960.
# fmt: off
PASSENGERS = (
    112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118, 115, 126, 141, 135, 125, 149, 170, 170, 158,
    133, 114, 140, 145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166, 171, 180, 193, 181, 183, 218,
    230, 242, 209, 191, 172, 194, 196, 196, 236, 235, 229, 243, 264, 272, 237, 211, 180, 201, 204, 188, 235,
    227, 234, 264, 302, 293, 259, 229, 203, 229, 242, 233, 267, 269, 270, 315, 364, 347, 312, 274, 237, 278,
    284, 277, 317, 313, 318, 374, 413, 405, 355, 306, 271, 306, 315, 301, 356, 348, 355, 422, 465, 467, 404,
    347, 305, 336, 340, 318, 362, 348, 363, 435, 491, 505, 404, 359, 310, 337, 360, 342, 406, 396, 420, 472,
    548, 559, 463, 407, 362, 405, 417, 391, 419, 461, 472, 535, 622, 606, 508, 461, 390, 432
)
# fmt: on
MONTHS = tuple(f"{1949 + k // 12}-{k % 12 + 1:02d}" for k in range(144))


def lstm_trace(inputs: NDArray[np.float64], units: int, seed: int) -> dict[str, NDArray[np.float64]]:
    """Gates and cell state [T, units] of an LSTM with random weights over `inputs` [T, X]."""
    rng = np.random.default_rng(seed)
    features = inputs.shape[1]
    weights = {g: rng.normal(0, 1.1, (units, features)) for g in "ifoz"}
    recurrent = {g: rng.normal(0, 0.7 / np.sqrt(units), (units, units)) for g in "ifoz"}
    bias = {"i": -0.3, "f": rng.uniform(-0.5, 4, units), "o": 0.2, "z": 0.0}
    h, c = np.zeros(units), np.zeros(units)
    trace: dict[str, list[NDArray[np.float64]]] = {g: [] for g in "ifoc"}
    for x in inputs:
        total = {g: weights[g] @ x + recurrent[g] @ h + bias[g] for g in "ifoz"}
        gates = {g: 1 / (1 + np.exp(-total[g])) for g in "ifo"}
        c = gates["f"] * c + gates["i"] * np.tanh(total["z"])
        h = gates["o"] * np.tanh(c)
        for g in "ifo":
            trace[g].append(gates[g])
        trace["c"].append(c)
    return {g: np.array(rows) for g, rows in trace.items()}


def loss_curve(name: str, epochs: int, seed: int, floor: float = 0.05) -> Curve:
    rng = np.random.default_rng(seed)
    epoch = np.arange(epochs)
    training = 0.8 * np.exp(-epoch / 9) + floor * (1 + 0.2 * rng.random(epochs))
    validation = 0.75 * np.exp(-epoch / 8) + 0.09 + 0.0008 * epoch + 0.015 * rng.random(epochs)
    return Curve(name, numbers(training), numbers(validation), int(validation.argmin()) + 1)


def airline_panel() -> ForecastPanel:
    truth = np.array(PASSENGERS[-12:], dtype=float)
    rng = np.random.default_rng(1)
    forecast = truth * (1 + 0.035 * rng.standard_normal(12))
    spread = forecast * np.linspace(0.025, 0.06, 12)
    quantiles = {0.05: forecast - 1.6 * spread, 0.25: forecast - 0.7 * spread, 0.5: forecast}
    quantiles |= {0.75: forecast + 0.7 * spread, 0.95: forecast + 1.6 * spread}
    return ForecastPanel(
        series="passengers",
        history_times=MONTHS[:-12],
        history=PASSENGERS[:-12],
        times=MONTHS[-12:],
        truth=numbers(truth),
        forecast=numbers(forecast),
        quantiles={level: numbers(values) for level, values in quantiles.items()},
        baseline=PASSENGERS[-24:-12],
        baseline_name="seasonal naive",
        target="passengers",
        unit="thousands",
    )


def forecast_report() -> Report:
    values = np.log(np.array(PASSENGERS, dtype=float))
    inputs = np.stack([np.diff(values)[-96:] * 8, (values[1:] - values.mean())[-96:]], axis=1)
    return Report(
        title="Airline passengers",
        task="forecast",
        subtitle="The last 12 months, forecast at once from the 132 months before them.",
        facts=(
            ("Data", "airline.csv, 144 rows"),
            ("Frequency", "monthly"),
            ("Horizon", "12 steps"),
            ("Model", "LSTM, 1 layer, 48 units"),
            ("Ensemble", "3 members"),
            ("Seed", "0"),
        ),
        metrics=MetricsTable(
            rows=("gatewise", "seasonal naive", "last value"),
            columns=(Metric("MAPE %"), Metric("RMSE"), Metric("MASE"), Metric("coverage of the 90 % band", "higher")),
            values=((3.42, 18.31, 0.52, 0.917), (9.99, 50.71, 1.57, None), (18.1, 102.98, 3.2, None)),
        ),
        notes=(
            "Chosen on validation: logarithm and difference to the same month of the year before.",
            'The covariate "holidays" did not help on validation and is not used.',
        ),
        history=LossCurves(
            tuple(loss_curve(f"member {k + 1}", 44 + 3 * k, seed=k) for k in range(3)),
            loss="Training loss (pinball)",
            validation="Validation MAE",
        ),
        forecasts=(airline_panel(),),
        cell=CellTrace.most_active(
            "Layer 1 over the last 96 months",
            inputs,
            ("difference of logarithms", "logarithm, centred"),
            lstm_trace(inputs, 48, seed=3),
            times=MONTHS[-96:],
        ),
    )


def classify_report() -> Report:
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.25, (9, 9)) + np.diag((31, 35, 87, 43, 29, 23, 40, 48, 28))
    matrix = ConfusionMatrix(tuple(f"speaker {k + 1}" for k in range(9)), tuple(map(tuple, counts.tolist())))
    steps = np.arange(26)[:, None]
    inputs = np.sin(steps / 4 + np.arange(12)) + 0.2 * rng.standard_normal((26, 12))
    return Report(
        title="JapaneseVowels",
        task="classify",
        subtitle="Nine speakers, told apart by two vowels.",
        facts=(
            ("Training", "270 sequences"),
            ("Test", f"{counts.sum()} sequences"),
            ("Channels", "12"),
            ("Length", "7 to 29 steps"),
        ),
        metrics=MetricsTable(
            ("gatewise", "most frequent class"),
            (Metric("accuracy", "higher"), Metric("macro F1", "higher"), Metric("log loss")),
            ((matrix.accuracy, 0.9533, 0.1242), (0.2378, 0.0427, 2.1972)),
        ),
        history=LossCurves(
            (loss_curve("run", 60, seed=9, floor=0.0004),),
            loss="Training loss (cross entropy)",
            validation="Validation loss",
        ),
        confusion=matrix,
        cell=CellTrace.most_active(
            "Layer 1, forward, first test sequence of speaker 3",
            inputs,
            tuple(f"LPC {k}" for k in range(12)),
            lstm_trace(inputs, 32, seed=5),
        ),
    )


def reading(name: str, text: str, truth: str, steps: int, features: int, seed: int, seconds: float = 0.0) -> Reading:
    """A recording with a bump at each symbol."""
    rng = np.random.default_rng(seed)
    stride, symbols = 4, []
    picture = rng.uniform(0, 0.2, (steps, features))
    curves = tuple(dict.fromkeys(text.split() if seconds else text))
    posteriors = np.full((-(-steps // stride), 1 + len(curves)), 1e-3)
    written = text.split() if seconds else list(text)
    for k, symbol in enumerate(written):
        middle = int((k + 0.5) * steps / len(written))
        picture[middle - 8 : middle + 8, features // 4 : 3 * features // 4] += 0.7
        symbols.append(ReadSymbol(symbol, middle - 4, middle + 4))
        posteriors[middle // stride, 1 + curves.index(symbol)] = 0.97
    posteriors[:, 0] = np.clip(1 - posteriors[:, 1:].sum(1), 0, 1)
    rows = tuple(map(tuple, np.clip(picture, 0, 1).tolist()))
    return Reading(
        name, text, truth, 0.93, rows, tuple(symbols), curves, tuple(map(tuple, posteriors.tolist())), stride,
        upright=bool(seconds), seconds=seconds,
    )  # fmt: skip


def transcribe_report() -> Report:
    """Lines and a recording of speech, one of them read wrong."""
    return Report(
        title="Recordings read",
        task="transcribe",
        metrics=MetricsTable(("gatewise",), (Metric("CER"), Metric("WER")), ((0.0104, 0.056),)),
        subtitle="Measured on 1,000 recordings given to this report.",
        facts=(("Training recordings", "19,000"), ("Network", "conv-blstm")),
        notes=("4 frames become one step of the network.",),
        history=LossCurves((loss_curve("network", 12, 5),), validation="Validation error rate"),
        readings=(
            reading("lines/0001.png", "40213", "40213", 170, 32, 0),
            reading("lines/0007.png", "771", "7/1", 110, 32, 1),
            reading("speech/hello <b>.wav", "HH AH L OW", "HH AH L OW", 96, 40, 2, seconds=0.01),
        ),
        calibration=CalibrationBins((0.31, 0.57, 0.75, 0.985), (0.5, 0.52, 0.8, 0.97), (2, 31, 90, 877), 0.023),
    )
