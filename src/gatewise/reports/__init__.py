"""The report of a trained model: pure data in, one self-contained HTML file out."""

from gatewise.reports.calibration import CalibrationBins
from gatewise.reports.content import (
    CellTrace,
    ConfusionMatrix,
    Curve,
    ForecastPanel,
    LossCurves,
    Metric,
    MetricsTable,
    Report,
)
from gatewise.reports.html import render, write_report
from gatewise.reports.reading import Reading, ReadSymbol
from gatewise.reports.track import Track

__all__ = [
    "CalibrationBins",
    "CellTrace",
    "ConfusionMatrix",
    "Curve",
    "ForecastPanel",
    "LossCurves",
    "Metric",
    "MetricsTable",
    "ReadSymbol",
    "Reading",
    "Report",
    "Track",
    "render",
    "write_report",
]
