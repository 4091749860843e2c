"""Phones of synthesised speech: deep and shallow LSTM beside an Elman network and a hidden Markov model.

    OMP_NUM_THREADS=1 python -m benchmarks.phones [--rows deep one-layer elman hmm] [--seeds 1] [--minutes 5]

Sentences are spoken by voices of flite, whose phones are exactly known (`benchmarks/data/spoken.py`): training
sentences by three voices, with tempo and pitch drawn at random; test sentences, of words that no training sentence has,
by the same voices ("same") and by one that was never heard in training ("held_out"), both as flite speaks them. Lines
of JSON give the phone error rates (PER), pauses left out.

The networks are the same code but for their recurrent layers, and are trained with connectionist temporal
classification and, beside it, with the phone of every frame (`--framewise`), by the same recipe in the same minutes of
the processor's time. The best epoch has the lowest PER on 20 sentences of training words by each voice of training.
Training is varied (see `Variation`). The hidden Markov models are those of `benchmarks/phone_hmm.py`.

Beside `held_out` stand what needs recordings of the new voice, but nobody who writes down what it says:
`held_out_warped` has the length of the vocal tract chosen by the network's own likelihood (Lee & Rose 1996), and with
`--adapt` `held_out_adapted` has a network that was trained further on 300 other sentences of the voice, which it
labelled itself.
"""

import argparse
import copy
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.data import flite
from benchmarks.data.spoken import FEATURES, Spoken, mixture, spoken, warping
from benchmarks.runner import emit, machine
from gatewise.data.audio import SpecAugment
from gatewise.data.batches import by_length, shuffled_batches
from gatewise.nn import LSTM, RNN
from gatewise.tasks.ctc import Hypothesis, ctc_loss, greedy
from gatewise.tasks.error_rates import error_rate
from gatewise.tasks.transcription.network import JoinedFrames
from gatewise.training import Interrupt, Journal, TrainingOptions, train

JOINED = 3  # frames that become one step
VALIDATION = 20  # sentences, by each voice
SCALES = tuple(round(0.8 + 0.04 * k, 2) for k in range(12))  # of the vocal tract's length


@dataclass(frozen=True)
class Variation:
    """How training sentences are varied, anew in each epoch.

    Attributes:
        warp: vocal tracts are longer or shorter by a factor of which this is the logarithm at most.
        mix: the share of sentences that two voices speak as one between them, or somewhat beyond (`mixture`).
        gain: standard deviation of what is added to a band throughout a sentence, smooth over bands.
        noise: of what is added to every number.
        bands: the most neighbouring bands that are hidden.
        share: of the frames, the most that each of two masks hides.
    """

    warp: float = 0.15
    mix: float = 0.0
    gain: float = 0.3
    noise: float = 0.15
    bands: int = 6
    share: float = 0.04

    def __call__(self, versions: Sequence[Spoken], which: int, rng: np.random.Generator) -> np.ndarray:
        """Varied frames `[T, F]` of one of the versions of a sentence by several voices."""
        one = versions[which]
        frames = one.frames
        if rng.random() < self.mix and len(versions) > 1:
            other = versions[(which + 1 + int(rng.integers(len(versions) - 1))) % len(versions)]
            frames = mixture(one, other, float(rng.uniform(-0.3, 0.8)))
        if self.warp:
            frames = frames @ warping(round(float(np.exp(rng.uniform(-self.warp, self.warp))), 2))
        size = frames.shape[1]
        corners = np.interp(np.arange(size), np.linspace(0, size - 1, 8), rng.normal(0, self.gain, 8))
        noise = rng.standard_normal(frames.shape, np.float32)
        frames = frames + corners.astype(np.float32) + np.float32(self.noise) * noise
        hide = SpecAugment(feature_masks=2, widest=self.bands, frame_masks=2, longest=len(frames), share=self.share)
        return hide(frames, rng)


class Recogniser(nn.Module):
    """Joined frames -> recurrent layers -> phones and the blank; beside it the phone of each step.

    Args:
        layers: recurrent and bidirectional.
        phones: how many there are; label 0 is the blank, and the last of the framewise labels the pause.
        dropout: behind the layers.
    """

    def __init__(self, layers: LSTM | RNN, phones: int, dropout: float) -> None:
        super().__init__()
        self.front = JoinedFrames(FEATURES.size, JOINED, 0)
        self.layers = layers
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(2 * layers.hidden_size, 1 + phones)
        self.framewise = nn.Linear(2 * layers.hidden_size, 1 + phones)

    def forward(self, frames: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits `[T', B, 1 + phones]` of labels, those of each step's phone, and lengths `[B]`, of `[T, B, F]`."""
        steps = -(-lengths // JOINED)
        outputs = self.dropout(self.layers(self.front(frames, lengths), lengths=steps)[0])
        return self.linear(outputs), self.framewise(outputs), steps


@dataclass(frozen=True)
class Batch:
    """Frames `[T, B, F]`, lengths `[B]`, labels, and the phone of each step `[T', B]`, -100 beyond the end."""

    frames: Tensor
    lengths: Tensor
    targets: list[list[int]]
    steps: Tensor
    names: list[str]


class Recognition:
    """What is minimised: the CTC loss and `weight` times the framewise cross-entropy."""

    def __init__(
        self,
        module: Recogniser,
        phones: Sequence[str],
        sentences: Sequence[Sequence[Spoken]],
        validation: Sequence[Spoken],
        *,
        variation: Variation,
        weight: float,
        batch_size: int,
        seed: int,
        blank_penalty: float = 1.0,
    ) -> None:
        self.module, self.phones, self.sentences, self.validation = module, phones, sentences, validation
        self.variation, self.weight, self.batch_size, self.seed = variation, weight, batch_size, seed
        self.places = [(s, v) for s, versions in enumerate(sentences) for v in range(len(versions))]
        self.lengths = np.array([len(sentences[s][v].frames) for s, v in self.places])
        self.batches_per_epoch = -(-len(self.places) // batch_size)
        self.blank_penalty = blank_penalty

    def batches(self, epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng([self.seed, epoch])
        before = (epoch - 1) * self.batches_per_epoch
        for step, indices in enumerate(shuffled_batches(self.lengths, self.batch_size, 16, rng), before):
            self.penalty = self.blank_penalty * max(0.0, 1 - step / 200)
            chosen = [self.places[i] for i in indices]
            frames, lengths = padded([self.variation(self.sentences[s], v, rng) for s, v in chosen])
            versions = [self.sentences[s][v] for s, v in chosen]
            steps = [torch.from_numpy(step_labels(version, self.phones)) for version in versions]
            yield Batch(
                frames,
                lengths,
                [labels_of(version, self.phones) for version in versions],
                nn.utils.rnn.pad_sequence(steps, padding_value=-100),
                [f"{self.sentences[s][v].voice} {s}" for s, v in chosen],
            )

    def loss(self, batch: Batch) -> Tensor:
        logits, framewise, steps = self.module(batch.frames, batch.lengths)
        loss = ctc_loss(logits, batch.targets, steps, blank_penalty=self.penalty)
        if self.weight:
            loss = loss + self.weight * functional.cross_entropy(framewise.flatten(0, 1), batch.steps.flatten())
        return loss

    def validate(self) -> dict[str, float]:
        return {"per": per(self.module, self.validation, self.phones)} if self.validation else {}

    def describe(self, batch: Batch) -> str:
        return ", ".join(batch.names)


def labels_of(version: Spoken, phones: Sequence[str]) -> list[int]:
    return [1 + phones.index(phone) for phone in version.said]


def step_labels(version: Spoken, phones: Sequence[str]) -> np.ndarray:
    """The phone at the first frame of each step: int64 `[T']`."""
    numbers = np.array([len(phones) if phone == flite.PAUSE else phones.index(phone) for phone in version.phones])
    return numbers[version.places[::JOINED]]


def padded(frames: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Sentences side by side `[T, B, F]`, and their lengths `[B]`."""
    lengths = torch.tensor([len(one) for one in frames])
    return nn.utils.rnn.pad_sequence([torch.from_numpy(one) for one in frames]), lengths


@torch.no_grad()
def heard(module: Recogniser, sentences: Sequence[Spoken], scale: float = 1.0) -> list[Hypothesis]:
    """Best paths, with the vocal tract of the voice taken for another length."""
    matrix = warping(scale)
    found: list[Hypothesis] = [Hypothesis((), 0.0, 0.0, (), ())] * len(sentences)
    for indices in by_length(np.array([len(one.frames) for one in sentences]), 32, 2**15):
        logits, _, steps = module(*padded([sentences[i].frames @ matrix for i in indices]))
        for i, hypothesis in zip(indices, greedy(logits, steps), strict=True):
            found[i] = hypothesis
    return found


def per(module: Recogniser, sentences: Sequence[Spoken], phones: Sequence[str], scale: float = 1.0) -> float:
    return error_rate(
        [labels_of(one, phones) for one in sentences], [one.labels for one in heard(module, sentences, scale)]
    )


def best_scale(module: Recogniser, sentences: Sequence[Spoken]) -> float:
    """Of `SCALES` that with the likeliest best paths."""
    return max(SCALES, key=lambda scale: sum(one.log_prob for one in heard(module, sentences, scale)))


def layers_of(row: str, hidden: int) -> LSTM | RNN:
    """The recurrent layers of a row: three or one, of LSTM or, with as many weights, of Elman's units."""
    inputs, depth = JOINED * FEATURES.size, 1 if row == "one-layer" else 3
    dropout = 0.1 if depth > 1 else 0.0
    if row == "elman":
        return RNN(inputs, 2 * hidden, depth, bidirectional=True, dropout=dropout)
    return LSTM(inputs, hidden, depth, bidirectional=True, dropout=dropout, forget_bias=1.0)


@dataclass(frozen=True)
class Corpus:
    """Sentences to train with by several voices, those to validate and to test with, and the phones there are."""

    training: list[list[Spoken]]
    validation: list[Spoken]
    same: list[Spoken]
    held_out: list[Spoken]
    unlabelled: list[Spoken]
    phones: tuple[str, ...]

    @classmethod
    def of(cls, held_out: str, voices: Sequence[str], sentences: int, tests: int) -> "Corpus":
        """Spoken, or out of the cache."""
        train = spoken(flite.TRAIN, sentences, voices, varied=True)
        same = spoken(flite.TEST, tests // len(voices), voices)
        new = spoken(flite.HELD_OUT, tests, [held_out])
        more = spoken(flite.TRAIN, tests, [held_out], seed=1)
        phones = sorted({phone for versions in train for one in versions for phone in one.said})
        return cls(
            train[VALIDATION:],
            [one for versions in train[:VALIDATION] for one in versions],
            [one for versions in same for one in versions],
            [one for versions in new for one in versions],
            [one for versions in more for one in versions],
            tuple(phones),
        )


def measure(row: str, corpus: Corpus, options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Train a row's network with a seed; the PERs."""
    torch.manual_seed(seed)
    module = Recogniser(layers_of(row, options.hidden), len(corpus.phones), 0.1)
    variation = Variation(options.warp, options.mix, options.gain, options.noise, options.bands)
    objective = Recognition(
        module, corpus.phones, corpus.training, corpus.validation,
        variation=variation, weight=options.framewise, batch_size=options.batch, seed=seed,
    )  # fmt: skip
    rate = options.rate if row != "elman" else options.elman_rate
    spent, result = trained(objective, options.minutes, rate, seed)
    found: dict[str, Any] = {
        "same": per(module, corpus.same, corpus.phones),
        "held_out": per(module, corpus.held_out, corpus.phones),
    }
    scale = best_scale(module, corpus.unlabelled[:60])
    found["held_out_warped"] = per(module, corpus.held_out, corpus.phones, scale)
    found["scale"] = scale
    if options.adapt:
        adapted, more = adapt(module, corpus, scale, options, seed)
        found["held_out_adapted"] = per(adapted, corpus.held_out, corpus.phones)
        found["adapt_minutes"] = round(more / 60, 2)
    found = {name: round(value, 4) for name, value in found.items()}
    return {
        **found,
        "validation": round(result.best_value, 4),
        "epochs": len(result.history),
        "minutes": round(spent / 60, 2),
        "parameters": sum(p.numel() for p in module.parameters()),
    }


def trained(objective: Recognition, minutes: float, rate: float, seed: int) -> tuple[float, Any]:
    """Train; the processor's seconds, and the result."""
    options = TrainingOptions(
        max_epochs=1000, max_minutes=minutes, learning_rate=rate, weight_decay=1e-2, warmup=0.05,
        average_decay=0.99, seed=seed,
    )  # fmt: skip
    began = time.process_time()
    with Interrupt() as interrupt:
        journal = Journal(interrupt, clock=time.process_time)
        result = train(objective, options, journal=journal, progress=False, name="phones")
    return time.process_time() - began, result


def adapt(
    module: Recogniser, corpus: Corpus, scale: float, options: argparse.Namespace, seed: int
) -> tuple[Recogniser, float]:
    """A copy that was trained further on its own labels of the new voice, twice, and the processor's seconds.

    Half of the sentences are those of training, so that what labels say wrong is not all there is. Framewise labels of
    the new voice are not there, so these sentences have none.
    """
    copied, spent = copy.deepcopy(module), 0.0
    for turn in range(2):
        hypotheses = heard(copied, corpus.unlabelled, scale if turn == 0 else 1.0)
        labelled = [
            [replace(one, phones=tuple(corpus.phones[label - 1] for label in hypothesis.labels), ends=ends(hypothesis))]
            for one, hypothesis in zip(corpus.unlabelled, hypotheses, strict=True)
            if hypothesis.labels
        ]
        rng = np.random.default_rng([seed, turn])
        some = [corpus.training[i] for i in rng.permutation(len(corpus.training))[: len(labelled) // 3]]
        objective = Recognition(
            copied, corpus.phones, [*labelled, *some], [],
            variation=Variation(warp=0.05, mix=options.mix, gain=0.1, noise=options.noise),
            weight=0.0, batch_size=options.batch, seed=seed, blank_penalty=0.0,
        )  # fmt: skip
        spent += trained(objective, options.adapt / 2, options.rate / 4, seed)[0]
    return copied, spent


def ends(hypothesis: Hypothesis) -> np.ndarray:
    """Of its labels, in frames."""
    return JOINED * np.array(hypothesis.ends, np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", default=["deep", "one-layer", "elman", "hmm"])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--held-out", choices=flite.VOICES, default="rms")
    parser.add_argument("--voices", nargs="+", choices=flite.VOICES, help="of training; by default all others")
    parser.add_argument("--sentences", type=int, default=2000, help="by each voice")
    parser.add_argument("--tests", type=int, default=300, help="sentences of each test")
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--elman-rate", type=float, default=3e-3)
    parser.add_argument("--framewise", type=float, default=1.0, help="weight of the framewise loss")
    parser.add_argument("--warp", type=float, default=0.15)
    parser.add_argument("--mix", type=float, default=0.0)
    parser.add_argument("--gain", type=float, default=0.3)
    parser.add_argument("--noise", type=float, default=0.15)
    parser.add_argument("--bands", type=int, default=6)
    parser.add_argument("--adapt", type=float, default=0.0, help="minutes of adaptation to the unlabelled voice")
    parser.add_argument("--out", type=Path, help="append the lines to this file as well")
    options = parser.parse_args()
    torch.set_num_threads(1)
    voices = options.voices or [voice for voice in flite.VOICES if voice != options.held_out]
    corpus = Corpus.of(options.held_out, voices, options.sentences, options.tests)
    settings = {name: value for name, value in vars(options).items() if name not in ("out", "voices", "rows")}
    emit({**machine(1), **settings, "voices": voices}, options.out)
    for row in options.rows:
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            if row == "hmm":
                from benchmarks.phone_hmm import measure as measure_hmm

                found = measure_hmm(corpus)
            else:
                found = measure(row, corpus, options, seed)
            emit({"row": row, "seed": seed, **found}, options.out)


if __name__ == "__main__":
    main()
