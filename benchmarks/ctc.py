"""Time of the CTC loss with its gradient against torch's, and sequences a second that decoders take: JSON lines.

    python benchmarks/ctc.py [--threads 1] [--repeats 21]

Losses are interleaved, torch's and ours in turn; the ratio is the median of the ratios of neighbours. torch's side is
`log_softmax` and `ctc_loss`; both go backward to the logits. Decoders run on one thread whatever `--threads` says, on
logits of a network that is sure of most steps ("peaked", mostly on the blank) and of one that knows nothing ("flat").
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gatewise.tasks.ctc import BeamDecoder, Lexicon, align, ctc_loss, greedy, token_passing
from gatewise.tasks.language import LabelNGram, read_arpa
from runner import emit, machine

SIZES = [(32, 200, 80, 30), (32, 200, 80, 90), (8, 1000, 40, 120), (64, 100, 30, 8), (1, 200, 80, 30)]  # B, T, V, S


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def losses(batch: int, steps: int, labels: int, length: int, repeats: int) -> dict[str, object]:
    torch.manual_seed(0)
    logits = torch.randn(steps, batch, labels)
    targets = torch.randint(1, labels, (batch, length))
    inputs, lengths = torch.full((batch,), steps), torch.full((batch,), length)
    found: dict[str, tuple[Tensor, Tensor]] = {}

    def run(name: str) -> None:
        x = logits.requires_grad_()
        x.grad = None
        if name == "torch":
            loss = functional.ctc_loss(x.log_softmax(2), targets, inputs, lengths)
        else:
            loss = ctc_loss(x, targets, inputs, lengths)
        loss.backward()
        assert x.grad is not None
        found[name] = loss.detach(), x.grad

    pairs = [(seconds(lambda: run("torch")), seconds(lambda: run("gatewise"))) for _ in range(repeats + 3)][3:]
    theirs, ours = (1e3 * statistics.median(column) for column in zip(*pairs, strict=True))
    (a, ga), (b, gb) = found["torch"], found["gatewise"]
    off = max(float((a - b).abs() / a.abs()), float((ga - gb).abs().max()))
    if not off <= 1e-5:
        raise SystemExit(f"no time is told: losses or gradients of {batch, steps, labels, length} differ by {off:g}")
    return {
        "what": "loss and gradient",
        "B": batch, "T": steps, "V": labels, "S": length,
        "torch_ms": round(theirs, 2),
        "gatewise_ms": round(ours, 2),
        "torch_over_gatewise": round(statistics.median(x / y for x, y in pairs), 2),
        "differs_by": float(f"{off:.1e}"),
    }  # fmt: skip


def outputs(kind: str, steps: int, batch: int, labels: int) -> Tensor:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(steps, batch, labels))
    if kind == "peaked":
        logits[:, :, 0] += 8
        peaks = rng.random((steps, batch)) < 0.15
        logits[peaks, rng.integers(1, labels, peaks.sum())] += 14
    return torch.from_numpy(logits.astype(np.float32))


def decoders(folder: Path) -> dict[str, Callable[[Tensor], object]]:
    """Decoders of 80 labels: the blank, 78 characters, a space."""
    rng = np.random.default_rng(0)
    symbols = ["-", *(chr(0x100 + k) for k in range(78)), " "]
    words = sorted({"".join(rng.choice(symbols[1:-1], size=rng.integers(2, 9))) for _ in range(5000)})
    lexicon = Lexicon.spelled(words, symbols)
    lines = ["\\data\\", "ngram 1=81", "ngram 2=3000", "", "\\1-grams:", "-9\t<s>\t-0.5", "-2\t</s>"]
    lines += [f"-1.9\t{symbol if symbol != ' ' else '|'}\t-0.3" for symbol in symbols[1:]]
    pairs = rng.permutation(79 * 79)[:3000]
    spelled = [symbol if symbol != " " else "|" for symbol in symbols[1:]]
    lines += ["", "\\2-grams:", *(f"-0.8\t{spelled[k // 79]} {spelled[k % 79]}" for k in pairs), "", "\\end\\", ""]
    path = folder / "bigrams.arpa"
    path.write_text("\n".join(lines), encoding="utf-8")
    model = LabelNGram(read_arpa(path), ["-", *spelled])
    return {
        "greedy": greedy,
        "beam 16": BeamDecoder(16),
        "beam 16, character bigrams": BeamDecoder(16, language_model=model, weight=0.5),
        "beam 16, 5,000 words": BeamDecoder(16, lexicon=lexicon),
        "token passing, 5,000 words, exact": lambda x: token_passing(x, lexicon),
        "token passing, 5,000 words, width 500": lambda x: token_passing(x, lexicon, width=500),
        "forced alignment, 60 labels": lambda x: align(x, [[1 + k % 78 for k in range(60)]] * x.shape[1]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=21)
    options = parser.parse_args()
    emit({**machine(options.threads), "repeats": options.repeats})
    torch.set_num_threads(options.threads)
    for size in SIZES:
        emit(losses(*size, repeats=options.repeats))
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for name, decode in decoders(Path(folder)).items():
            for kind in ("peaked", "flat"):
                logits = outputs(kind, 500, 8, 80)
                decode(logits[:100])
                took = statistics.median(seconds(lambda: decode(logits)) for _ in range(5))  # noqa: B023
                emit({"what": name, "logits": kind, "T": 500, "V": 80, "sequences_per_second": round(8 / took, 1)})


if __name__ == "__main__":
    main()
