"""What a transcriber is trained on: sequences with their labels, the network that suits them, a validation part."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewise.data import Standardizer
from gatewise.data.text import Vocabulary
from gatewise.tasks.transcription.backbones import BACKBONES, SUBSAMPLINGS
from gatewise.tasks.transcription.examples import Examples, check_lengths, steps_needed
from gatewise.tasks.transcription.frontends import FrontEnd, front_end
from gatewise.tasks.transcription.inputs import encode_all, find_kind, read_examples

if TYPE_CHECKING:
    from gatewise.tasks.transcription.transcriber import Transcriber

# A validation part has at most so many sequences: more cost time after every epoch and tell little more. With fewer
# than `LEAST` sequences there is none, because it says nothing and costs the training part much.
MOST, LEAST = 1000, 10
# The steps that every text keeps, for each that it needs, where subsampling is free to choose.
SLACK = 1.5


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """S sequences to train on.

    Attributes:
        examples: the sequences with their texts.
        front: how recordings became frames.
        vocabulary: what texts are made of.
        targets: the labels of each text.
        backbone: the network's name.
        subsampling: how many frames become one step.
        scaler: of the frames, from the training part.
        training: places of the training part.
        validation: places of the validation part, maybe none.
        notes: what was found, in sentences.
    """

    examples: Examples
    front: FrontEnd
    vocabulary: Vocabulary
    targets: list[tuple[int, ...]]
    backbone: str
    subsampling: int
    scaler: Standardizer
    training: np.ndarray
    validation: np.ndarray
    notes: tuple[str, ...]

    @classmethod
    def read(cls, model: "Transcriber", X: Any, y: Any) -> "TrainingSet":
        """What `Transcriber.fit` was given, as the model's parameters have it.

        Raises:
            DataError: it cannot be trained on.
            ConfigurationError: a parameter does not go with it.
        """
        kind = find_kind(X) if model.inputs is None else model.inputs
        backbone = model.backbone or ("conv-blstm" if kind == "image" else "blstm")
        options: dict[str, dict[str, Any]] = {
            "image": {"height": model.height},
            "audio": {"by_utterance": BACKBONES[backbone].bidirectional},
        }
        front = front_end(kind, options.get(kind, {}))
        examples = read_examples(X, y, front, column=model.text, progress=model.progress)
        assert examples.texts is not None
        vocabulary = Vocabulary.fit(examples.texts, unit=model.unit, size=model.pieces)
        targets = encode_all(examples, vocabulary)
        subsampling, notes = _subsampling(model.subsampling, examples, targets)
        training, validation = _parts(len(examples), model.validation, model.seed)
        frames = f"{examples.frames.lengths.min()} to {examples.frames.lengths.max()} frames"
        notes.insert(
            0,
            f"{len(examples)} sequences of {frames} of {examples.frames.n_channels} features, which say "
            f"{sum(map(len, targets))} {model.unit} out of {len(vocabulary) - 1}.",
        )
        if len(validation):
            notes.append(f"{len(validation)} sequences are held out to choose the best epoch.")
        else:
            why = "validation=0" if model.validation == 0 else f"fewer than {LEAST} sequences"
            notes.append(f"No validation part ({why}): training goes to its last epoch, without early stopping.")
            if model.validation:
                warnings.warn(notes[-1], UserWarning, stacklevel=3)
        scaler = _scaler(examples, training, over_all=kind == "image")
        return cls(
            examples, front, vocabulary, targets, backbone, subsampling, scaler, training, validation, tuple(notes)
        )

    @property
    def content(self) -> tuple[Any, ...]:
        """All of it that training depends on, beside the model's parameters."""
        return self.examples.frames, self.examples.texts, self.front.kind, self.front.to_dict()

    @property
    def size(self) -> str:
        """How much it is, in words."""
        return f"{len(self.examples)} sequences of {len(self.examples.frames.values)} frames in all"


def _subsampling(given: int | None, examples: Examples, targets: Sequence[Sequence[int]]) -> tuple[int, list[str]]:
    if given is not None:
        remedy = "leave them out, correct their texts" + (", or give a smaller subsampling" if given > 1 else "")
        check_lengths(examples, targets, given, remedy)
        return given, []
    check_lengths(examples, targets, 1, "leave them out, or correct their texts")
    needed = np.array([steps_needed(labels) for labels in targets])
    lengths = examples.frames.lengths
    fitting = [k for k in SUBSAMPLINGS if (SLACK * needed <= lengths // k).all()]
    chosen = fitting[0] if fitting else 1
    tightest = int((lengths / needed).argmin())
    return chosen, [
        f"{chosen} frames become one step of the network (the tightest text, of {examples.names[tightest]}, needs "
        f"{needed[tightest]} steps where there are {lengths[tightest]} frames)."
    ]


def _parts(count: int, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.random.default_rng([seed, count]).permutation(count)
    held = 0 if count < LEAST else min(round(share * count), MOST)
    held = max(held, 1) if share and count >= LEAST else held
    return np.sort(order[held:]), np.sort(order[:held])


def _scaler(examples: Examples, training: np.ndarray, *, over_all: bool) -> Standardizer:
    values = examples.frames.select(training).values
    if over_all:
        # Rows of an image that hardly ever have ink would be blown up by a deviation of their own.
        whole = Standardizer.fit(values.reshape(-1, 1))
        width = values.shape[1]
        return Standardizer(np.repeat(whole.mean, width), np.repeat(whole.scale, width))
    return Standardizer.fit(values)
