"""What the command line does with labels of time steps: reads them, holds models against them, writes them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from gatewise.tasks.labelling import Labeller
    from gatewise.tasks.labelling.inputs import LabelledSteps


def read_training(
    data: Path, test: Path | None, settings: Mapping[str, Any]
) -> "tuple[LabelledSteps, LabelledSteps | None]":
    """The training data of a labeller with these settings, and the test data, whose faults are known before training.

    Raises:
        DataError: they cannot be read, have no labels, or do not fit together.
    """
    from gatewise.tasks.classification.inputs import Columns
    from gatewise.tasks.labelling.inputs import read_steps
    from gatewise.tasks.labelling.targets import find_classes, numbers_of

    label = settings["label"]
    targets = () if label is None else (label,) if isinstance(label, str) else tuple(label)
    columns = Columns(settings["id"], settings["time"], None, settings["channels"], settings["group"])
    needed = None if settings["output"] == "anomalies" and label is None else True
    found = read_steps(data, None, columns, targets, labelled=needed, grouped=True, part="train")
    if test is None:
        return found, None
    other = read_steps(test, None, columns, targets, labelled=needed)
    if found.sequences.channels != other.sequences.channels:
        raise DataError(
            f'"{test}" has the channels {", ".join(other.sequences.channels or ())}, the training data '
            f"{', '.join(found.sequences.channels or ())}: both need the same, in one order"
        )
    if settings["output"] == "labels" and found.labels is not None and other.labels is not None:
        numbers_of(other.labels, find_classes(found.labels)[0])
    return found, other


def weights_by_label(weights: Any, labels: "np.ndarray | None") -> Any:
    """Texts name the classes on the command line and in TOML; labels that are numbers need numbers."""
    if not isinstance(weights, Mapping) or labels is None or any(isinstance(label, str) for label in labels):
        return weights
    try:
        return {int(label): weight for label, weight in weights.items()}
    except ValueError as error:
        raise ConfigurationError(
            f"class_weight names a class that is no whole number, as the labels are: {error}"
        ) from error


def evaluate_labeller(labeller: "Labeller", data: Path) -> dict[str, Any]:
    """Metrics on a file, the baseline with its name."""
    metrics = labeller.evaluate(data)
    if "baseline" not in metrics:
        return metrics
    return {**metrics, "baseline": {"name": labeller.baseline_name_, **metrics["baseline"]}}


def labelled(labeller: "Labeller", data: Path) -> "pa.Table":
    """One row a step, sequence by sequence: its sequence and time (else its number there, from 0), and what is said."""
    import numpy as np
    import pyarrow as pa

    steps = labeller.sequences(data)
    sequences = steps.sequences
    names: Any = list(sequences.ids) if sequences.ids is not None else list(range(len(sequences)))
    counts = sequences.lengths
    columns: dict[str, Any] = {"sequence": pa.array(np.repeat(np.asarray(names), counts).tolist())}
    if steps.times is not None:
        columns["time"] = steps.times
    else:
        columns["step"] = pa.array(np.concatenate([np.arange(count) for count in counts]))
    if labeller.output == "labels":
        told = np.concatenate(labeller.predict_proba(steps))
        columns["label"] = pa.array(labeller.classes_[told.argmax(1)].tolist())
        columns |= {f"p_{label}": pa.array(told[:, k]) for k, label in enumerate(labeller.classes_)}
    elif labeller.output == "anomalies":
        scores = np.concatenate(labeller.anomaly_scores(steps))
        columns |= {"score": pa.array(scores), "alarm": pa.array(scores > labeller.surprise_.threshold)}
    else:
        told = np.concatenate(labeller.predict(steps)).reshape(int(counts.sum()), -1)
        given = labeller.label
        named = (given,) if isinstance(given, str) else tuple(given or ())
        named = named if len(named) == told.shape[1] else tuple(f"value_{k}" for k in range(told.shape[1]))
        columns |= {f"predicted_{name}": pa.array(told[:, k]) for k, name in enumerate(named)}
    return pa.table(columns)
