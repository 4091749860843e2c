"""Stretches of sequences: what is held out, what is trained on at a time, and how a network runs over them.

Legend: S sequences, N steps of all of them, P spans, K outputs. A span is a row of whole numbers (start, end) of steps.
"""

import numpy as np
import torch
from torch import Tensor

from gatewise.data import Ragged
from gatewise.data.batches import by_length
from gatewise.tasks.labelling.network import LabellerNetwork
from gatewise.training.workers import shared

LEAST = 4  # with fewer sequences or groups a part of each sequence is held out
# Spans and padded steps of one batch without gradients.
PREDICTION_BATCH, PREDICTION_STEPS = 256, 2**18


def whole(offsets: np.ndarray) -> np.ndarray:
    """Every sequence as a span, `[S, 2]`."""
    return np.stack([offsets[:-1], offsets[1:]], axis=1)


def lengths_of(spans: np.ndarray) -> np.ndarray:
    """Steps of each span `[P]`."""
    return spans[:, 1] - spans[:, 0]


def rows_of(spans: np.ndarray) -> np.ndarray:
    """The steps of all spans, one span after the other."""
    return np.concatenate([np.arange(start, end) for start, end in spans]) if len(spans) else np.zeros(0, np.int64)


def pad(values: np.ndarray, spans: np.ndarray, fill: float = 0.0) -> np.ndarray:
    """Spans of `[N, ...]` side by side, `[T, P, ...]`, T the longest one; `fill` beyond each one's end."""
    lengths = lengths_of(spans)
    padded = np.full((lengths.max(initial=0), len(spans), *values.shape[1:]), fill, values.dtype)
    for place, (start, end) in enumerate(spans):
        padded[: end - start, place] = values[start:end]
    return padded


def hold_out(
    offsets: np.ndarray, groups: np.ndarray | None, targets: np.ndarray | None, *, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray, str]:
    """Training and validation spans, and in words what is held out.

    Whole groups, where there are some; else whole sequences, drawn such that no class is left without training; of
    fewer than 4, or where each choice would leave one, the end of each sequence.

    Args:
        offsets: of the sequences `[S + 1]`.
        groups: group numbers `[S]`, or None.
        targets: class numbers `[N]` with -1 for none; None of values.
        share: of the sequences (groups, steps) to hold out; 0 for none.
        seed: of the drawing.

    >>> hold_out(np.array([0, 10]), None, None, share=0.2, seed=0)
    (array([[0, 8]]), array([[ 8, 10]]), 'the last 20% of each sequence')
    """
    spans = whole(offsets)
    if share == 0:
        return spans, spans[:0], "nothing (validation=0)"
    members = np.arange(len(spans)) if groups is None else groups
    names = np.random.default_rng([seed, len(spans)]).permutation(np.unique(members))
    if len(names) >= LEAST:
        size = max(1, round(share * len(names)))
        for start in range(len(names)):
            held = np.isin(members, np.take(names, range(start, start + size), mode="wrap"))
            if targets is None or _all_there(targets, spans[~held]):
                said = "sequences" if groups is None else "groups"
                return spans[~held], spans[held], f"{size} of {len(names)} {said}"
    ends = spans[:, 1] - np.maximum(1, np.round(share * lengths_of(spans)).astype(np.int64))
    long = ends > spans[:, 0]
    training = np.stack([spans[:, 0], np.where(long, ends, spans[:, 1])], axis=1)
    return training, np.stack([ends, spans[:, 1]], axis=1)[long], f"the last {share:.0%} of each sequence"


def _all_there(targets: np.ndarray, spans: np.ndarray) -> bool:
    return len(np.unique(targets[rows_of(spans)])) == len(np.unique(targets)) if len(spans) else False


def pieces(spans: np.ndarray, stretch: int, shift: float) -> np.ndarray:
    """Spans cut into equal pieces of at most `stretch` steps, whose cuts are then moved by up to half a piece.

    Args:
        spans: `[P, 2]`.
        stretch: steps.
        shift: from 0 (cuts come half a piece earlier) over 0.5 (where they are) to 1 (half a piece later).

    >>> pieces(np.array([[0, 10], [10, 13]]), 5, 0.5).tolist()
    [[0, 5], [5, 10], [10, 13]]
    """
    found = []
    for start, end in spans:
        count = -(-(end - start) // stretch)
        inner = start + np.round((np.arange(1, count) + shift - 0.5) * (end - start) / count).astype(np.int64)
        cuts = np.unique(np.concatenate([[start], inner, [end]]))
        found.append(np.stack([cuts[:-1], cuts[1:]], axis=1))
    return np.concatenate(found)


@torch.no_grad()
def run_network(network: LabellerNetwork, inputs: Ragged, spans: np.ndarray) -> Tensor:
    """Outputs of prepared inputs over spans, one span after the other: float32 on the CPU, `[steps of all spans, K]`.

    The network must be in evaluation mode.
    """
    device = next(network.parameters()).device
    lengths = lengths_of(spans)
    first = np.append(0, np.cumsum(lengths))
    outputs = torch.empty(int(first[-1]), network.linear.out_features)
    batches = list(by_length(lengths, PREDICTION_BATCH, PREDICTION_STEPS))

    def compute(places: np.ndarray) -> tuple[Tensor]:
        padded = torch.from_numpy(pad(inputs.values, spans[places]))
        return (network(padded.to(device), torch.from_numpy(lengths[places])).cpu(),)

    for places, (found,) in zip(batches, shared(batches, compute), strict=True):
        for column, place in enumerate(places):
            outputs[first[place] : first[place + 1]] = found[: lengths[place], column]
    return outputs
