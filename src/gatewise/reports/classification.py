"""The report of a classifier, from what it offers in public."""

from typing import Any

from gatewise.data import Ragged
from gatewise.reports.content import CellTrace, ConfusionMatrix, Report
from gatewise.reports.history import loss_curves
from gatewise.reports.scores import metrics_table
from gatewise.tasks.classification import Classifier


def classification_report(classifier: Classifier, X: Any = None, y: Any = None) -> Report:
    """How a fitted classifier was trained, and with data how it does on them.

    Args:
        classifier: fitted.
        X: sequences in any form `Classifier` takes; None for a report of the training alone.
        y: one label a sequence; may be left out where X brings labels. Without any labels the report looks into the
            cell, and holds no scores of X.

    Raises:
        DataError: X or y do not fit the model.
    """
    sequences = None if X is None else classifier.sequences(X)
    labelled = sequences is not None and (y is not None or sequences.labels is not None)
    scores, where = classifier.validation_, "the parts of the training data that the networks held out"
    confusion = None
    if sequences is not None and labelled:
        scores, where = classifier.evaluate(sequences, y), f"{len(sequences)} sequences given to this report"
        labels, counts = classifier.confusion(sequences, y)
        confusion = ConfusionMatrix(tuple(str(label) for label in labels), tuple(map(tuple, counts.tolist())))
    subtitle = f"Measured on {where}." if scores else "Nothing was held out of the training, so there are no scores."
    return Report(
        title=f"{len(classifier.classes_)} classes of sequences",
        task="classify",
        metrics=metrics_table(scores, classifier.baseline_name_),
        subtitle=subtitle,
        facts=_facts(classifier),
        notes=tuple(classifier.notes_),
        history=loss_curves(classifier.history_, loss="Training loss (cross entropy)"),
        confusion=confusion,
        cell=None if sequences is None else _cell(classifier, sequences),
    )


def _facts(classifier: Classifier) -> tuple[tuple[str, str], ...]:
    direction = "both directions" if classifier.bidirectional else "forward"
    return (
        ("Training sequences", f"{int(classifier.class_counts_.sum()):,}"),
        ("Classes", str(len(classifier.classes_))),
        ("Channels", str(classifier.n_features_in_)),
        ("Model", f"LSTM, layers: {classifier.num_layers}, units: {classifier.hidden_size}, {direction}"),
        ("Members", str(len(classifier.history_))),
        ("Seed", str(classifier.seed)),
    )


def _cell(classifier: Classifier, sequences: Ragged) -> CellTrace:
    found = classifier.observe(sequences)
    names = sequences.channels or tuple(f"channel {k}" for k in range(sequences.n_channels))
    of = "the first sequence" if sequences.ids is None else f'sequence "{sequences.ids[0]}"'
    gates = {name: found[name].tolist() for name in ("i", "f", "o", "c")}
    return CellTrace.most_active(f"First layer, forward, over {of}", found["input"].tolist(), names, gates)
