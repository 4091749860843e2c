"""Readers of unsegmented digits, trained for some minutes on one thread: JSON lines, and the medians over seeds.

    OMP_NUM_THREADS=1 python -m benchmarks.transcription [--seeds 5] [--minutes 5] [--readers conv-blstm blstm]
    OMP_NUM_THREADS=1 python -m benchmarks.transcription --set pens --readers blstm

Lines of 3 to 8 real handwritten digits (`benchmarks/data/digit_lines.py`): 20,000 lines of training digits, of which
the transcriber holds out 1,000 to choose its best epoch; tested on 1,000 lines of digits that no training line has. The
rivals "plain blstm" and "plain conv" are what one writes by hand: a column a step, `torch.nn.LSTM` (2 bidirectional
layers of 128; behind two convolutions one) and `torch.nn.CTCLoss`, Adam at 1e-3, batches of 32, no variation.

"pens" are strings of digits as a pen wrote them (`benchmarks/data/pen_strings.py`), likewise.

With `--clock processor` (the default) minutes are those of the processor's time that the process uses, so that a
machine that has other things to do as well gives the same numbers.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import nn

from benchmarks.data.digit_lines import Line, held_out_lines, training_lines
from benchmarks.data.pen_strings import held_out_strings, training_strings
from benchmarks.runner import emit, machine
from gatewise import Transcriber
from gatewise.tasks import journal
from gatewise.tasks.error_rates import character_error_rate
from gatewise.training import Journal

CLOCKS: dict[str, Callable[[], float]] = {"processor": time.process_time, "wall": time.monotonic}


def columns(lines: list[Line]) -> list[np.ndarray]:
    """Each line as its columns `[T, 32]`: lines have their height already, and a digit's place in it counts."""
    return [line.image.T.copy() for line in lines]


def recordings(lines: list[Any]) -> list[Any]:
    """What a transcriber is given: images, black on white, or ink."""
    return [255 - np.rint(255 * line.image).astype(np.uint8) if isinstance(line, Line) else line.ink for line in lines]


def ours(backbone: str, train: list[Any], test: list[Any], seed: int, minutes: float, clock: str) -> dict[str, Any]:
    """A transcriber with its defaults."""
    model = Transcriber(
        backbone,
        inputs="image" if isinstance(train[0], Line) else "ink",
        max_minutes=minutes,
        max_epochs=1000,
        patience=None,
        threads=1,
        seed=seed,
    )
    with mock.patch.object(journal, "Journal", partial(Journal, clock=CLOCKS[clock])):
        model.fit(recordings(train), texts(train))
    return {
        **model.evaluate(recordings(test), texts(test)),
        "epochs": len(model.history_[0]["epochs"]),
        "validation": model.validation_["error_rate"],
    }


class Plain(nn.Module):
    def __init__(self, convolutions: bool) -> None:
        super().__init__()
        self.front = None
        if convolutions:
            self.front = nn.Sequential(
                nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d((2, 1)),
            )  # fmt: skip
        self.lstm = nn.LSTM(256 if convolutions else 32, 128, 1 if convolutions else 2, bidirectional=True)
        self.linear = nn.Linear(256, 11)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if self.front is not None:
            x = self.front(x.permute(1, 2, 0)[:, None]).permute(3, 0, 1, 2).flatten(2)
            lengths = lengths // 2
        return self.linear(self.lstm(x)[0]).log_softmax(2), lengths


def plain(
    convolutions: bool, train: list[Line], test: list[Line], seed: int, minutes: float, clock: str
) -> dict[str, Any]:
    """What one writes by hand."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    now, network, loss, steps = CLOCKS[clock], Plain(convolutions), nn.CTCLoss(), 0
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    frames, rng = [torch.from_numpy(x) for x in columns(train)], np.random.default_rng(seed)
    labels = [torch.tensor([int(digit) + 1 for digit in line.text]) for line in train]
    began = now()
    while now() - began < 60 * minutes:
        chosen = rng.integers(0, len(train), 32)
        x = nn.utils.rnn.pad_sequence([frames[i] for i in chosen])
        outputs, lengths = network(x, torch.tensor([len(frames[i]) for i in chosen]))
        sizes = torch.tensor([len(labels[i]) for i in chosen])
        optimizer.zero_grad()
        loss(outputs, torch.cat([labels[i] for i in chosen]), lengths, sizes).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        steps += 1
    read = []
    with torch.no_grad():
        for x in columns(test):
            outputs, _ = network(torch.from_numpy(x)[:, None], torch.tensor([len(x)]))
            best = outputs[:, 0].argmax(1).unique_consecutive()
            read.append("".join(str(int(label) - 1) for label in best if label))
    wrong = float(np.mean([a != b for a, b in zip(texts(test), read, strict=True)]))
    return {"cer": character_error_rate(texts(test), read), "text_error": wrong, "steps": steps}


def texts(lines: list[Any]) -> list[str]:
    return [line.text for line in lines]


READERS: dict[str, Callable[..., dict[str, Any]]] = {
    **{name: partial(ours, name) for name in ("conv-blstm", "blstm", "deep-blstm", "mdlstm", "lstm")},
    "plain blstm": partial(plain, False),
    "plain conv": partial(plain, True),
}


SETS: dict[str, tuple[Callable[[int], Iterator[Any]], Callable[[int], list[Any]]]] = {
    "lines": (training_lines, held_out_lines),
    "pens": (training_strings, held_out_strings),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--lines", type=int, default=20_000, help="to train with")
    parser.add_argument("--test", type=int, default=1_000, help="lines to test on")
    parser.add_argument("--set", choices=SETS, default="lines")
    parser.add_argument("--readers", nargs="+", choices=READERS, default=["conv-blstm", "blstm"])
    parser.add_argument("--clock", choices=CLOCKS, default="processor")
    parser.add_argument("--out", type=Path, help="append the lines to this file as well")
    options = parser.parse_args()
    training, held_out = SETS[options.set]
    test = held_out(options.test)
    emit(
        {**machine(1), "set": options.set, "minutes": options.minutes, "clock": options.clock, "lines": options.lines},
        options.out,
    )
    for name in options.readers:
        rates = []
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            train = list(islice(training(seed), options.lines))
            found = READERS[name](train, test, seed, options.minutes, options.clock)
            rates.append(found["cer"])
            emit({"reader": name, "seed": seed, **found}, options.out)
        emit({"reader": name, "seeds": len(rates), "median_cer": statistics.median(rates)}, options.out)


if __name__ == "__main__":
    main()
