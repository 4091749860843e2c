"""Generation benchmarks: a character model and polyphonic music, several seeds, one JSON line a seed.

    OMP_NUM_THREADS=1 python -m benchmarks.generation [--seeds 3] [--threads 1] [--out FILE]
                                                      [--sets characters chorales elman independent "plain elman"]

- characters: the Canterbury texts (`benchmarks/data/canterbury.py`), the last tenth of each is the test, the last tenth
  of the rest chooses the epoch; bits a character of the test. The alphabet is that of printable ASCII, since the test
  has two characters that training's part has not.
- chorales: 363 four-part chorales (`benchmarks/data/chorales.py`); nats a frame and frame accuracy of the test.
- elman: the same with Elman's cell in the place of the LSTM.
- independent: the LSTM with each event of a frame on its own, as the plain one has it, in 100 epochs.
- plain elman: what one writes by hand in torch: `torch.nn.RNN` of 200 tanh units, whole pieces, Adam, the epoch that
  validates best.

`seconds` are of processor time.
"""

import string
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from benchmarks.data import canterbury, chorales
from benchmarks.data.chorales import Piece
from benchmarks.runner import run
from gatewise.tasks import Generator

# By the validation parts of a few trials with seed 0.
CHORALES: dict[str, Any] = {
    "hidden_size": 200, "dropout": 0.4, "transpose": 3, "streams": 16, "learning_rate": 0.01, "average_decay": 0.98,
    "max_epochs": 50, "patience": 15,
}  # fmt: skip
NOTES = range(21, 109)  # of a piano: Boulanger-Lewandowski et al. have 88 outputs
ELMAN = {"hidden": 200, "rate": 1e-3, "batch": 8, "epochs": 150, "patience": 20}


@dataclass(frozen=True)
class Split:
    name: str
    training: Any
    test: Any


def characters() -> Split:
    training, test = canterbury.split(canterbury.canterbury())
    return Split("characters", training, test)


def music(name: str) -> Split:
    training, validation, test = chorales.split(chorales.chorales())
    return Split(name, (training, validation), test)


def measure(split: Split, seed: int, threads: int) -> dict[str, Any]:
    torch.set_num_threads(threads)
    began = time.process_time()
    if split.name == "plain elman":
        found = plain_elman(*split.training, split.test, seed)
    elif split.name == "characters":
        alphabet = "".join(map(chr, range(32, 127))) + "\n"
        assert set(alphabet) < set(string.printable)
        model = Generator(alphabet=alphabet, max_epochs=6, seed=seed, threads=threads).fit(split.training)
        found = {**model.validation_, "test": model.evaluate(split.test), "history": epochs(model)}
    else:
        cell = "elman" if split.name == "elman" else "lstm"
        further = {"joint_units": 0, "max_epochs": 100} if split.name == "independent" else {}
        training, validation = split.training
        model = Generator(
            "events",
            cell=cell,
            alphabet=" ".join(map(str, NOTES)),
            validation=len(validation) / (len(training) + len(validation)),
            seed=seed,
            threads=threads,
            **{**CHORALES, **further},
        ).fit([*training, *validation])
        found = {**model.validation_, "test": model.evaluate(split.test), "history": epochs(model)}
    scores = {f"test_{name}": value for name, value in found.pop("test").items() if isinstance(value, float)}
    return {**found, **scores, "seconds": round(time.process_time() - began, 1)}


def epochs(model: Generator) -> list[int]:
    """The best epoch, and how many there were."""
    return [model.history_[0]["best_epoch"], len(model.history_[0]["epochs"])]


class Elman(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.linear = nn.RNN(len(NOTES), ELMAN["hidden"]), nn.Linear(ELMAN["hidden"], len(NOTES))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(self.rnn(x)[0])


def padded(pieces: list[Piece]) -> tuple[Tensor, Tensor, Tensor]:
    """Frames before each, frames, and where there are any: `[T, B, 88]`, `[T, B, 88]`, `[T, B]`."""
    lengths = torch.tensor([len(piece) for piece in pieces])
    rolls = torch.zeros(int(lengths.max()) + 1, len(pieces), len(NOTES))
    for b, piece in enumerate(pieces):
        for t, frame in enumerate(piece):
            rolls[t + 1, b, [note - NOTES.start for note in frame]] = 1
    return rolls[:-1], rolls[1:], torch.arange(len(rolls) - 1)[:, None] < lengths


def plain_elman(training: list[Piece], validation: list[Piece], test: list[Piece], seed: int) -> dict[str, Any]:
    torch.manual_seed(seed)
    rng, model = np.random.default_rng(seed), Elman()
    optimizer = torch.optim.Adam(model.parameters(), lr=float(ELMAN["rate"]))

    def nll(pieces: list[Piece]) -> Tensor:
        before, after, there = padded(pieces)
        return binary_cross_entropy_with_logits(model(before), after, reduction="none").sum(-1)[there].mean()

    best, weights, history = float("inf"), model.state_dict(), [0, 0]
    for epoch in range(1, int(ELMAN["epochs"]) + 1):
        order = rng.permutation(len(training))
        for first in range(0, len(order), int(ELMAN["batch"])):
            loss = nll([training[k] for k in order[first : first + int(ELMAN["batch"])]])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        with torch.no_grad():
            value = nll(validation).item()
        if value < best:
            best, weights = value, {name: tensor.clone() for name, tensor in model.state_dict().items()}
            history = [epoch, epoch]
        history[1] = epoch
        if epoch - history[0] >= int(ELMAN["patience"]):
            break
    model.load_state_dict(weights)
    with torch.no_grad():
        return {"frame_nll": best, "test": {"frame_nll": nll(test).item()}, "history": history}


if __name__ == "__main__":
    run(
        __doc__.splitlines()[0],
        {
            "characters": characters,
            "chorales": lambda: music("chorales"),
            "elman": lambda: music("elman"),
            "independent": lambda: music("independent"),
            "plain elman": lambda: music("plain elman"),
        },
        measure,
        ("test_bits_per_character", "test_frame_nll", "test_frame_accuracy", "seconds"),
    )
