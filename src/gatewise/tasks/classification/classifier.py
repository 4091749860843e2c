"""The classifier: an estimator over ragged sequences, in scikit-learn's manner."""

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from gatewise.data import Ragged
from gatewise.errors import ConfigurationError
from gatewise.tasks.classification.committee import Committee, train_committee
from gatewise.tasks.classification.inputs import Columns, Preparation, read_sequences
from gatewise.tasks.classification.labels import (
    known_numbers,
    label_numbers,
    read_labels,
    show_label,
    show_labels,
)
from gatewise.tasks.classification.metrics import classification_metrics, confusion_counts
from gatewise.tasks.classification.parameters import STRUCTURE, check_parameters, member_options
from gatewise.tasks.classification.storage import TASK, load_classifier, save_classifier
from gatewise.tasks.classification.training_set import TrainingSet
from gatewise.tasks.device import cpu_threads
from gatewise.tasks.folder import ModelFolder
from gatewise.tasks.journal import fit_journal
from gatewise.tasks.structure import check_structure, structure
from gatewise.training import Checkpoints, Journal, LearningRates, Plan, plan_of, rates_of


class Classifier(ClassifierMixin, BaseEstimator):
    """Classifies sequences of any lengths with a small committee of (bidirectional) LSTM networks.

    Each member standardises the channels, reads values and first differences with an LSTM, pools its outputs over time
    (mean and maximum), and is trained on randomly changed copies of the sequences with AdamW, a cosine schedule and
    averaged weights. Each holds out a different part of the data to choose its best epoch; their probabilities are
    averaged.

    X may be a list of arrays `[T, X]` (or `[T]`), an array `[S, T, X]` (or `[S, T]`: one channel), a
    `gatewise.data.Ragged`, a `.ts` file, or a long table (one row a time step; a file, pandas, polars or Arrow) with
    `id`, `time` and `label` columns. NaN is a missing value: the network sees a mask. y holds one label a sequence,
    text or whole numbers; where X brings labels, y may be left out.

    Args:
        hidden_size: H of each direction.
        num_layers: LSTM layers.
        bidirectional: read each sequence in both directions.
        dropout: probability, in training, between layers and before the classes.
        members: how many networks are averaged.
        mixing: how far training sequences have their X channels mixed at random, as if the sensor were turned: the
            mixing matrix deviates from the identity by a standard deviation of mixing / sqrt(X).
        scaling: how far they are made larger or smaller as a whole (standard deviation of the logarithm).
        noise: standard deviation of white noise added to them, in those of each channel.
        label_smoothing: share of each target given to all classes evenly.
        class_weight: None; "balanced": inversely proportional to class frequencies; or a dict label -> weight.
        batch_size: sequences a batch; None: a power of two from 16 to 128 that gives about 60 batches an epoch.
        batch_frames: time steps of a batch at most, padding included, in the place of `batch_size`: sequences of
            similar length stand side by side, fewer of the long ones. None: as `batch_size` says.
        learning_rate: the peak rate of AdamW.
        weight_decay: of AdamW.
        average_decay: of the moving average of the weights, which is what is kept; 0 for none.
        swa_from: the share of the training after which the learning rate stays, and the mean of the weights of all
            epochs since then is what is kept (stochastic weight averaging, with average_decay=0); 0 for none.
        accumulate: batches whose mean gradient is one step: the effect of larger batches in the memory of one.
        precision: of products in training: "float32", "bf16", or "fp16" with scaled losses; for GPUs. What is kept and
            predicts is float32.
        max_epochs: passes over the training part at most; None: as many as make about 2,000 steps, from 20 to 200.
        max_minutes: wall-clock minutes for the whole fit, shared by the members; None for no limit.
        patience: epochs without a better validation log loss after which a member stops; None for never.
        validation: the share of each class (or of the groups) that each member holds out; 0 for none, then every member
            trains to its last epoch.
        id: a table's column that names each row's sequence; None takes "id".
        time: its column of time stamps; None takes "time" if there is one, else rows are in order.
        label: its label column; None takes "label".
        group: its column that says which sequences belong together, for instance their subject or recording: whole
            groups are held out for validation. None holds out sequences of each class.
        channels: its channel columns; None takes all others.
        seed: of everything random; the same seed gives the same bits on the same machine and number of threads.
        threads: CPU threads; None leaves torch's setting.
        device: "cpu" or a CUDA device.
        progress: show progress bars.

    Attributes:
        classes_: the labels, sorted, `[K]`.
        n_features_in_: X, the channels.
        class_counts_: training sequences of each class `[K]`.
        history_: for each member its name, best epoch, why it stopped and one dict an epoch.
        validation_: "log_loss" and "accuracy" of the members on what they held out, averaged; empty without it.
        notes_: what was found and decided, in sentences.
        interrupted_: whether training was asked to stop early.
        committee_: the networks, how they were trained, and their inputs' scalers.

    References:
        Hochreiter & Schmidhuber (1997); Gers, Schmidhuber & Cummins (2000); Graves & Schmidhuber (2005).

    >>> rng = np.random.default_rng(0)
    >>> X = [np.sin((k % 2 + 1) * np.arange(rng.integers(8, 16))[:, None]) for k in range(24)]
    >>> y = ["slow", "fast"] * 12
    >>> model = Classifier(hidden_size=8, members=1).fit(X[:20], y[:20])
    >>> model.predict(X[20:])
    array(['slow', 'fast', 'slow', 'fast'], dtype='<U4')
    """

    def __init__(
        self,
        hidden_size: int = 64,
        *,
        num_layers: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.3,
        members: int = 4,
        mixing: float = 0.35,
        scaling: float = 0.2,
        noise: float = 0.1,
        label_smoothing: float = 0.1,
        class_weight: str | Mapping[Any, float] | None = None,
        batch_size: int | None = None,
        batch_frames: int | None = None,
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-2,
        average_decay: float = 0.99,
        swa_from: float = 0.0,
        accumulate: int = 1,
        precision: str = "float32",
        max_epochs: int | None = None,
        max_minutes: float | None = None,
        patience: int | None = 15,
        validation: float = 0.15,
        id: str | None = None,
        time: str | None = None,
        label: str | None = None,
        group: str | None = None,
        channels: Sequence[str] | None = None,
        seed: int = 0,
        threads: int | None = None,
        device: str = "cpu",
        progress: bool = False,
    ) -> None:
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.members = members
        self.mixing = mixing
        self.scaling = scaling
        self.noise = noise
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.batch_size = batch_size
        self.batch_frames = batch_frames
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.average_decay = average_decay
        self.swa_from = swa_from
        self.accumulate = accumulate
        self.precision = precision
        self.max_epochs = max_epochs
        self.max_minutes = max_minutes
        self.patience = patience
        self.validation = validation
        self.id = id
        self.time = time
        self.label = label
        self.group = group
        self.channels = channels
        self.seed = seed
        self.threads = threads
        self.device = device
        self.progress = progress

    # ------------------------------------------------------------------ training
    def fit(
        self,
        X: Any,
        y: Any = None,
        groups: Any = None,
        *,
        checkpoints: "Checkpoints | str | os.PathLike[str] | None" = None,
        init_from: "str | os.PathLike[str] | Classifier | None" = None,
    ) -> Self:
        """Train the members.

        Args:
            X: sequences, in any form the class names.
            y: one label a sequence `[S]`; may be left out where X brings labels.
            groups: one group a sequence `[S]`, as `group` names a column of them: early stopping then looks at what new
                groups will be like.
            checkpoints: where and how often the state of training is written (see `gatewise.Checkpoints`), or a
                folder for that; the same call with the same data then goes on from there. None: nowhere.
            init_from: a classifier, or its model folder, whose weights the members start from. Channels and classes
                must be the same; each member standardises with its own training part all the same.

        Raises:
            DataError: sequences or labels that cannot be trained on, for instance of one class only.
            ConfigurationError: a parameter does not fit, or `init_from` is of other shapes.
            TrainingError: the loss is no longer finite.
            TrainingInterrupted: with checkpoints, Ctrl-C or SIGTERM asked to stop; what was done is saved.
            CheckpointError: the checkpoints cannot be used, or are of other parameters or data.
        """
        check_parameters(self)
        data = TrainingSet.read(self, X, y, groups, self._columns())
        start = None if init_from is None else _start(init_from, data.classes, data.sequences)
        weights = None if start is None else start.weights()
        with (
            cpu_threads(self.threads),
            fit_journal(self, TASK, checkpoints, data=data.content, size=data.size, start=weights) as journal,
        ):
            committee = self._train(data, start, journal)
        interrupted, notes = journal.interrupt.requested, list(data.notes)
        if len(committee.members) < self.members:
            reason = "training was interrupted" if interrupted else "max_minutes were over"
            notes.append(f"Only {len(committee.members)} of {self.members} members were trained: {reason}.")
        if shortened := committee.shortened():
            notes.append(f"max_minutes shortened the training of {shortened} members.")
        self.classes_, self.class_counts_ = data.classes, np.bincount(data.targets)
        self.n_features_in_ = data.sequences.n_channels
        self.committee_ = committee
        self.structure_ = structure(self, STRUCTURE)
        self.notes_: tuple[str, ...] = tuple(notes)
        self.interrupted_ = interrupted
        self.validation_ = committee.validation() if data.validated else {}
        return self

    def plan(self, X: Any, y: Any = None, groups: Any = None) -> Plan:
        """What `fit` would train first, and what that takes of memory and time; nothing is trained. Raises as it."""
        check_parameters(self)
        data = TrainingSet.read(self, X, y, groups, self._columns())
        with cpu_threads(self.threads):
            return plan_of(lambda journal: self._train(data, None, journal))

    def learning_rates(self, X: Any, y: Any = None, groups: Any = None) -> LearningRates:
        """The range test of what `fit` would train first: a suggestion for `learning_rate`. Raises as `fit`."""
        check_parameters(self)
        data = TrainingSet.read(self, X, y, groups, self._columns())
        with cpu_threads(self.threads):
            return rates_of(lambda journal: self._train(data, None, journal), progress=self.progress)

    def _train(self, data: TrainingSet, start: Committee | None, journal: Journal) -> Committee:
        return train_committee(
            data.sequences,
            data.targets,
            data.parts,
            member_options(self),
            class_weight=data.weights,
            max_minutes=self.max_minutes,
            seed=self.seed,
            start=start,
            progress=self.progress,
            journal=journal,
        )

    @property
    def history_(self) -> list[dict[str, Any]]:
        """For each member its name, best epoch, why it stopped ("stopped") and one dict an epoch ("epochs")."""
        check_is_fitted(self)
        return self.committee_.history

    # ------------------------------------------------------------------ prediction
    def sequences(self, X: Any) -> Ragged:
        """X as this model reads it, checked: the sequences, and where known their ids, labels and channel names.

        Raises:
            DataError: X cannot be read or does not have the channels of training.
            ConfigurationError: a parameter that the model is made of was set after `fit`.
        """
        check_is_fitted(self)
        check_structure(self, self.structure_)
        sequences = read_sequences(X, self._columns(fitted=True), labelled=None)
        self._preparation.check(sequences)
        return sequences

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities `[S, K]` of the classes in the order of `classes_`, float64.

        Missing values in X are masked where training had some; where it had none they are taken as the channel's mean,
        with a warning.

        Raises:
            DataError: X cannot be read or does not have the channels of training.
        """
        sequences = self.sequences(X)
        if not self._preparation.masked and np.isnan(sequences.values).any():
            warnings.warn(
                "X has missing values, the training data had none: they are taken as the channel's mean. "
                "Train on data with missing values for a model that knows them.",
                UserWarning,
                stacklevel=2,
            )
        with cpu_threads(self.threads):
            return self.committee_.probabilities(sequences)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable label of each sequence `[S]`. Raises as `predict_proba` does."""
        best = self.predict_proba(X).argmax(1)
        return self.classes_[best]

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Accuracy: the share of sequences given their label, weighted by `sample_weight` `[S]`.

        Raises:
            DataError: X does not fit the model, or the labels do not fit X.
        """
        sequences = self.sequences(X)
        targets = label_numbers(read_labels(y, sequences, "score"), self.classes_)
        return float(np.average(self.predict_proba(sequences).argmax(1) == targets, weights=sample_weight))

    def evaluate(self, X: Any, y: Any = None) -> dict[str, Any]:
        """Metrics by their usual names.

        Returns:
            "accuracy", "balanced_accuracy", "f1_macro", "log_loss" (nats), "sequences" (S), and under "baseline" the
            same metrics of always predicting training's most frequent class, its probabilities the frequencies.

        Raises:
            DataError: X does not fit the model, or there are labels that training never saw.
        """
        sequences = self.sequences(X)
        targets = known_numbers(read_labels(y, sequences, "evaluate"), self.classes_)
        prior = np.tile(self.class_counts_ / self.class_counts_.sum(), (len(targets), 1))
        return {
            **classification_metrics(targets, self.predict_proba(sequences)),
            "sequences": len(targets),
            "baseline": classification_metrics(targets, prior),
        }

    @property
    def baseline_name_(self) -> str:
        """What `evaluate` holds the model against."""
        check_is_fitted(self)
        return f"always {show_label(self.classes_[self.class_counts_.argmax()])}"

    def confusion(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """The labels `[K]`, and how often each was predicted as which: int64 `[K, K]`, true rows by predicted columns.

        Raises:
            DataError: X does not fit the model, or there are labels that training never saw.
        """
        sequences = self.sequences(X)
        targets = known_numbers(read_labels(y, sequences, "confusion"), self.classes_)
        predicted = self.predict_proba(sequences).argmax(1)
        return self.classes_, confusion_counts(targets, predicted, len(self.classes_))

    def observe(self, X: Any) -> dict[str, np.ndarray]:
        """What the first layer of the first member does, forward in time, over the first sequence of X.

        Returns:
            Input gate `i`, forget gate `f`, output gate `o` and cell state `c`, each `[T, H]`; and `input` `[T, X]`,
            the sequence itself.

        Raises:
            DataError: X cannot be read or does not have the channels of training.
        """
        sequence = self.sequences(X).select([0])
        network = self.committee_.members[0].network
        inputs = torch.from_numpy(self._preparation.apply(sequence).values)[:, None]
        device = next(network.parameters()).device
        with cpu_threads(self.threads):
            gates = network.lstm.observe(network.features(inputs.to(device)))
        found = {name: gates[name][:, 0].cpu().numpy() for name in ("i", "f", "o", "c")}
        return {**found, "input": sequence.values}

    def _columns(self, fitted: bool = False) -> Columns:
        channels = None if self.channels is None else tuple(self.channels)
        if fitted and self._preparation.channels is not None:
            channels = self._preparation.channels
        return Columns(self.id, self.time, self.label, channels, self.group)

    # ------------------------------------------------------------------ files
    def save(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        metrics: Mapping[str, Any] | None = None,
        extra: Mapping[str, bytes | str] | None = None,
    ) -> Path:
        """Write the model folder; `metrics` are added to those of validation, `extra` files lie beside the model.

        Raises:
            ModelFolderError: the folder exists and is not to be, or cannot be, replaced.
        """
        check_is_fitted(self)
        check_structure(self, self.structure_)
        return save_classifier(self, path, overwrite=overwrite, metrics=metrics, extra=extra)

    @classmethod
    def load(cls, path: str | os.PathLike[str] | ModelFolder) -> Self:
        """The classifier that `save` wrote, on the CPU if its device is not there.

        Raises:
            ModelFolderError: the folder is missing, damaged, altered, of a newer format or of another task.
        """
        return load_classifier(cls, path)

    @property
    def _preparation(self) -> Preparation:
        return self.committee_.members[0].preparation

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "committee_")


def _start(source: "str | os.PathLike[str] | Classifier", classes: np.ndarray, sequences: Ragged) -> Committee:
    """The committee to start from, if its classes and channels are those of the data."""
    model = source if isinstance(source, Classifier) else Classifier.load(source)
    check_is_fitted(model)
    if not np.array_equal(model.classes_, classes):
        raise ConfigurationError(
            f"the model to start from knows the classes {show_labels(model.classes_)}; "
            f"these data have {show_labels(classes)}"
        )
    model._preparation.check(sequences)
    return model.committee_
