"""An estimator's scores as a table: the model in the first row, its baseline in the second."""

from collections.abc import Mapping
from typing import Any

from gatewise.reports.content import Metric, MetricsTable

# Name in code -> (name in print, which direction is better), in the order of the columns.
_COLUMNS: Mapping[str, Metric] = {
    "mae": Metric("MAE"),
    "rmse": Metric("RMSE"),
    "mape": Metric("MAPE %"),
    "mase": Metric("MASE"),
    "pinball": Metric("pinball loss"),
    "accuracy": Metric("accuracy", "higher"),
    "balanced_accuracy": Metric("balanced accuracy", "higher"),
    "f1_macro": Metric("macro F1", "higher"),
    "edit": Metric("edit score", "higher"),
    "f1_10": Metric("F1@10", "higher"),
    "f1_25": Metric("F1@25", "higher"),
    "f1_50": Metric("F1@50", "higher"),
    "r2": Metric("R²", "higher"),
    "event_precision": Metric("event precision", "higher"),
    "event_recall": Metric("event recall", "higher"),
    "event_f1": Metric("event F1", "higher"),
    "average_precision": Metric("average precision", "higher"),
    "log_loss": Metric("log loss"),
    "cer": Metric("CER"),
    "wer": Metric("WER"),
    "per": Metric("PER"),
    "text_error": Metric("texts with an error"),
    "calibration_error": Metric("calibration error"),
    "bits_per_character": Metric("bits a character"),
    "frame_nll": Metric("nats a frame"),
    "frame_accuracy": Metric("frame accuracy", "higher"),
}


def metrics_table(scores: Mapping[str, Any], baseline_name: str) -> MetricsTable | None:
    """The metrics that `scores` holds beside those under its key "baseline", or those of its "leaderboard"; None where
    it holds none.

    >>> table = metrics_table({"mae": 2.0, "baseline": {"mae": 3.0}}, "persistence")
    >>> table.rows, table.values
    (('gatewise', 'persistence'), ((2.0,), (3.0,)))
    """
    names = [name for name in _COLUMNS if scores.get(name) is not None]
    if not names:
        return None
    methods = {"gatewise": scores}
    if scores.get("baseline"):
        methods[baseline_name] = scores["baseline"]
    if scores.get("leaderboard"):
        methods = {row["name"]: row for row in scores["leaderboard"]}
    values = tuple(tuple(found.get(name) for name in names) for found in methods.values())
    return MetricsTable(tuple(methods), tuple(_COLUMNS[name] for name in names), values)
