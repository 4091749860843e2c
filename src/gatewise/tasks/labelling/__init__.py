"""Labels and values of time steps: the estimator and its parts."""

from gatewise.tasks.labelling.labeller import Labeller
from gatewise.tasks.labelling.metrics import event_metrics, segment_metrics, value_metrics

__all__ = ["Labeller", "event_metrics", "segment_metrics", "value_metrics"]
