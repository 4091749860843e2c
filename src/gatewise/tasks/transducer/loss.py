"""The loss of an RNN transducer.

Legend: T steps, B batch, U labels of the longest target, V labels with the blank among them, J features of the joint
network.
"""

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from gatewise.errors import ConfigurationError, DataError
from gatewise.tasks.ctc.options import check_blank
from gatewise.tasks.ctc.pairs import Lengths, Targets, as_lengths, as_targets, read_pairs
from gatewise.tasks.transducer.joint import Joint
from gatewise.tasks.transducer.lattice import Lattice

Reduction = Literal["none", "mean", "sum"]


def transducer_loss(
    joint: Joint,
    heard: Tensor,
    written: Tensor,
    targets: Targets,
    input_lengths: Lengths | None = None,
    target_lengths: Lengths | None = None,
    blank: int = 0,
    reduction: Reduction = "mean",
) -> Tensor:
    """Minus the logarithm of the probability of targets, summed over their alignments in nats (Graves 2012, 2.4).

    Logits over all of T, U and V are never kept: the joint network tells the probabilities of blanks and of the
    target's labels, a few steps at a time, and computes the rest once more in the backward. So the memory that is kept
    between forward and backward is that of a few numbers for each step and each label of a target. Sums over
    alignments are in float64. What lies beyond the end of an input or a target is not looked at, nor worked on.

    Args:
        joint: the joint network.
        heard: its features of the encoder's outputs, `[T, B, J]`.
        written: its features of the prediction network's outputs, `[U + 1, B, J]`: before the first label, after it,
            and so on.
        targets: `[B, U]`, padded with anything; or `[N]`, one after the other; or a list of B lists of labels.
        input_lengths: how many steps each sequence has, from 1 to T; None for all T.
        target_lengths: how many labels each target has; None where the targets tell it themselves.
        blank: the number of the blank.
        reduction: "none" for `[B]`, "sum", or "mean": of each loss per label of its target (an empty one counts as of
            one label), as `ctc_loss`.

    Returns:
        A tensor of the features' dtype, `[B]` or a scalar, differentiable once.

    Raises:
        DataError: tensors that do not fit one another; labels or lengths out of range; a sequence without steps.
        ConfigurationError: an option that does not exist or is out of range.

    >>> from gatewise.tasks.transducer import AdditiveJoint
    >>> joint = AdditiveJoint(1, 1, labels=3)
    >>> heard, written = torch.zeros(2, 1, 3), torch.zeros(2, 1, 3)
    >>> transducer_loss(joint, heard, written, [[1]])  # 2 paths of 27: a label before one or the other blank
    tensor(2.6027)
    """
    who = "transducer_loss"
    if reduction not in get_args(Reduction):
        raise ConfigurationError(
            f"{who}: reduction is {reduction!r}, expected one of {', '.join(map(repr, get_args(Reduction)))}"
        )
    if heard.dim() != 3 or written.dim() != 3 or heard.shape[1:] != written.shape[1:] or heard.shape[1] == 0:
        raise DataError(
            f"{who}: expected features heard [T, B, J] and written [U + 1, B, J], got {list(heard.shape)} and "
            f"{list(written.shape)}"
        )
    check_blank(blank, joint.labels, who=who)
    most, batch, _ = heard.shape
    flat, lengths = as_targets(targets, target_lengths, batch, who=who)
    inputs = as_lengths(input_lengths, most, batch, "input_lengths", who=who)
    pairs = read_pairs((most, batch, joint.labels), flat, inputs, lengths, blank, who=who)
    if pairs.input_lengths.min() < 1:
        raise DataError(
            f"{who}: sequence {int(pairs.input_lengths.argmin())} has no steps; a transducer needs one at least, for "
            "the blank that ends it"
        )
    if pairs.target_lengths.max() >= len(written):
        raise DataError(
            f"{who}: target {int(pairs.target_lengths.argmax())} has {pairs.target_lengths.max()} labels, but the "
            f"prediction network has written {len(written) - 1}; expected features written [U + 1, B, J]"
        )
    blanks, labels = [], []
    for b, (steps, length) in enumerate(zip(pairs.input_lengths.tolist(), pairs.target_lengths.tolist(), strict=True)):
        target = torch.from_numpy(pairs.targets[pairs.offsets[b] : pairs.offsets[b + 1]]).to(heard.device)
        found = joint.scores(heard[:steps, b], written[: length + 1, b], target, blank)
        blanks.append(found[0])
        labels.append(found[1])
    losses = Lattice.apply(
        _together(blanks),
        _together(labels),
        *(torch.from_numpy(each).to(heard.device) for each in (pairs.input_lengths, pairs.target_lengths)),
    ).to(heard.dtype)
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    per_label = torch.from_numpy(pairs.target_lengths).to(losses).clamp(min=1)
    return (losses / per_label).mean()


def _together(parts: list[Tensor]) -> Tensor:
    """Arrays `[steps, labels]` of their own sizes as one `[T, B, labels of the longest]`."""
    width = max(part.shape[1] for part in parts)
    return pad_sequence([torch.nn.functional.pad(part, (0, width - part.shape[1])) for part in parts])
