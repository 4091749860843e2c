"""The generator: says what comes next, and writes on."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from gatewise.errors import ConfigurationError
from gatewise.tasks.arguments import is_count
from gatewise.tasks.device import check_seed, cpu_threads
from gatewise.tasks.folder import ModelFolder
from gatewise.tasks.generation.corpus import Corpus
from gatewise.tasks.generation.events import read_events
from gatewise.tasks.generation.fitting import make_network, start_from, train_network
from gatewise.tasks.generation.labels import GeneratorLabels
from gatewise.tasks.generation.network import GeneratorNetwork
from gatewise.tasks.generation.parameters import STRUCTURE, check_parameters
from gatewise.tasks.generation.sampling import Sampler
from gatewise.tasks.generation.scoring import likeliest_events, score_corpus, score_frequencies
from gatewise.tasks.generation.storage import TASK, load_generator, save_generator
from gatewise.tasks.generation.symbols import TextSymbols
from gatewise.tasks.generation.texts import read_texts
from gatewise.tasks.generation.training_set import TrainingSet
from gatewise.tasks.generation.writing import write_events, write_text
from gatewise.tasks.journal import fit_journal
from gatewise.tasks.structure import check_structure, structure
from gatewise.training import Checkpoints, Journal, LearningRates, Plan, TrainingResult, plan_of, rates_of

Unit = Literal["characters", "pieces", "events"]
METRICS = {  # of the validation part, the first one chooses the epoch
    "text": ("bits_per_character", "accuracy", "nats"),
    "events": ("frame_nll", "nats"),
}


class Generator(BaseEstimator):
    """A language model: a recurrent network that is trained to say what comes next, and so can write on.

    X of texts may be a file, a folder of `.txt` files, or a list of texts. With `unit="events"` it is polyphonic: a
    table with a row for each frame (see `gatewise.tasks.generation.read_events`), a list of piano rolls `[T, E]`, or a
    list of pieces, each a list of frames, each a list of events.

    Documents follow one another in parallel streams, which are read in chunks; states are carried from chunk to chunk
    and begin anew with every document (truncated backpropagation through time: Williams & Peng 1990).

    Args:
        unit: what is written: "characters"; "pieces" of words, by byte-pair encoding; or "events", several at a time.
        cell: the name of a published cell (`gatewise cells`) that reads nothing but its input.
        hidden_size: H.
        num_layers: recurrent layers.
        dropout: probability, in training, between layers and before the last one.
        pieces: how many pieces of words there are, with `unit="pieces"`.
        alphabet: symbols that the model is to know beside those of the training data, where they are improbable instead
            of impossible: characters, or events parted by spaces.
        transpose: by how many places, up or down, the events of each document are moved at random in training. It is
            for events that are whole numbers, such as pitches.
        joint_units: of events, hidden units that say which events of a frame go together: each is then said from what
            came before and from the events below it in its frame (as in RNN-NADE); 0: each on its own.
        events: a table's column of events; None takes "events".
        piece: its column that names each frame's piece; None takes "piece" if there is one.
        streams: how many streams are read at a time, at most: each has at least one whole chunk.
        chunk: steps from one update of the weights to the next (k1).
        reach: steps that gradients reach back (k2), at least `chunk`; None for `chunk`.
        learning_rate: the peak rate of AdamW.
        weight_decay: of AdamW.
        average_decay: of the moving average of the weights, which is what is kept; 0 for none.
        accumulate: chunks whose mean gradient is one step.
        precision: of products in training: "float32", "bf16", or "fp16" with scaled losses; for GPUs. What is kept and
            writes is float32.
        max_epochs: passes over the training part at most.
        max_minutes: wall-clock minutes of training; None for no limit.
        patience: epochs without a better validation score after which training stops; None for never.
        validation: the share that is held out to choose the best epoch: of ten documents or more some of them, of fewer
            the end of each; 0 for none.
        seed: of everything random; the same seed gives the same bits on the same machine and number of threads.
        threads: CPU threads; None leaves torch's setting.
        device: "cpu" or a CUDA device.
        progress: show a progress bar.

    Attributes:
        symbols_: what is written.
        frequencies_: how often each symbol comes in the training part `[V]`; the baseline of `evaluate`.
        trained_on_: how much, in words.
        history_: the run's name, best epoch, why it stopped and one dict an epoch.
        validation_: the metrics of what was held out; empty without it.
        notes_: what was found and decided, in sentences.
        interrupted_: whether training was asked to stop early.
        network_: the network.

    References:
        Mikolov, Karafiát, Burget, Černocký & Khudanpur (2010), Recurrent Neural Network Based Language Model; Graves
        (2013), Generating Sequences With Recurrent Neural Networks; of events Boulanger-Lewandowski, Bengio & Vincent
        (2012), Modeling Temporal Dependencies in High-Dimensional Sequences.

    >>> model = Generator(hidden_size=16, chunk=8, learning_rate=0.02, max_epochs=20, validation=0)
    >>> model.fit(["abcabcabcabcabcabcabcabcabcabc"] * 20).generate("ab", length=7, temperature=0)
    'cabcabc'
    """

    def __init__(
        self,
        unit: Unit = "characters",
        *,
        cell: str = "lstm",
        hidden_size: int = 256,
        num_layers: int = 1,
        dropout: float = 0.3,
        pieces: int | None = None,
        alphabet: str | None = None,
        transpose: int = 0,
        joint_units: int = 128,
        events: str | None = None,
        piece: str | None = None,
        streams: int = 8,
        chunk: int = 50,
        reach: int | None = None,
        learning_rate: float = 4e-3,
        weight_decay: float = 5e-2,
        average_decay: float = 0.0,
        accumulate: int = 1,
        precision: str = "float32",
        max_epochs: int = 16,
        max_minutes: float | None = None,
        patience: int | None = 5,
        validation: float = 0.1,
        seed: int = 0,
        threads: int | None = None,
        device: str = "cpu",
        progress: bool = False,
    ) -> None:
        self.unit: Unit = unit
        self.cell = cell
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.pieces = pieces
        self.alphabet = alphabet
        self.transpose = transpose
        self.joint_units = joint_units
        self.events = events
        self.piece = piece
        self.streams = streams
        self.chunk = chunk
        self.reach = reach
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.average_decay = average_decay
        self.accumulate = accumulate
        self.precision = precision
        self.max_epochs = max_epochs
        self.max_minutes = max_minutes
        self.patience = patience
        self.validation = validation
        self.seed = seed
        self.threads = threads
        self.device = device
        self.progress = progress

    # ------------------------------------------------------------------ training
    def fit(
        self,
        X: Any,
        y: None = None,
        *,
        checkpoints: "Checkpoints | str | os.PathLike[str] | None" = None,
        init_from: "str | os.PathLike[str] | Generator | None" = None,
    ) -> Self:
        """Train the network.

        Args:
            X: documents, in any form the class names.
            y: not used; what is to be said is in X.
            checkpoints: where and how often the state of training is written (see `gatewise.Checkpoints`), or a
                folder for that; the same call with the same data then goes on from there. None: nowhere.
            init_from: a generator, or its model folder, whose weights training starts from; symbols, cell and sizes
                must be the same.

        Raises:
            DataError: documents that cannot be trained on.
            ConfigurationError: a parameter does not fit, or `init_from` is of other shapes.
            CellError: there is no such cell.
            TrainingError: the loss is no longer finite.
            TrainingInterrupted: with checkpoints, Ctrl-C or SIGTERM asked to stop; what was done is saved.
            CheckpointError: the checkpoints cannot be used, or are of other parameters or data.
        """
        check_parameters(self)
        data = TrainingSet.read(self, X)
        start = None if init_from is None else _start(init_from)
        weights = None if start is None else start.network_.state_dict()
        with (
            cpu_threads(self.threads),
            fit_journal(self, TASK, checkpoints, data=data.content, size=data.size, start=weights) as journal,
        ):
            network, result, said = self._train(data, start, journal)
        self._take(data)
        self.network_ = network
        self.trained_on_ = data.size
        run = {"name": "network", "best_epoch": result.best_epoch, "stopped": result.stopped}
        self.history_: list[dict[str, Any]] = [{**run, "epochs": list(result.history)}]
        best = result.history[result.best_epoch - 1]
        self.validation_ = {} if data.validation is None else {name: best[name] for name in METRICS[data.symbols.kind]}
        self.notes_: tuple[str, ...] = (*data.notes, *said)
        self.interrupted_ = result.stopped == "interrupted"
        self.structure_ = structure(self, STRUCTURE)
        return self

    def plan(self, X: Any) -> Plan:
        """What `fit` would train, and what that takes of memory and time; nothing is trained. Raises as it."""
        check_parameters(self)
        data = TrainingSet.read(self, X)
        with cpu_threads(self.threads):
            return plan_of(lambda journal: self._train(data, None, journal))

    def learning_rates(self, X: Any) -> LearningRates:
        """The range test of what `fit` would train: a suggestion for `learning_rate`. Raises as `fit`."""
        check_parameters(self)
        data = TrainingSet.read(self, X)
        with cpu_threads(self.threads):
            return rates_of(lambda journal: self._train(data, None, journal), progress=self.progress)

    def _take(self, data: TrainingSet) -> None:
        """What the data say of the model."""
        self.symbols_, self.frequencies_ = data.symbols, data.frequencies

    def _train(
        self, data: TrainingSet, start: "Generator | None", journal: Journal
    ) -> tuple[GeneratorNetwork, TrainingResult, list[str]]:
        # Another one, so that a fit that fails leaves this one as it was.
        draft = type(self)(**self.get_params(deep=False))
        draft._take(data)
        network = make_network(draft)
        if start is not None:
            start_from(network, start, draft)
        return train_network(network.to(self.device), data, draft, journal)

    # ------------------------------------------------------------------ use
    def corpus(self, X: Any) -> Corpus:
        """X as this model reads it, checked.

        Raises:
            DataError: X cannot be read, or has symbols that the model does not know.
            ConfigurationError: a parameter that the model is made of was set after `fit`.
        """
        check_is_fitted(self)
        check_structure(self, self.structure_)
        if isinstance(self.symbols_, TextSymbols):
            return self.symbols_.corpus(*read_texts(X))
        return self.symbols_.corpus(read_events(X, self.events, self.piece))

    def evaluate(self, X: Any) -> dict[str, Any]:
        """Metrics by their usual names.

        Returns:
            Of texts "bits_per_character" and "accuracy" (of the likeliest symbol); of events "frame_nll" (nats a frame)
            and "frame_accuracy". "nats" of a step, "documents" (S), "steps", and under "baseline" the metrics of always
            saying how often each symbol came in training.

        Raises:
            DataError: X cannot be read, or has symbols that the model does not know.
        """
        corpus = self.corpus(X)
        with cpu_threads(self.threads):
            found = score_corpus(self.network_, corpus, self.symbols_)
        baseline = score_frequencies(self.frequencies_, corpus, self.symbols_)
        return {**found, "documents": len(corpus), "steps": corpus.steps, "baseline": baseline}

    @property
    def baseline_name_(self) -> str:
        """What the baseline of `evaluate` is."""
        return "training's frequencies"

    def score(self, X: Any, y: None = None) -> float:
        """Minus the bits of a character, or minus the nats of a frame: higher is better. Raises as `evaluate`."""
        return -self.evaluate(X)[self.symbols_.metric]

    def predict(self, X: Any) -> list[Any]:
        """What most likely comes next after each document: a symbol ("" for the end), or the events likelier than not.

        Raises:
            DataError: X cannot be read, or has symbols that the model does not know.
        """
        corpus = self.corpus(X)
        kind = torch.float32 if self.unit == "events" else torch.int64
        found: list[Any] = []
        with cpu_threads(self.threads), torch.no_grad():
            for start, length in zip(corpus.starts.tolist(), corpus.lengths.tolist(), strict=True):
                # Of a text the last step is its end, before which every row has been read.
                rows = corpus.rows[start : start + length + (self.unit == "events")]
                values = torch.from_numpy(rows.astype(np.int64)).to(kind).unsqueeze(1).to(self._device)
                given = self.network_(values, None)[0][-1]
                found.append(
                    self.symbols_.write(int(given[0].argmax()), first=False)
                    if isinstance(self.symbols_, TextSymbols)
                    else self.symbols_.frame(likeliest_events(self.network_, given)[0].cpu().numpy())
                )
        return found

    def stream(
        self,
        prompt: Any = None,
        *,
        length: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        seed: int = 0,
    ) -> Iterator[Any]:
        """What follows a prompt, symbol by symbol as it is drawn. See `generate`."""
        check_is_fitted(self)
        check_structure(self, self.structure_)
        if not is_count(length, 0):
            raise ConfigurationError(f"length is {length!r}, expected a whole number of at least 0")
        check_seed(seed)
        sampler = Sampler(temperature=temperature, top_k=top_k, seed=int(seed))
        if isinstance(self.symbols_, TextSymbols):
            if prompt is not None and not isinstance(prompt, str):
                raise ConfigurationError(f"prompt is {type(prompt).__name__}, expected text")
            return write_text(self.network_, self.symbols_, self.symbols_.encode(prompt or ""), length, sampler)
        rows = torch.zeros(0, self.symbols_.size)
        if prompt is not None and len(prompt):
            rows = torch.from_numpy(self.symbols_.corpus(read_events([prompt])).rows[1:-1])
        return write_events(self.network_, self.symbols_, rows, length, sampler)

    def generate(
        self,
        prompt: Any = None,
        *,
        length: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        seed: int = 0,
    ) -> Any:
        """What follows a prompt.

        Args:
            prompt: text, or for events a list of frames or a piano roll `[T, E]`; None for the beginning of a document.
            length: how many symbols or frames at most; a text may end before.
            temperature: below 1 what is likely becomes likelier; 0 takes the likeliest, above 1 all become more alike.
            top_k: of how many of the likeliest symbols one is drawn; of events, how many may sound at most.
            seed: of the draws; the same seed writes the same.

        Returns:
            The text, or the frames as a list, each a tuple of events; without the prompt.

        Raises:
            DataError: the prompt has symbols that the model does not know.
            ConfigurationError: length, temperature, top_k or seed cannot be meant.
        """
        with cpu_threads(self.threads):
            found = list(self.stream(prompt, length=length, temperature=temperature, top_k=top_k, seed=seed))
        return found if self.unit == "events" else "".join(found)

    def label_model(self, labels: Sequence[str], *, blank: int = 0) -> GeneratorLabels:
        """This model as the language model of a decoder: `BeamDecoder(language_model=...)`.

        Args:
            labels: the symbol of each of the decoder's labels, such as `Transcriber.vocabulary_.symbols`.
            blank: the number of the blank.

        Raises:
            DataError: the generator does not know a symbol.
            ConfigurationError: it writes events.
        """
        check_is_fitted(self)
        check_structure(self, self.structure_)
        return GeneratorLabels(self.network_, self.symbols_, labels, blank=blank)

    @property
    def _device(self) -> torch.device:
        return next(self.network_.parameters()).device

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
        return save_generator(self, path, overwrite=overwrite, metrics=metrics, extra=extra)

    @classmethod
    def load(cls, path: str | os.PathLike[str] | ModelFolder) -> Self:
        """The generator that `save` wrote, on the CPU if its device is not there.

        Raises:
            ModelFolderError: the folder is missing, damaged, altered, of a newer format or of another task.
        """
        return load_generator(cls, path)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")


def _start(source: "str | os.PathLike[str] | Generator") -> Generator:
    model = source if isinstance(source, Generator) else Generator.load(source)
    check_is_fitted(model)
    return model
