"""The loss of connectionist temporal classification.

Legend: T steps, B batch, V labels with the blank among them, S labels of the longest target.
"""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from gatewise.backends.cpu import core
from gatewise.errors import ConfigurationError
from gatewise.tasks.ctc import definition
from gatewise.tasks.ctc.operator import REMEDY, Loss
from gatewise.tasks.ctc.options import check_blank, check_nats, is_number
from gatewise.tasks.ctc.pairs import Lengths, Targets, as_lengths, as_targets, check_logits, padded, read_pairs

Reduction = Literal["none", "mean", "sum"]
Infeasible = Literal["raise", "inf"]

_CORE_DTYPES = (torch.float32, torch.float64)


def ctc_loss(
    logits: Tensor,
    targets: Targets,
    input_lengths: Lengths | None = None,
    target_lengths: Lengths | None = None,
    blank: int = 0,
    reduction: Reduction = "mean",
    *,
    infeasible: Infeasible = "raise",
    label_smoothing: float = 0.0,
    blank_penalty: float = 0.0,
) -> Tensor:
    """Minus the logarithm of the probability of targets, summed over their alignments, in nats.

    Graves, Fernández, Gomez & Schmidhuber (2006), eqs. 2, 3 and 5-8; the gradient is eq. 16. The call of
    `torch.nn.functional.ctc_loss`, but that the softmax is part of it: give it what the last layer puts out.
    (Logarithms of probabilities do as well: their softmax is what they are the logarithms of.) Sums over alignments
    neither underflow nor overflow, losses and gradients do not depend on the number of threads, and what lies beyond
    an input's length is not looked at.

    Args:
        logits: `[T, B, V]`, in any layout of memory; for one sequence also `[T, V]`.
        targets: `[B, S]`, padded with anything; or `[N]`, one after the other; or a list of B lists of labels.
        input_lengths: how many steps each sequence has, from 0 to T; None for all T.
        target_lengths: how many labels each target has; None where the targets tell it themselves.
        blank: the number of the blank.
        reduction: "none" for `[B]`, "sum", or "mean": of each loss per label of its target (an empty one counts as of
            one label), as torch.
        infeasible: what becomes of a target that needs more steps than its input has: "raise", or "inf" for an
            infinite loss with a gradient of 0, which the number of alignments, none, does not change.
        label_smoothing: share e of the uniform distribution in every step's target: the loss is (1 - e) of what it
            would be plus e times the sum over steps of the mean of -ln y over labels. Where a target has only one
            alignment this is the label smoothing of cross-entropy (Szegedy et al. 2016, section 7).
        blank_penalty: what every blank in an alignment costs, in nats: its probability is multiplied by
            exp(-blank_penalty) after the softmax, so that alignments with fewer blanks count for more. Decoders take
            the same number.

    Returns:
        A tensor of the logits' dtype (float32 for those of 16 bits), `[B]` or a scalar; differentiable any number of
        times. NaN where the logits of a sequence are, and infinite where a label of a target has the logit -inf.

    Raises:
        DataError: tensors that do not fit one another; labels or lengths out of range; pairs without an alignment,
            by their index, unless `infeasible` allows them.
        ConfigurationError: an option that does not exist or is out of range.

    >>> logits = torch.zeros(3, 2, 4, requires_grad=True)
    >>> ctc_loss(logits, [[1, 2], [3]], input_lengths=[3, 2], reduction="none")  # 5 of 64 alignments, 3 of 16
    tensor([2.5494, 1.6740], grad_fn=...)
    >>> ctc_loss(logits, [[1, 1], [3]], input_lengths=[2, 2])
    Traceback (most recent call last):
        ...
    gatewise.errors.DataError: ctc_loss: no alignment exists for 1 of 2 pairs: index 0 (2 labels need 3 steps, ...
    """
    who = "ctc_loss"
    rows = check_logits(logits, who=who)
    steps, batch, labels = rows.shape
    check_blank(blank, labels, who=who)
    check_options(reduction, infeasible, label_smoothing, blank_penalty, who=who)
    inputs = as_lengths(input_lengths, steps, batch, "input_lengths", who=who)
    if isinstance(targets, Tensor) and logits.dim() == 2 and targets.dim() == 1 and target_lengths is None:
        target_lengths = len(targets)
    flat, lengths = as_targets(targets, target_lengths, batch, who=who)
    if rows.dtype not in _CORE_DTYPES:
        rows = rows.float()
    if core is not None and rows.device.type == "cpu":
        training = torch.is_grad_enabled() and rows.requires_grad
        options = (blank, label_smoothing, blank_penalty, infeasible == "raise", training)
        if torch.compiler.is_compiling() or not (training or torch._C._are_functorch_transforms_active()):
            losses, _ = torch.ops.gatewise.ctc(rows, flat, inputs, lengths, *options)
        else:
            losses, _ = Loss.apply(rows, flat, inputs, lengths, *options)
    else:
        pairs = read_pairs(rows.shape, flat, inputs, lengths, blank, who=who)
        if infeasible == "raise":
            pairs.check_feasible(who=who, remedy=REMEDY)
        flat, inputs, lengths = (tensor.to(rows.device) for tensor in (flat, inputs, lengths))
        losses = definition.losses(
            rows,
            padded(flat, lengths),
            inputs,
            lengths,
            blank=blank,
            label_smoothing=label_smoothing,
            blank_penalty=blank_penalty,
        )
    if reduction == "none":
        return losses if logits.dim() == 3 else losses.squeeze(0)
    if reduction == "sum":
        return losses.sum()
    return (losses / lengths.to(losses).clamp(min=1)).mean()


class CTCLoss(nn.Module):
    """`ctc_loss` as a module, in the place of `torch.nn.CTCLoss`; takes logits.

    Args:
        blank: see `ctc_loss`, as the rest.
        reduction: "none", "mean" or "sum".
        infeasible: "raise" or "inf"; there is no `zero_infinity`, which would leave pairs out in silence.
        label_smoothing: a share, from 0 to below 1.
        blank_penalty: in nats.

    Raises:
        ConfigurationError: an option that does not exist or is out of range.

    >>> CTCLoss(blank_penalty=0.5)(torch.zeros(4, 1, 3), torch.tensor([[1, 2]]), torch.tensor([4]), torch.tensor([2]))
    tensor(1.1072)
    """

    def __init__(
        self,
        blank: int = 0,
        reduction: Reduction = "mean",
        *,
        infeasible: Infeasible = "raise",
        label_smoothing: float = 0.0,
        blank_penalty: float = 0.0,
    ) -> None:
        super().__init__()
        check_options(reduction, infeasible, label_smoothing, blank_penalty, who="CTCLoss")
        self.blank = blank
        self.reduction: Reduction = reduction
        self.infeasible: Infeasible = infeasible
        self.label_smoothing = label_smoothing
        self.blank_penalty = blank_penalty

    def forward(
        self,
        logits: Tensor,
        targets: Targets,
        input_lengths: Lengths | None = None,
        target_lengths: Lengths | None = None,
    ) -> Tensor:
        """The loss of logits `[T, B, V]`; see `ctc_loss`."""
        return ctc_loss(
            logits,
            targets,
            input_lengths,
            target_lengths,
            self.blank,
            self.reduction,
            infeasible=self.infeasible,
            label_smoothing=self.label_smoothing,
            blank_penalty=self.blank_penalty,
        )

    def extra_repr(self) -> str:
        """The options."""
        return (
            f"blank={self.blank}, reduction={self.reduction!r}, infeasible={self.infeasible!r}, "
            f"label_smoothing={self.label_smoothing:g}, blank_penalty={self.blank_penalty:g}"
        )


def check_options(
    reduction: object, infeasible: object, label_smoothing: object, blank_penalty: object, *, who: str
) -> None:
    """Refuse options that do not exist or are out of range, with `ConfigurationError`."""
    for name, value, known in (("reduction", reduction, Reduction), ("infeasible", infeasible, Infeasible)):
        if value not in get_args(known):
            raise ConfigurationError(
                f"{who}: {name} is {value!r}, expected one of {', '.join(map(repr, get_args(known)))}"
            )
    if not is_number(label_smoothing) or not 0 <= label_smoothing < 1:
        raise ConfigurationError(f"{who}: label_smoothing is {label_smoothing!r}, expected a share from 0 to below 1")
    check_nats(blank_penalty, "blank_penalty", who=who)
