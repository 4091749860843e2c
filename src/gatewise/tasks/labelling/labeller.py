"""The labeller: an estimator that says something of every time step of ragged sequences."""

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks.classification.inputs import Columns, Preparation
from gatewise.tasks.classification.labels import show_label, show_labels
from gatewise.tasks.classification.metrics import confusion_counts
from gatewise.tasks.device import cpu_threads
from gatewise.tasks.folder import ModelFolder
from gatewise.tasks.journal import fit_journal
from gatewise.tasks.labelling.evaluation import evaluate_anomalies, evaluate_labels, evaluate_values
from gatewise.tasks.labelling.fitting import train_network
from gatewise.tasks.labelling.inputs import LabelledSteps, read_steps
from gatewise.tasks.labelling.network import LabellerNetwork
from gatewise.tasks.labelling.parameters import STRUCTURE, check_parameters, label_columns
from gatewise.tasks.labelling.spans import lengths_of, rows_of, run_network, whole
from gatewise.tasks.labelling.storage import TASK, load_labeller, save_labeller
from gatewise.tasks.labelling.streaming import LabellerStream
from gatewise.tasks.labelling.surprise import Surprise
from gatewise.tasks.labelling.targets import MISSING, numbers_of
from gatewise.tasks.labelling.training_set import TrainingSet
from gatewise.tasks.structure import check_structure, structure
from gatewise.training import Checkpoints, Journal, LearningRates, Plan, plan_of, rates_of


class Labeller(BaseEstimator):
    """Says something of every time step of sequences of any lengths: a label, a value, or how surprising it is.

    One LSTM network reads the standardised channels and their first differences, in both directions, or with
    `look_ahead` forward alone; it is trained with AdamW, a cosine schedule and averaged weights on what is labelled.

    X may be a list of arrays `[T, X]` (or `[T]`), an array `[S, T, X]` (or `[S, T]`), a `gatewise.data.Ragged`, or a
    long table (one row a time step; a file, pandas, polars or Arrow) with `id`, `time` and `label` columns. NaN is a
    missing value: the network sees a mask. y holds for each sequence one label (or value) a step; None, NaN and empty
    text are steps without one, which are not learnt from and do not count in scores. A table brings its own.

    With output="anomalies" the network predicts each step from those before it; where the errors of that, compared with
    those on the validation part, are large, the step is surprising (Malhotra et al. 2015). Training data should be
    normal; steps whose label is 1 are left out of it, labels are optional.

    Args:
        hidden_size: H of each direction.
        output: "labels" (text or whole numbers), "values" (one or several numbers a step) or "anomalies".
        num_layers: LSTM layers.
        look_ahead: k of a causal model: what it says of step t depends on the steps up to t + k alone, and it can read
            streams. None: in both directions, on the whole sequence.
        dropout: probability, in training, between layers and before the output.
        noise: standard deviation of white noise added to training sequences, in those of each channel.
        label_smoothing: share of each target given to all classes evenly.
        class_weight: None; "balanced": inversely proportional to the steps of each label; or a dict label -> weight.
        stretch: sequences longer than so many steps are trained on in pieces of at most 1.5 times that, cut anew each
            epoch; they are predicted as a whole.
        batch_size: pieces a batch; None: a power of two from 16 to 128 that gives about 60 batches an epoch.
        batch_frames: time steps of a batch at most, padding included, in the place of `batch_size`; cuts then stay.
        learning_rate: the peak rate of AdamW.
        weight_decay: of AdamW.
        average_decay: of the moving average of the weights, which is what is kept; 0 for none.
        swa_from: the share of the training after which the learning rate stays, and the mean of the weights of all
            epochs since then is what is kept (stochastic weight averaging, with average_decay=0); 0 for none.
        accumulate: batches whose mean gradient is one step: the effect of larger batches in the memory of one.
        precision: of products in training: "float32", "bf16", or "fp16" with scaled losses; for GPUs. What is kept and
            predicts is float32.
        max_epochs: passes over the training part at most; None: as many as make about 2,000 steps, from 20 to 200.
        max_minutes: wall-clock minutes for the fit; None for no limit.
        patience: epochs without a better validation loss after which training stops; None for never.
        validation: the share of the sequences (or of the groups) to hold out, of fewer than 4 the end of each; 0 for
            none, then training runs to its last epoch.
        alarm: of anomalies: the share of the validation part's steps whose scores would raise alarm.
        id: a table's column that names each row's sequence; None takes "id".
        time: its column of time stamps; None takes "time" if there is one, else rows are in order.
        label: its column of labels, or columns of values; None takes "label".
        group: its column that says which sequences belong together, for instance their subject or recording: whole
            groups are held out for validation.
        channels: its channel columns; None takes all others.
        seed: of everything random; the same seed gives the same bits on the same machine and number of threads.
        threads: CPU threads; None leaves torch's setting.
        device: "cpu" or a CUDA device.
        progress: show a progress bar.

    Attributes:
        classes_: the labels, sorted, `[K]`; of output="labels".
        counts_: labelled steps of each class `[K]`; of values and anomalies one number.
        priors_: the share of each class in them `[K]`.
        n_features_in_: X, the channels.
        history_: one dict: name, best epoch, why it stopped and one dict an epoch.
        validation_: on what was held out: "log_loss" and "accuracy", or "rmse" (of anomalies in standard units).
        notes_: what was found and decided, in sentences.
        interrupted_: whether training was asked to stop early.
        surprise_: of anomalies: the distribution of errors, and the threshold of the alarm.

    References:
        Graves & Schmidhuber (2005): framewise labels, both directions, delays; Malhotra et al. (2015): anomalies.

    >>> rng = np.random.default_rng(0)
    >>> X = [np.repeat(rng.integers(0, 2, 6), 5).astype(float) for _ in range(24)]
    >>> y = [np.where(x > 0, "high", "low") for x in X]
    >>> model = Labeller(hidden_size=8, look_ahead=0, learning_rate=0.03, max_epochs=60).fit(X[:20], y[:20])
    >>> model.score(X[20:], y[20:])
    1.0
    """

    def __init__(
        self,
        hidden_size: int = 64,
        *,
        output: Literal["labels", "values", "anomalies"] = "labels",
        num_layers: int = 1,
        look_ahead: int | None = None,
        dropout: float = 0.2,
        noise: float = 0.1,
        label_smoothing: float = 0.0,
        class_weight: str | Mapping[Any, float] | None = None,
        stretch: int = 500,
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
        alarm: float = 0.01,
        id: str | None = None,
        time: str | None = None,
        label: str | Sequence[str] | None = None,
        group: str | None = None,
        channels: Sequence[str] | None = None,
        seed: int = 0,
        threads: int | None = None,
        device: str = "cpu",
        progress: bool = False,
    ) -> None:
        self.hidden_size = hidden_size
        self.output = output
        self.num_layers = num_layers
        self.look_ahead = look_ahead
        self.dropout = dropout
        self.noise = noise
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.stretch = stretch
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
        self.alarm = alarm
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
        init_from: "str | os.PathLike[str] | Labeller | None" = None,
    ) -> Self:
        """Train the network.

        Args:
            X: sequences, in any form the class names.
            y: for each sequence one label (or value, or V values) a step; may be left out where X brings labels.
            groups: one group a sequence `[S]`, as `group` names a column of them.
            checkpoints: where and how often the state of training is written (see `gatewise.Checkpoints`), or a
                folder for that; the same call with the same data then goes on from there. None: nowhere.
            init_from: a labeller, or its model folder, whose weights the network starts from. Channels and classes must
                be the same.

        Raises:
            DataError: sequences or labels that cannot be trained on, for instance of one class only.
            ConfigurationError: a parameter does not fit, or `init_from` is of other shapes.
            TrainingError: the loss is no longer finite.
            TrainingInterrupted: with checkpoints, Ctrl-C or SIGTERM asked to stop; what was done is saved.
            CheckpointError: the checkpoints cannot be used, or are of other parameters or data.
        """
        check_parameters(self)
        data = TrainingSet.read(self, X, y, groups, self._columns())
        start = None if init_from is None else _start(init_from, data)
        weights = None if start is None else start.state_dict()
        with (
            cpu_threads(self.threads),
            fit_journal(self, TASK, checkpoints, data=data.content, size=data.size, start=weights) as journal,
        ):
            network, result = train_network(self, data, start, journal)
        notes = list(data.notes)
        if result.stopped == "max_minutes":
            notes.append(f"max_minutes ended the training in epoch {len(result.history)}.")
        self.network_, self.preparation_, self.scale_ = network.eval(), data.preparation, data.scale
        self.counts_, self.n_features_in_ = data.counts, data.sequences.n_channels
        if data.classes is not None:
            self.classes_ = data.classes
        self.history_ = [
            {
                "name": "network",
                "best_epoch": result.best_epoch,
                "stopped": result.stopped,
                "epochs": list(result.history),
            }
        ]
        best = result.history[result.best_epoch - 1]
        if len(data.validation) == 0:
            self.validation_: dict[str, float] = {}
        elif self.output == "labels":
            self.validation_ = {"log_loss": float(best["log_loss"]), "accuracy": 1.0 - float(best["error"])}
        else:
            self.validation_ = {"rmse": float(best["rmse"])}
        if self.output == "anomalies":
            self.surprise_ = self._surprise(data)
            level = self.surprise_.threshold
            notes.append(f"Scores above {level:.3g} raise alarm, as {self.alarm:.2%} of the steps held out do.")
        self.structure_ = structure(self, STRUCTURE)
        self.notes_: tuple[str, ...] = tuple(notes)
        self.interrupted_ = result.stopped == "interrupted"
        return self

    def plan(self, X: Any, y: Any = None, groups: Any = None) -> Plan:
        """What `fit` would train, and what that takes of memory and time; nothing is trained. Raises as it."""
        check_parameters(self)
        data = TrainingSet.read(self, X, y, groups, self._columns())
        with cpu_threads(self.threads):
            return plan_of(lambda journal: self._train(data, journal))

    def learning_rates(self, X: Any, y: Any = None, groups: Any = None) -> LearningRates:
        """The range test of what `fit` would train: a suggestion for `learning_rate`. Raises as `fit`."""
        check_parameters(self)
        data = TrainingSet.read(self, X, y, groups, self._columns())
        with cpu_threads(self.threads):
            return rates_of(lambda journal: self._train(data, journal), progress=self.progress)

    def _train(self, data: TrainingSet, journal: Journal) -> None:
        train_network(self, data, None, journal)

    def _surprise(self, data: TrainingSet) -> Surprise:
        if not len(data.validation):
            raise DataError("nothing could be held out, and anomalies are judged by the errors on a validation part")
        with cpu_threads(self.threads):
            predicted = run_network(self.network_, data.preparation.apply(data.sequences), data.validation).numpy()
        errors = predicted - data.targets[rows_of(data.validation)].astype(np.float64)
        # Of a first step nothing could be known.
        errors[np.append(0, np.cumsum(lengths_of(data.validation))[:-1])] = np.nan
        return Surprise.fit(errors, self.alarm)

    # ------------------------------------------------------------------ prediction
    def sequences(self, X: Any, y: Any = None) -> LabelledSteps:
        """X as this model reads it, checked: the sequences, and where known their labels, ids and time stamps.

        Raises:
            DataError: X cannot be read or does not have the channels of training.
            ConfigurationError: a parameter that the model is made of was set after `fit`.
        """
        check_is_fitted(self)
        check_structure(self, self.structure_)
        steps = read_steps(X, y, self._columns(fitted=True), label_columns(self), labelled=None)
        self.preparation_.check(steps.sequences)
        return steps

    def predict_proba(self, X: Any) -> list[np.ndarray]:
        """Of each sequence the probabilities `[T, K]` of the classes in the order of `classes_`, float64.

        Raises:
            DataError: X cannot be read or does not have the channels of training.
            ConfigurationError: the model predicts no labels.
        """
        self._only("labels", "predict_proba")
        return self._split(*self._told(X))

    def predict(self, X: Any) -> list[np.ndarray]:
        """Of each sequence its labels `[T]`, its values `[T]` (`[T, V]` of several), or its alarms, bool `[T]`.

        Raises:
            DataError: X cannot be read or does not have the channels of training.
        """
        steps, told = self._told(X)
        return self._split(steps, self._final(told))

    def anomaly_scores(self, X: Any) -> list[np.ndarray]:
        """Of each sequence how surprising each step is after those before it, `[T]`; about 1 where all is well.

        A first step, which has none before it, has the score 0.

        Raises:
            DataError: X cannot be read or does not have the channels of training.
            ConfigurationError: the model is not of anomalies.
        """
        self._only("anomalies", "anomaly_scores")
        return self._split(*self._told(X))

    def log_likelihoods(self, X: Any) -> list[np.ndarray]:
        """Of each sequence `[T, K]`: ln p(class | x) - ln p(class), the scaled likelihoods of a hybrid with an HMM.

        By Bayes' rule that is ln p(x | class) up to a number that all classes share, which a search over states can use
        as the likelihood of a step (Bourlard & Morgan 1994). Priors are the shares in the labelled training steps; a
        model trained with class weights has others in it, which would be counted twice, so it is refused.

        Raises:
            DataError: X cannot be read or does not have the channels of training.
            ConfigurationError: the model predicts no labels, or was trained with class weights.
        """
        self._only("labels", "log_likelihoods")
        if self.class_weight is not None:
            raise ConfigurationError(
                "log_likelihoods divides by the classes' shares in training, but class_weight had others learnt: train "
                "with class_weight=None"
            )
        steps, told = self._told(X)
        return self._split(steps, np.log(np.maximum(told, 1e-30)) - np.log(self.priors_))

    @property
    def priors_(self) -> np.ndarray:
        """The share of each class in the labelled training steps `[K]`."""
        self._only("labels", "priors_")
        return self.counts_ / self.counts_.sum()

    def stream(self) -> LabellerStream:
        """A reader of one sequence that comes bit by bit; of a causal model.

        Raises:
            ConfigurationError: the model reads in both directions.
        """
        check_is_fitted(self)
        check_structure(self, self.structure_)
        return LabellerStream(self.network_, self.preparation_, self._meaning)

    def score(self, X: Any, y: Any = None) -> float:
        """Accuracy over the labelled steps; of values their R2; of anomalies the F1 of events.

        Raises:
            DataError: X does not fit the model, or the labels do not fit X.
        """
        found, name = self.evaluate(X, y), {"labels": "accuracy", "values": "r2", "anomalies": "event_f1"}[self.output]
        if name not in found:
            raise DataError("there are no labels to hold the model against: give y, or a table with a label column")
        return found[name]

    def evaluate(self, X: Any, y: Any = None) -> dict[str, Any]:
        """Metrics by their usual names, over the steps that have a label.

        Returns:
            Of labels "accuracy", "balanced_accuracy", "f1_macro", "log_loss" (nats) of steps, and "edit", "f1_10",
            "f1_25", "f1_50" of segments (see `segment_metrics`). Of values "rmse", "mae", "r2". Of anomalies
            "alarm_share" of the steps, and with labels "event_precision", "event_recall", "event_f1", "events",
            "alarms" (see `event_metrics`), and "average_precision" of the scores over steps. Of all "steps" (that
            count) and "sequences". Under "baseline" the same of always saying training's most frequent label, or its
            mean values.

        Raises:
            DataError: X does not fit the model, there are no labels, or there are some that training never saw.
        """
        steps = self.sequences(X, y)
        if steps.labels is None and self.output != "anomalies":
            raise DataError("there are no labels to hold the model against: give y, or a table with a label column")
        _, told = self._told(steps)
        if self.output == "labels":
            return evaluate_labels(self, steps, told)
        if self.output == "values":
            return evaluate_values(self, steps, told)
        return evaluate_anomalies(self, steps, told)

    @property
    def baseline_name_(self) -> str:
        """What `evaluate` holds the model against."""
        check_is_fitted(self)
        if self.output == "labels":
            return f"always {show_label(self.classes_[self.counts_.argmax()])}"
        return "mean of training" if self.output == "values" else "none"

    def confusion(self, X: Any, y: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """The labels `[K]`, and at how many steps each was predicted as which: int64 `[K, K]`, true rows.

        Raises:
            DataError: X does not fit the model, or there are no labels, or some that training never saw.
        """
        self._only("labels", "confusion")
        steps = self.sequences(X, y)
        if steps.labels is None:
            raise DataError("there are no labels to hold the model against: give y, or a table with a label column")
        targets = numbers_of(steps.labels, self.classes_)
        known = targets != MISSING
        predicted = self._told(steps)[1].argmax(1)
        return self.classes_, confusion_counts(targets[known], predicted[known], len(self.classes_))

    def observe(self, X: Any) -> dict[str, np.ndarray]:
        """What the first layer does, forward in time, over the first sequence of X.

        Returns:
            Input gate `i`, forget gate `f`, output gate `o` and cell state `c`, each `[T, H]`; and `input` `[T, X]`,
            the sequence itself.

        Raises:
            DataError: X cannot be read or does not have the channels of training.
        """
        sequence = self.sequences(X).sequences.select([0])
        inputs = torch.from_numpy(self.preparation_.apply(sequence).values)[:, None]
        with cpu_threads(self.threads):
            gates = self.network_.lstm.observe(self.network_.features(inputs.to(self.network_.difference_scale.device)))
        return {**{name: gates[name][:, 0].cpu().numpy() for name in ("i", "f", "o", "c")}, "input": sequence.values}

    def _told(self, X: Any) -> tuple[LabelledSteps, np.ndarray]:
        """The steps, and what the model says of them all: see `_meaning`."""
        steps = self.sequences(X)
        sequences = steps.sequences
        if not self.preparation_.masked and np.isnan(sequences.values).any():
            warnings.warn(
                "X has missing values, the training data had none: they are taken as the channel's mean. "
                "Train on data with missing values for a model that knows them.",
                UserWarning,
                stacklevel=3,
            )
        with cpu_threads(self.threads):
            spans = whole(sequences.offsets)
            outputs = run_network(self.network_, self.preparation_.apply(sequences), spans).numpy()
        told = self._meaning(outputs, sequences.values)
        if self.output == "anomalies":
            told[sequences.offsets[:-1]] = 0.0
        return steps, told

    def _meaning(self, outputs: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Outputs `[N, K]` as probabilities `[N, K]`, values `[N, V]`, or scores `[N]` of the values `[N, X]`."""
        if self.output == "labels":
            return torch.from_numpy(outputs).double().softmax(-1).numpy()
        if self.output == "anomalies":
            errors = outputs.astype(np.float64) - self.preparation_.scaler.transform(values.astype(np.float64))
            return self.surprise_.scores(errors)
        assert self.scale_ is not None
        return outputs.astype(np.float64) * self.scale_.scale + self.scale_.mean

    def _final(self, told: np.ndarray) -> np.ndarray:
        """What `predict` says where the model said this."""
        if self.output == "labels":
            return self.classes_[told.argmax(1)]
        if self.output == "anomalies":
            return told > self.surprise_.threshold
        return told[:, 0] if told.shape[1] == 1 else told

    def _split(self, steps: LabelledSteps, rows: np.ndarray) -> list[np.ndarray]:
        return [rows[steps.of(i)] for i in range(len(steps.sequences))]

    def _only(self, output: str, what: str) -> None:
        check_is_fitted(self)
        if self.output != output:
            raise ConfigurationError(f'{what} is of models with output="{output}"; this one has output="{self.output}"')

    def _columns(self, fitted: bool = False) -> Columns:
        channels = None if self.channels is None else tuple(self.channels)
        if fitted and self.preparation_.channels is not None:
            channels = self.preparation_.channels
        return Columns(self.id, self.time, None, channels, self.group)

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
        return save_labeller(self, path, overwrite=overwrite, metrics=metrics, extra=extra)

    @classmethod
    def load(cls, path: str | os.PathLike[str] | ModelFolder) -> Self:
        """The labeller that `save` wrote, on the CPU if its device is not there.

        Raises:
            ModelFolderError: the folder is missing, damaged, altered, of a newer format or of another task.
        """
        return load_labeller(cls, path)

    network_: LabellerNetwork
    preparation_: Preparation

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "structure_")


def _start(source: "str | os.PathLike[str] | Labeller", data: TrainingSet) -> LabellerNetwork:
    """The network to start from, if its classes and channels are those of the data."""
    model = source if isinstance(source, Labeller) else Labeller.load(source)
    check_is_fitted(model)
    if data.classes is not None and model.output == "labels" and not np.array_equal(model.classes_, data.classes):
        raise ConfigurationError(
            f"the model to start from knows the labels {show_labels(model.classes_)}; "
            f"these data have {show_labels(data.classes)}"
        )
    model.preparation_.check(data.sequences)
    return model.network_
