"""Letters to phones: how words are said, learnt from a dictionary with connectionist temporal classification.

    OMP_NUM_THREADS=1 python -m benchmarks.letters_to_phones [--seeds 3] [--minutes 8]

A JSON line a seed and one with the medians. The words are those of `benchmarks/data/pronunciations.py`: nine tenths to
train on, of which 2,000 drawn at random choose the best epoch and nothing else, and a tenth to test on.

A word is read with a mark before its first letter and one behind its last by a bidirectional LSTM, and each of these
becomes `STEPS` steps of the output: one linear layer gives the labels of all of them. Three steps a letter are the
fewest that every pronunciation in the dictionary fits in ("w" is said with seven phones), so no word is left out.

A word with several pronunciations is trained with one of them, drawn anew in each epoch. Testing counts them in two
ways: `per` and `wer` against the first pronunciation alone, which is what the target is about; `per_nearest` and
`wer_nearest` against that of the word's pronunciations which is nearest to what was written (the way of Rao, Peng, Sak
& Beaufays 2015, Grapheme-to-phoneme Conversion Using Long Short-Term Memory Recurrent Neural Networks).

Minutes are those of the processor's time that training uses.
"""

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.data.pronunciations import Word, split, words
from benchmarks.runner import emit, machine
from gatewise.data.batches import by_length, shuffled_batches
from gatewise.nn import LSTM
from gatewise.tasks.ctc import ctc_loss, greedy
from gatewise.tasks.error_rates import Edits, edits
from gatewise.training import Interrupt, Journal, TrainingOptions, train

STEPS = 3  # of the output for each letter
VALIDATION = 2000  # words
POOL = 32  # batches that are cut from one draw of words, sorted by length


class Speller(nn.Module):
    """Letters -> LSTM -> phones and the blank, `STEPS` steps a letter.

    Args:
        letters: how many letters there are, marks and padding included.
        phones: how many labels there are, the blank included.
        hidden_size: H of each direction.
        num_layers: of the LSTM.
        dropout: between its layers and behind it.
    """

    def __init__(self, letters: int, phones: int, hidden_size: int, num_layers: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(letters, 64)
        self.lstm = LSTM(
            64, hidden_size, num_layers, dropout=dropout if num_layers > 1 else 0.0, bidirectional=True, forget_bias=1.0
        )
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(2 * hidden_size, STEPS * phones)

    def forward(self, letters: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Logits `[STEPS * L, B, V]` of padded words `[L, B]`, and how many steps each word has `[B]`."""
        outputs, _ = self.lstm(self.embedding(letters), lengths=lengths)
        steps = self.linear(self.dropout(outputs)).unflatten(2, (STEPS, -1))  # [L, B, STEPS, V]
        return steps.transpose(1, 2).flatten(0, 1), STEPS * lengths


@dataclass(frozen=True)
class Alphabet:
    """The numbers of letters, with 0 before a word and 1 behind it, and of phones, with 0 for the blank."""

    letters: dict[str, int]
    phones: dict[str, int]

    @classmethod
    def of(cls, found: Sequence[Word]) -> "Alphabet":
        letters = sorted({letter for word in found for letter in word.spelling})
        phones = sorted({phone for word in found for spoken in word.pronunciations for phone in spoken})
        return cls(
            {letter: number for number, letter in enumerate(letters, 2)},
            {phone: number for number, phone in enumerate(phones, 1)},
        )

    def spelling(self, word: Word) -> np.ndarray:
        """A word's letters with the marks around them."""
        return np.array([0, *(self.letters[letter] for letter in word.spelling), 1])

    def spoken(self, word: Word) -> list[list[int]]:
        """The labels of each of its pronunciations."""
        return [[self.phones[phone] for phone in spoken] for spoken in word.pronunciations]


@dataclass(frozen=True)
class Batch:
    """Letters `[L, B]`, lengths `[B]` and labels of B words, whose places are `indices`."""

    letters: Tensor
    lengths: Tensor
    targets: list[list[int]]
    indices: np.ndarray


class Spelling:
    """What is minimised: the loss over the training words. The best epoch has the lowest PER on validation words."""

    def __init__(self, module: Speller, alphabet: Alphabet, found: Sequence[Word], seed: int, batch_size: int) -> None:
        order = np.random.default_rng([seed, len(found)]).permutation(len(found))
        self.training, self.validation = [found[i] for i in order[VALIDATION:]], [found[i] for i in order[:VALIDATION]]
        self.module, self.alphabet, self.seed, self.batch_size = module, alphabet, seed, batch_size
        self.spellings = [alphabet.spelling(word) for word in self.training]
        self.targets = [alphabet.spoken(word) for word in self.training]
        self.lengths = np.array([len(spelling) for spelling in self.spellings])
        self.batches_per_epoch = -(-len(self.training) // batch_size)

    def batches(self, epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng([self.seed, epoch])
        for indices in shuffled_batches(self.lengths, self.batch_size, POOL, rng):
            targets = [self.targets[i][int(rng.integers(len(self.targets[i])))] for i in indices]
            yield Batch(*padded([self.spellings[i] for i in indices]), targets, indices)

    def loss(self, batch: Batch) -> Tensor:
        logits, steps = self.module(batch.letters, batch.lengths)
        return ctc_loss(logits, batch.targets, steps)

    def validate(self) -> dict[str, float]:
        first, nearest = errors(self.module, self.alphabet, self.validation)
        return {"per": first["per"], "per_nearest": nearest["per"]}

    def describe(self, batch: Batch) -> str:
        return ", ".join(self.training[i].spelling for i in batch.indices[:8])


def padded(spellings: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Words side by side `[L, B]`, and their lengths `[B]`."""
    lengths = torch.tensor([len(spelling) for spelling in spellings])
    return nn.utils.rnn.pad_sequence([torch.from_numpy(spelling) for spelling in spellings]), lengths


@torch.no_grad()
def written(module: Speller, alphabet: Alphabet, found: Sequence[Word]) -> list[tuple[int, ...]]:
    """The labels that the network gives each word."""
    spellings = [alphabet.spelling(word) for word in found]
    labels: list[tuple[int, ...]] = [()] * len(found)
    for indices in by_length(np.array([len(spelling) for spelling in spellings]), 256, 2**16):
        logits, steps = module(*padded([spellings[i] for i in indices]))
        for i, hypothesis in zip(indices, greedy(logits, steps), strict=True):
            labels[i] = hypothesis.labels
    return labels


def errors(module: Speller, alphabet: Alphabet, found: Sequence[Word]) -> tuple[dict[str, float], dict[str, float]]:
    """PER and WER against the first pronunciation of each word, and against the nearest one."""
    first, nearest = Edits(), Edits()
    wrong, far = 0, 0
    for word, labels in zip(found, written(module, alphabet, found), strict=True):
        each = [edits(spoken, labels) for spoken in alphabet.spoken(word)]
        best = min(each, key=lambda one: (one.distance, -one.length))
        first, nearest = first + each[0], nearest + best
        wrong, far = wrong + (each[0].distance > 0), far + (best.distance > 0)
    return {"per": first.rate, "wer": wrong / len(found)}, {"per": nearest.rate, "wer": far / len(found)}


def measure(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Train with a seed; what was found on the test words."""
    train_words, test_words = split()
    if options.words:
        train_words, test_words = train_words[: options.words], test_words[: options.words]
    alphabet = Alphabet.of(words())
    torch.manual_seed(seed)
    module = Speller(
        2 + len(alphabet.letters), 1 + len(alphabet.phones), options.hidden, options.layers, options.dropout
    )
    objective = Spelling(module, alphabet, train_words, seed, options.batch)
    settings = TrainingOptions(
        max_epochs=options.epochs,
        max_minutes=options.minutes,
        learning_rate=options.rate,
        weight_decay=1e-2,
        warmup=0.05,
        average_decay=0.999,
        seed=seed,
    )
    began = time.process_time()
    with Interrupt() as interrupt:
        journal = Journal(interrupt, clock=time.process_time)
        result = train(objective, settings, journal=journal, progress=False, name="letters to phones")
    spent = time.process_time() - began
    first, nearest = errors(module, alphabet, test_words)
    return {
        **{name: round(value, 5) for name, value in first.items()},
        **{f"{name}_nearest": round(value, 5) for name, value in nearest.items()},
        "words": len(test_words),
        "validation_per": [round(row["per"], 4) for row in result.history],
        "epochs": len(result.history),
        "best_epoch": result.best_epoch,
        "minutes": round(spent / 60, 2),
        "parameters": sum(p.numel() for p in module.parameters()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--epochs", type=int, default=1000, help="at most")
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--words", type=int, help="of each part, for a trial; all by default")
    parser.add_argument("--out", type=Path, help="append the lines to this file as well")
    options = parser.parse_args()
    torch.set_num_threads(1)
    settings = ("minutes", "hidden", "layers", "dropout", "batch", "rate")
    emit({**machine(1), **{name: getattr(options, name) for name in settings}}, options.out)
    found = []
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        found.append(measure(options, seed))
        emit({"seed": seed, **found[-1]}, options.out)
    names = ("per", "wer", "per_nearest", "wer_nearest")
    emit({"seeds": len(found), **{f"median_{n}": statistics.median(r[n] for r in found) for n in names}}, options.out)


if __name__ == "__main__":
    main()
