"""What connectionist temporal classification computes, in torch operations: any device, differentiable at will.

Graves, Fernández, Gomez & Schmidhuber (2006), "Connectionist Temporal Classification". An alignment names a label for
every step; taking out repeats, then blanks, leaves the target. The probability of a target is the sum over its
alignments (eq. 3), that of an alignment the product of its labels' (eq. 2).

Legend: T steps, B batch, V labels with the blank among them, S labels of the longest target.
"""

import torch
from torch import Tensor
from torch.nn import functional

# Stands for the logarithm of 0: a sum of such terms has a gradient, where that of infinities has none.
NEVER = -1e30


def losses(
    logits: Tensor,
    targets: Tensor,
    input_lengths: Tensor,
    target_lengths: Tensor,
    *,
    blank: int,
    label_smoothing: float,
    blank_penalty: float,
) -> Tensor:
    """The loss of each pair.

    Args:
        logits: `[T, B, V]`.
        targets: int64 `[B, S]`; what lies beyond their lengths is not looked at, but has to be a label.
        input_lengths: int64 `[B]`.
        target_lengths: int64 `[B]`.
        blank: the number of the blank.
        label_smoothing: see `gatewise.tasks.ctc.ctc_loss`.
        blank_penalty: see `gatewise.tasks.ctc.ctc_loss`.

    Returns:
        `[B]`, infinite where the target has probability 0.
    """
    steps, batch, _ = logits.shape
    real = torch.arange(steps, device=logits.device).unsqueeze(1) < input_lengths
    log_probs = functional.log_softmax(torch.where(real.unsqueeze(2), logits, 0.0), dim=2)
    # A mask's -inf, like every logarithm of 0, has to be a number before the sums below.
    states, skips = path(targets, blank)
    outputs = log_probs.clamp(min=NEVER).gather(2, states.expand(steps, batch, -1))
    outputs = outputs - blank_penalty * (states == blank).to(outputs.dtype)
    never = logits.new_full((batch, 1), NEVER)
    # Eqs. 5-7, from before the first step on, when the path stands before its first blank.
    alpha = torch.cat([never.new_zeros(batch, 1), never.expand(batch, states.shape[1])], dim=1)
    for t in range(steps):
        # Where a path stands: before it (place 0), on one of its states (from 1 on).
        stay, step, skip = alpha[:, 1:], alpha[:, :-1], torch.cat([never, alpha[:, :-2]], dim=1)
        skip = torch.where(skips, skip, NEVER)
        moved = torch.logsumexp(torch.stack([stay, step, skip]), dim=0) + outputs[t]
        alpha = torch.where(real[t].unsqueeze(1), torch.cat([never, moved], dim=1), alpha)
    # Eq. 8: the path ends on its last blank or its last label. (An empty target's path may not have begun.)
    ends = torch.stack([2 * target_lengths + 1, 2 * target_lengths], dim=1)
    found = torch.logsumexp(alpha.gather(1, ends), dim=1)
    loss = -found
    if label_smoothing > 0:
        uniform = torch.where(real, -log_probs.mean(dim=2), 0.0).sum(dim=0)
        loss = (1 - label_smoothing) * loss + label_smoothing * uniform
    return torch.where(found < NEVER / 2, torch.inf, loss)


def path(targets: Tensor, blank: int) -> tuple[Tensor, Tensor]:
    """The states that an alignment walks through: the target with blanks before, between and after its labels.

    Args:
        targets: int64 `[B, S]`.
        blank: the number of the blank.

    Returns:
        The label of each state, int64 `[B, 2 S + 1]`; and whether it may follow the place two before it, bool
        `[B, 2 S + 1]`: the first blank may be left out, and one between labels that differ.
    """
    batch, length = targets.shape
    states = targets.new_full((batch, 2 * length + 1), blank)
    states[:, 1::2] = targets
    skips = torch.zeros_like(states, dtype=torch.bool)
    skips[:, 1:2] = True
    skips[:, 3::2] = targets[:, 1:] != targets[:, :-1]
    return states, skips
