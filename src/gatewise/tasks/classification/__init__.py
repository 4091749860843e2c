"""Classification of sequences: the estimator and its parts."""

from gatewise.tasks.classification.classifier import Classifier
from gatewise.tasks.classification.metrics import classification_metrics, confusion_counts

__all__ = ["Classifier", "classification_metrics", "confusion_counts"]
