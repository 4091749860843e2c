"""Forced alignment: where in the input the labels of a known target are.

Legend: T steps, B batch, V labels with the blank among them, S labels of a target.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gatewise.backends.cpu import core
from gatewise.errors import DataError
from gatewise.tasks.ctc.options import check_blank, check_nats
from gatewise.tasks.ctc.outputs import not_numbers, read_outputs
from gatewise.tasks.ctc.pairs import Lengths, Targets, as_targets, read_pairs


@dataclass(frozen=True)
class Alignment:
    """The best alignment of a target with an input.

    Attributes:
        labels: the target.
        starts: the step at which each label begins.
        ends: the step after its last.
        scores: the sum of each label's logarithms of probability over its steps, in nats.
        log_prob: the logarithm of the alignment's probability, blanks (with their penalty) included.
    """

    labels: tuple[int, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    scores: tuple[float, ...]
    log_prob: float


def align(
    logits: Tensor,
    targets: Targets,
    input_lengths: Lengths | None = None,
    target_lengths: Lengths | None = None,
    *,
    blank: int = 0,
    blank_penalty: float = 0.0,
) -> list[Alignment]:
    """Find the likeliest of all alignments of each target (Viterbi's recursion over the states of the loss).

    Args:
        logits: `[T, B, V]`, or `[T, V]` for one sequence; logarithms of probabilities do as well.
        targets: as in `ctc_loss`.
        input_lengths: how many steps each sequence has; None for all T.
        target_lengths: how many labels each target has; None where the targets tell it themselves.
        blank: the number of the blank.
        blank_penalty: what a blank costs, in nats; see `ctc_loss`.

    Raises:
        DataError: what does not fit, as in `ctc_loss`; steps without probabilities; pairs that no alignment, or none
            of a probability above 0, exists for, by their index.
        ConfigurationError: the blank is no label, or its penalty no number.

    >>> logits = torch.tensor([[0.1, 0.8, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]]).log()
    >>> align(logits, [[1, 2]])[0]
    Alignment(labels=(1, 2), starts=(0, 2), ends=(2, 3), scores=(-0.579..., -0.223...), log_prob=-0.802...)
    """
    who = "align"
    outputs = read_outputs(logits, input_lengths, who=who)
    steps, batch, labels = outputs.logits.shape
    check_blank(blank, labels, who=who)
    penalty = check_nats(blank_penalty, "blank_penalty", who=who)
    flat, lengths = as_targets(targets, target_lengths, batch, who=who)
    pairs = read_pairs((steps, batch, labels), flat, torch.from_numpy(outputs.lengths), lengths, blank, who=who)
    pairs.check_feasible(who=who)
    if core is not None:
        bad, totals, starts, ends, scores = core.ctc_align(
            outputs.logits, pairs.input_lengths, pairs.targets, pairs.offsets, blank, penalty, torch.get_num_threads()
        )
        if bad[0] >= 0:
            raise not_numbers(*bad)
    else:
        found = [
            viterbi(outputs.log_probs(b), pairs.targets[pairs.offsets[b] : pairs.offsets[b + 1]], blank, penalty)
            for b in range(batch)
        ]
        totals = np.array([total for total, *_ in found])
        starts, ends, scores = (np.concatenate(column) for column in list(zip(*found, strict=True))[1:])
    impossible = np.flatnonzero(totals == -np.inf).tolist()
    if impossible:
        raise DataError(
            f"{who}: no alignment has a probability above 0 for pairs {', '.join(map(str, impossible))}: logits of "
            "-inf stand where their labels have to be"
        )
    return [
        Alignment(
            labels=tuple(pairs.targets[here].tolist()),
            starts=tuple(starts[here].tolist()),
            ends=tuple(ends[here].tolist()),
            scores=tuple(scores[here].tolist()),
            log_prob=float(total),
        )
        for total, here in zip(totals, map(slice, pairs.offsets[:-1], pairs.offsets[1:]), strict=True)
    ]


def viterbi(
    log_probs: np.ndarray, target: np.ndarray, blank: int, penalty: float
) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """The best alignment where there is no core.

    Args:
        log_probs: `[T, V]`.
        target: int64 `[S]`.
        blank: the number of the blank.
        penalty: what a blank costs, in nats.

    Returns:
        Its logarithm, -inf if there is none; starts, ends and scores of labels, `[S]` each.
    """
    steps, count = len(log_probs), 2 * len(target) + 1
    states = np.full(count, blank)
    states[1::2] = target
    outputs = log_probs[:, states]
    outputs[:, ::2] -= penalty
    skips = np.zeros(count, bool)
    skips[1:2] = True
    skips[3::2] = target[1:] != target[:-1]
    # Two places before the first blank, where the path stands before its first step: on the second of them.
    best = np.full(count + 2, -np.inf)
    best[1] = 0.0
    moves = np.zeros((steps, count), np.int64)
    for t in range(steps):
        # Of equals the shortest move counts.
        choices = np.stack([best[2:], best[1:-1], np.where(skips, best[:-2], -np.inf)])
        choices[2, 1:2] = best[1]
        moves[t] = choices.argmax(axis=0)
        best[2:] = choices.max(axis=0) + outputs[t]
        best[1] = -np.inf
    starts, ends = np.full(len(target), -1), np.full(len(target), -1)
    scores = np.full(len(target), -np.inf)
    if steps == 0:
        return 0.0, starts, ends, scores
    state = count - 1 - int(count > 1 and best[count] > best[count + 1])
    total = float(best[state + 2])
    if total == -np.inf:
        return total, starts, ends, scores
    scores[:] = 0.0
    for t in range(steps - 1, -1, -1):
        if state % 2:
            label = state // 2
            ends[label] = t + 1 if ends[label] < 0 else ends[label]
            starts[label] = t
            scores[label] += outputs[t, state]
        state -= int(moves[t, state])
    return total, starts, ends, scores
