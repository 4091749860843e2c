"""The transcriber: from pen strokes, line images and recordings to text."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from gatewise.errors import DataError
from gatewise.tasks.ctc import BeamDecoder, greedy
from gatewise.tasks.device import cpu_threads
from gatewise.tasks.folder import ModelFolder
from gatewise.tasks.journal import fit_journal
from gatewise.tasks.structure import check_structure, structure
from gatewise.tasks.transcription.comparison import Comparison
from gatewise.tasks.transcription.examples import Examples, check_lengths
from gatewise.tasks.transcription.fitting import start_from, train_network
from gatewise.tasks.transcription.frontends import AudioInputs, Inputs
from gatewise.tasks.transcription.inputs import encode_all, read_examples
from gatewise.tasks.transcription.networks import Network
from gatewise.tasks.transcription.objective import run_network
from gatewise.tasks.transcription.parameters import STRUCTURE, check_parameters
from gatewise.tasks.transcription.storage import TASK, load_transcriber, make_network, save_transcriber
from gatewise.tasks.transcription.streaming import TranscriberStream
from gatewise.tasks.transcription.training_set import TrainingSet
from gatewise.tasks.transcription.transcription import Decoder, Symbol, Transcription, aligned, transcribe
from gatewise.training import Checkpoints, Journal, LearningRates, Plan, TrainingResult, plan_of, rates_of

Unit = Literal["characters", "tokens", "pieces"]


class Transcriber(BaseEstimator):
    """Reads unsegmented sequences: a recurrent network trained with connectionist temporal classification (CTC).

    X may be a list of recordings: paths of line images (PNG, JPEG, TIFF) or sound, arrays (frames `[T, X]`; with
    `inputs` also images `[height, width]` or samples `[N]`); or the path of a manifest (a table with the columns `path`
    and `text`) or of a folder of pairs (`x.png` and `x.txt`). y holds one text a recording; where X brings texts, y is
    left out. Nobody has to say where in a recording a symbol is.

    Args:
        backbone: the network: "blstm", "deep-blstm", "conv-blstm", "mdlstm", or "lstm", which reads forward only and
            can be streamed. None: "conv-blstm" for images, else "blstm".
        hidden_size: H of each direction; None: the backbone's.
        num_layers: LSTM layers; None: the backbone's.
        subsampling: how many frames become one step of the network: 1, 2 or 4, joined, or pooled where it convolves.
            Fewer steps are less work, and fewer blanks to be learned. None: the most that leaves each text enough
            steps.
        look_ahead: how many frames to come each step of "lstm" sees; a stream is that much late.
        dropout: probability, in training, between layers and before the symbols.
        inputs: what recordings are, if the names of their files do not say it: "frames", "image", "ink" or "audio".
        height: of line images, to which they are brought, in pixels.
        text: a manifest's column of texts; None takes "text".
        unit: what is written: "characters"; "tokens", which white space parts, such as phones; or "pieces" of words.
        pieces: how many pieces of words there are, with `unit="pieces"`.
        augmentation: how far training sequences are varied at random: images are slanted, stretched and bent, other
            frames made noisy and blotted out in parts. 1 is usual, 0 is not at all.
        blank_penalty: what a blank costs in the loss of the first step, in nats, falling to 0 within 200 steps: it
            keeps the network from learning first of all to say nothing.
        batch_size: sequences of a batch.
        batch_frames: frames of a batch at most, padding included, in the place of `batch_size`: sequences of similar
            length stand side by side, fewer of the long ones. None: as `batch_size` says.
        learning_rate: the peak rate of AdamW.
        weight_decay: of AdamW.
        weight_noise: standard deviation of normal noise on all weights while gradients are taken (Graves, Mohamed &
            Hinton 2013, section 4, have 0.075 once the network has learned without); 0 for none.
        average_decay: of the moving average of the weights, which is what is kept; 0 for none.
        accumulate: batches whose mean gradient is one step: the effect of larger batches in the memory of one.
        precision: of products in training: "float32", "bf16", or "fp16" with scaled losses; for GPUs. What is kept and
            predicts is float32.
        max_epochs: passes over the training part at most.
        max_minutes: wall-clock minutes of training, once recordings are read; None for no limit.
        patience: epochs without a lower validation error rate after which training stops; None for never.
        validation: the share of sequences, of 1,000 at most, that is held out to choose the best epoch; 0 for none.
        beam: how many prefixes the search keeps in prediction; 1 is the best path.
        seed: of everything random; the same seed gives the same bits on the same machine and number of threads.
        threads: CPU threads; None leaves torch's setting.
        device: "cpu" or a CUDA device.
        progress: show a progress bar.

    Attributes:
        vocabulary_: what training's texts are made of.
        backbone_: the network's name.
        subsampling_: how many frames become one step.
        front_end_: how recordings become frames.
        scaler_: of frames.
        n_features_in_: X, the features of a frame.
        trained_on_: how many sequences.
        history_: the run's name, best epoch, why it stopped and one dict an epoch.
        validation_: "error_rate" (of symbols) and "ctc_loss" on what was held out; empty without it.
        notes_: what was found and decided, in sentences.
        interrupted_: whether training was asked to stop early.
        network_: the network.

    References:
        Graves, Fernández, Gomez & Schmidhuber (2006), Connectionist Temporal Classification; of the networks see
        `gatewise.tasks.transcription.BACKBONES`.

    >>> rng = np.random.default_rng(0)
    >>> def spoken(text):  # two frames a letter, two of silence between letters, and noise
    ...     places = ["_abc".index(letter) for letter in "_" + "_".join(text) + "_"]
    ...     return np.repeat(np.eye(4)[places], 2, axis=0) + 0.1 * rng.normal(size=(2 * len(places), 4))
    >>> texts = ["".join(rng.choice(["a", "b", "c"], rng.integers(2, 5))) for _ in range(64)]
    >>> model = Transcriber("blstm", hidden_size=16, num_layers=1, batch_size=8, learning_rate=0.02, max_epochs=40)
    >>> model.fit([spoken(text) for text in texts], texts).predict([spoken("bca"), spoken("ccab")])
    ['bca', 'ccab']
    """

    def __init__(
        self,
        backbone: str | None = None,
        *,
        hidden_size: int | None = None,
        num_layers: int | None = None,
        subsampling: int | None = None,
        look_ahead: int = 0,
        dropout: float = 0.0,
        inputs: Inputs | None = None,
        height: int = 32,
        text: str | None = None,
        unit: Unit = "characters",
        pieces: int | None = None,
        augmentation: float = 1.0,
        blank_penalty: float = 1.0,
        batch_size: int = 16,
        batch_frames: int | None = None,
        learning_rate: float = 4e-3,
        weight_decay: float = 1e-2,
        weight_noise: float = 0.0,
        average_decay: float = 0.99,
        accumulate: int = 1,
        precision: str = "float32",
        max_epochs: int = 100,
        max_minutes: float | None = None,
        patience: int | None = 20,
        validation: float = 0.1,
        beam: int = 1,
        seed: int = 0,
        threads: int | None = None,
        device: str = "cpu",
        progress: bool = False,
    ) -> None:
        self.backbone = backbone
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.subsampling = subsampling
        self.look_ahead = look_ahead
        self.dropout = dropout
        self.inputs = inputs
        self.height = height
        self.text = text
        self.unit: Unit = unit
        self.pieces = pieces
        self.augmentation = augmentation
        self.blank_penalty = blank_penalty
        self.batch_size = batch_size
        self.batch_frames = batch_frames
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.weight_noise = weight_noise
        self.average_decay = average_decay
        self.accumulate = accumulate
        self.precision = precision
        self.max_epochs = max_epochs
        self.max_minutes = max_minutes
        self.patience = patience
        self.validation = validation
        self.beam = beam
        self.seed = seed
        self.threads = threads
        self.device = device
        self.progress = progress

    # ------------------------------------------------------------------ training
    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        checkpoints: "Checkpoints | str | os.PathLike[str] | None" = None,
        init_from: "str | os.PathLike[str] | Transcriber | None" = None,
    ) -> Self:
        """Train the network.

        Args:
            X: recordings, in any form the class names.
            y: one text a recording; left out where X brings texts.
            checkpoints: where and how often the state of training is written (see `gatewise.Checkpoints`), or a
                folder for that; the same call with the same data then goes on from there. None: nowhere.
            init_from: a transcriber, or its model folder, whose weights training starts from; symbols, features and
                sizes must be the same.

        Raises:
            DataError: recordings or texts that cannot be trained on, for instance recordings too short for their text.
            ConfigurationError: a parameter does not fit, or `init_from` is of other shapes.
            TrainingError: the loss is no longer finite.
            TrainingInterrupted: with checkpoints, Ctrl-C or SIGTERM asked to stop; what was done is saved.
            CheckpointError: the checkpoints cannot be used, or are of other parameters or data.
        """
        check_parameters(self)
        data = TrainingSet.read(self, X, y)
        start = None if init_from is None else _start(init_from)
        weights = None if start is None else start.network_.state_dict()
        with (
            cpu_threads(self.threads),
            fit_journal(self, TASK, checkpoints, data=data.content, size=data.size, start=weights) as journal,
        ):
            network, result, said = self._train(data, start, journal)
        self._take(data)
        self.network_ = network
        self.n_features_in_ = data.examples.frames.n_channels
        self.trained_on_ = len(data.training)
        run = {"name": "network", "best_epoch": result.best_epoch, "stopped": result.stopped}
        self.history_: list[dict[str, Any]] = [{**run, "epochs": list(result.history)}]
        best = result.history[result.best_epoch - 1]
        names = ("error_rate", "ctc_loss")
        self.validation_ = {name: best[name] for name in names} if len(data.validation) else {}
        self.notes_: tuple[str, ...] = (*data.notes, *said)
        self.interrupted_ = result.stopped == "interrupted"
        self.structure_ = structure(self, STRUCTURE)
        return self

    def plan(self, X: Any, y: Any = None) -> Plan:
        """What `fit` would train, and what that takes of memory and time; nothing is trained. Raises as it."""
        check_parameters(self)
        data = TrainingSet.read(self, X, y)
        with cpu_threads(self.threads):
            return plan_of(lambda journal: self._train(data, None, journal))

    def learning_rates(self, X: Any, y: Any = None) -> LearningRates:
        """The range test of what `fit` would train: a suggestion for `learning_rate`. Raises as `fit`."""
        check_parameters(self)
        data = TrainingSet.read(self, X, y)
        with cpu_threads(self.threads):
            return rates_of(lambda journal: self._train(data, None, journal), progress=self.progress)

    def _take(self, data: TrainingSet) -> None:
        """What the data say of the model."""
        self.vocabulary_, self.front_end_, self.scaler_ = data.vocabulary, data.front, data.scaler
        self.backbone_, self.subsampling_ = data.backbone, data.subsampling

    def _train(
        self, data: TrainingSet, start: "Transcriber | None", journal: Journal
    ) -> tuple[Network, TrainingResult, list[str]]:
        # Another one, so that a fit that fails leaves this one as it was.
        draft = type(self)(**self.get_params(deep=False))
        draft._take(data)
        network = make_network(draft)
        if start is not None:
            start_from(network, start, draft)
        return train_network(network.to(self.device), data, draft, journal)

    # ------------------------------------------------------------------ prediction
    def examples(self, X: Any, y: Any = None, *, text: bool | None = None) -> Examples:
        """X as this model reads it, checked: frames, names, and texts where they are known.

        Raises:
            DataError: X cannot be read, or has other features than training's frames.
            ConfigurationError: a parameter that the model is made of was set after `fit`.
        """
        check_is_fitted(self)
        check_structure(self, self.structure_)
        found = read_examples(X, y, self.front_end_, text=text, column=self.text, progress=self.progress)
        if found.frames.n_channels != self.n_features_in_:
            raise DataError(
                f"frames have {found.frames.n_channels} features, those of training {self.n_features_in_}: "
                "give recordings of the same kind"
            )
        return found

    def posteriors(self, X: Any) -> list[np.ndarray]:
        """Probabilities `[T', V]` of the blank (first) and of each symbol over each recording's steps, float32.

        T' is the number of frames over `subsampling_`, rounded up. Raises as `predict`.
        """
        with cpu_threads(self.threads):
            return [row.softmax(1).numpy() for row in run_network(self.network_, self.examples(X, text=False))]

    def transcribe(self, X: Any, *, decoder: Decoder | None = None) -> list[Transcription]:
        """The text of each recording, with its confidence and where each symbol is.

        Args:
            X: recordings.
            decoder: such as a `BeamDecoder` with a language model; None: as `beam` says.

        Raises:
            DataError: X cannot be read or has other features than training's frames.
        """
        examples = self.examples(X, text=False)
        with cpu_threads(self.threads):
            rows = run_network(self.network_, examples, progress=self.progress)
            return transcribe(rows, decoder or self._decoder, self.vocabulary_, self.subsampling_)

    def predict(self, X: Any) -> list[str]:
        """The text of each recording. Raises as `transcribe`."""
        return [found.text for found in self.transcribe(X)]

    def score(self, X: Any, y: Any = None) -> float:
        """One minus the error rate of symbols (the CER of characters); below 0 where most is wrong.

        Raises:
            DataError: X does not fit the model; texts are missing or empty.
        """
        found = self.evaluate(X, y)
        return 1.0 - found["per" if self.unit == "tokens" else "cer"]

    def evaluate(self, X: Any, y: Any = None) -> dict[str, Any]:
        """Metrics by their usual names.

        Returns:
            "cer" and "wer", or of tokens, such as phones, "per"; "text_error", the share of texts with an error;
            "calibration_error" of confidences; "sequences" (S).

        Raises:
            DataError: X does not fit the model; texts are missing, empty, or have symbols that training's did not.
        """
        return self.compare(X, y).metrics()

    def compare(self, X: Any, y: Any = None) -> Comparison:
        """What is read beside what is said: metrics, confusions, and the calibration of confidences.

        Raises as `evaluate`.
        """
        examples = self.examples(X, y, text=True)
        encode_all(examples, self.vocabulary_)
        assert examples.texts is not None
        return Comparison(examples.texts, tuple(self.transcribe(examples)), self.vocabulary_)

    def confusion(self, X: Any, y: Any = None) -> tuple[list[str], np.ndarray]:
        """K symbols that occur with "" (nothing) behind them, and how often each was read as which.

        int64 `[K+1, K+1]`, true rows by read columns. Raises as `evaluate`.
        """
        return self.compare(X, y).confusion()

    def align(self, X: Any, y: Any = None) -> list[tuple[Symbol, ...]]:
        """Where in each recording the symbols of its known text are (forced alignment).

        Raises:
            DataError: X does not fit the model; texts are missing, empty, too long for their recording, or have symbols
                that training's did not.
        """
        examples = self.examples(X, y, text=True)
        targets = encode_all(examples, self.vocabulary_)
        check_lengths(examples, targets, self.subsampling_, "correct their texts")
        with cpu_threads(self.threads):
            rows = run_network(self.network_, examples, progress=self.progress)
            pairs = zip(rows, targets, strict=True)
            return [aligned(row, labels, self.vocabulary_, self.subsampling_) for row, labels in pairs]

    def stream(self) -> TranscriberStream:
        """A reader of one recording whose frames come bit by bit; it finds what `predict` finds.

        Raises:
            ConfigurationError: the network reads in both directions.
        """
        check_is_fitted(self)
        check_structure(self, self.structure_)
        front = self.front_end_
        features = front.features if isinstance(front, AudioInputs) and not front.by_utterance else None
        return TranscriberStream(self.network_, self.vocabulary_, self.beam, features)

    def _decoder(self, logits: torch.Tensor) -> Any:
        if self.beam == 1:
            return [greedy(logits)]
        return BeamDecoder(width=self.beam)(logits)

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
        return save_transcriber(self, path, overwrite=overwrite, metrics=metrics, extra=extra)

    @classmethod
    def load(cls, path: str | os.PathLike[str] | ModelFolder) -> Self:
        """The transcriber that `save` wrote, on the CPU if its device is not there.

        Raises:
            ModelFolderError: the folder is missing, damaged, altered, of a newer format or of another task.
        """
        return load_transcriber(cls, path)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")


def _start(source: "str | os.PathLike[str] | Transcriber") -> Transcriber:
    model = source if isinstance(source, Transcriber) else Transcriber.load(source)
    check_is_fitted(model)
    return model
