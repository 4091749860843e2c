"""How long a small reader of digit lines takes to leave the all-blank plateau, and what shortens it: JSON lines.

    OMP_NUM_THREADS=1 python benchmarks/plateau.py [--seeds 2] [--minutes 1] [--ways plain "small batches"]

Lines of 3 to 8 of scikit-learn's handwritten digits (8 x 8, twice as large, random gaps and heights; 1,400 digits to
train with, the others to validate), a column a step, two bidirectional LSTM layers of 64, AdamW. A run ends when fewer
than half of the validation's characters are wrong, or after its minutes of processor time.
"""

import argparse
import time
from dataclasses import asdict, dataclass

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from gatewise.tasks.ctc import BlankPlateau, ctc_loss, emission, greedy
from gatewise.tasks.error_rates import error_rate
from gatewise.tasks.transcription.network import JoinedFrames
from runner import emit, machine

EPOCH = 640  # lines


@dataclass(frozen=True)
class Way:
    """A way of training: what is not plain about it."""

    batch: int = 32
    learning_rate: float = 3e-3
    blank_penalty: float = 0.0  # in the first 8 epochs
    normalised: bool = False
    blank_bias: float = 0.0
    convolution: bool = False
    joined: int = 1  # columns that become one step


WAYS = {
    "plain": Way(),
    "normalised inputs": Way(normalised=True),
    "small batches": Way(batch=8),
    "blank_penalty=1": Way(blank_penalty=1.0),
    "blank_penalty=3": Way(blank_penalty=3.0),
    "higher learning rate": Way(learning_rate=1e-2),
    "lower learning rate": Way(learning_rate=3e-4),
    "bias against the blank": Way(blank_bias=-3.0),
    "convolution in front": Way(convolution=True),
    "joined frames": Way(joined=4),
}


class Lines:
    """Lines of digits, and what they say."""

    def __init__(self, first: int, last: int | None, seed: int, normalised: bool) -> None:
        digits = load_digits()
        chosen = np.random.default_rng(0).permutation(len(digits.target))[first:last]
        self.images, self.labels = (digits.images[chosen] / 16).astype(np.float32), digits.target[chosen] + 1
        self.rng, self.normalised = np.random.default_rng(seed), normalised

    def draw(self, count: int) -> tuple[Tensor, list[int], list[list[int]]]:
        columns, targets = [], []
        for _ in range(count):
            which = self.rng.choice(len(self.labels), self.rng.integers(3, 9))
            parts = [np.zeros((4, 16), np.float32)]
            for k in which:
                image = np.kron(self.images[k], np.ones((2, 2), np.float32))
                parts += [np.roll(image, self.rng.integers(-1, 2), 0).T]
                parts += [np.zeros((self.rng.integers(0, 7), 16), np.float32)]
            columns.append(torch.from_numpy(np.concatenate(parts)))
            targets.append(self.labels[which].tolist())
        padded = nn.utils.rnn.pad_sequence(columns)
        return (padded - 0.25) / 0.35 if self.normalised else padded, [len(c) for c in columns], targets


class Reader(nn.Module):
    def __init__(self, way: Way) -> None:
        super().__init__()
        self.front = nn.Conv1d(16, 32, 5, padding=2) if way.convolution else None
        width = 32 if way.convolution else 16
        self.join = JoinedFrames(width, way.joined, 0)
        self.lstm = nn.LSTM(self.join.width, 64, 2, bidirectional=True)
        self.head = nn.Linear(128, 11)
        with torch.no_grad():
            self.head.bias[0] += way.blank_bias

    def forward(self, x: Tensor, lengths: list[int]) -> tuple[Tensor, list[int]]:
        if self.front is not None:
            x = self.front(x.permute(1, 2, 0)).relu().permute(2, 0, 1)
        steps = [-(-length // self.join.subsampling) for length in lengths]
        return self.head(self.lstm(self.join(x, torch.tensor(lengths)))[0]), steps


def run(way: Way, seed: int, minutes: float) -> dict[str, object]:
    torch.manual_seed(seed)
    reader, lines = Reader(way), Lines(0, 1400, seed, way.normalised)
    x, lengths, targets = Lines(1400, None, 9, way.normalised).draw(100)
    optimizer = torch.optim.AdamW(reader.parameters(), lr=way.learning_rate)
    watch, began, said, epoch, rate = BlankPlateau(), time.process_time(), [], 0, 1.0
    while time.process_time() - began < 60 * minutes and rate >= 0.5:
        epoch += 1
        losses = []
        for _ in range(EPOCH // way.batch):
            inputs, steps, labels = lines.draw(way.batch)
            penalty = way.blank_penalty if epoch <= 8 else 0.0
            logits, steps = reader(inputs, steps)
            loss = ctc_loss(logits, labels, steps, blank_penalty=penalty)
            optimizer.zero_grad()
            loss.backward()
            clip_grad_norm_(reader.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
        with torch.no_grad():
            logits, ends = reader(x, lengths)
        rate = error_rate(targets, [hypothesis.labels for hypothesis in greedy(logits, ends)])
        written, expected = emission(logits, ends), sum(map(len, targets))
        said.append(watch.observe(loss=float(np.mean(losses)), emission=written, expected=expected))
    return {
        "epochs": epoch,
        "steps": epoch * EPOCH // way.batch,
        "seconds": round(time.process_time() - began, 1),
        "cer": round(rate, 3),
        "said": [text for text in said if text],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    options = parser.parse_args()
    emit(machine(torch.get_num_threads()))
    for name in options.ways:
        for seed in range(options.seeds):
            emit({"way": name, "seed": seed, **asdict(WAYS[name]), **run(WAYS[name], seed, options.minutes)})


if __name__ == "__main__":
    main()
